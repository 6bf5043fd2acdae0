//! The log screen: what Blender printed for a frame.

mod lines;
mod page;

use std::collections::BTreeMap;

use crossterm::event::{Event, KeyEvent};
use farmhand_protocol::farm::{BatchState, BatchView};
use farmhand_protocol::{Frame, JobId};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

pub(crate) use self::lines::{Level, LogLine};
pub(crate) use self::page::{LogPage, Reading};
use super::{Action, Command, Model, Panel, Screen, Tone};
use crate::words;

/// Lines of the screen that are not the log's: title, frame, cause, message, keys.
pub(crate) const AROUND: u16 = 6;

/// Columns that lines are shifted by at a time.
const SHIFT: usize = 16;

/// What a person wants to see of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Log,
    Picture,
}

/// The frame whose log or picture is wanted where a person points at something.
pub(crate) fn pointed_frame(model: &Model, wish: Wish) -> Result<(JobId, Frame), String> {
    if let Screen::Job(screen) = model.screen() {
        let frame = super::job::frame_at_cursor(model);
        return frame
            .map(|frame| (screen.job, frame))
            .ok_or_else(|| "no frame is at the cursor".to_owned());
    }
    match model.focus {
        Panel::Nodes => {
            let node = model.selected_node().ok_or("no node is selected")?;
            let place = model.nodes.selected().map_or(0, |row| row.place);
            let running = node.view.running.get(place).or(node.view.running.first());
            if let Some(slot) = running
                && let (Some(job), Some(frame)) = (slot.job, slot.progress.frame)
            {
                return Ok((job, frame));
            }
            let of_node = |batch: &&BatchView| Some(batch.node) == node.view.id;
            let batches = model.farm.batches.values().flat_map(BTreeMap::values);
            let newest = batches.filter(of_node).max_by_key(|batch| batch.id);
            newest
                .and_then(|batch| Some((batch.job, frame_of(model, batch, wish)?)))
                .ok_or_else(|| format!("{} has rendered nothing that is known here", node.view.name))
        }
        Panel::Batches => {
            let batch = model.selected_batch().ok_or("no batch is selected")?;
            frame_of(model, batch, wish)
                .map(|frame| (batch.job, frame))
                .ok_or_else(|| format!("{} has no frame", batch.id))
        }
        Panel::Events => {
            let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
            let job = model.farm.notes.get(newest).and_then(|note| note.job);
            frame_of_job(model, job.ok_or("this event is about no job")?, wish)
        }
        Panel::Jobs => frame_of_job(model, model.selected_job().ok_or("no job is selected")?.id, wish),
    }
}

/// The most telling frame of a job: one that failed, else the newest at work, else the newest delivered; for a
/// picture the newest delivered.
fn frame_of_job(model: &Model, job: JobId, wish: Wish) -> Result<(JobId, Frame), String> {
    let view = model
        .farm
        .jobs
        .get(&job)
        .ok_or_else(|| format!("{job} is gone"))?;
    let batches = || {
        model
            .farm
            .batches
            .get(&job)
            .into_iter()
            .flat_map(|all| all.values().rev())
    };
    let failed = batches().find_map(|batch| batch.failed.last());
    let at_work = model.farm.nodes.values().flat_map(|node| &node.view.running);
    let at_work = at_work
        .filter(|slot| slot.job == Some(job))
        .find_map(|slot| slot.progress.frame);
    let delivered = batches().find_map(|batch| batch.delivered.last());
    let failed = failed.filter(|_| view.counts.failed > 0);
    delivered
        .filter(|_| wish == Wish::Picture)
        .or(failed)
        .or(at_work)
        .or(delivered)
        .or_else(|| view.frames.first())
        .map(|frame| (job, frame))
        .ok_or_else(|| format!("{job} has no frame"))
}

/// The most telling frame of a batch: at work, failed, or delivered last; for a picture delivered last.
fn frame_of(model: &Model, batch: &BatchView, wish: Wish) -> Option<Frame> {
    let slots = model.farm.nodes.values().flat_map(|node| &node.view.running);
    let at_work = slots
        .filter(|slot| slot.progress.key.batch == batch.id && batch.state == BatchState::Rendering)
        .find_map(|slot| slot.progress.frame);
    let open = || batch.frames.difference(&batch.delivered).first();
    batch
        .delivered
        .last()
        .filter(|_| wish == Wish::Picture)
        .or(at_work)
        .or_else(|| batch.failed.last())
        .or_else(|| batch.delivered.last())
        .or_else(open)
}

/// Whether a node renders a frame at the moment.
fn is_at_work(model: &Model, job: JobId, frame: Frame) -> bool {
    let mut slots = model.farm.nodes.values().flat_map(|node| &node.view.running);
    slots.any(|slot| slot.job == Some(job) && slot.progress.frame == Some(frame))
}

/// Opens the log of what a person points at.
pub(crate) fn open_pointed(model: &mut Model) -> Vec<Command> {
    match pointed_frame(model, Wish::Log) {
        Ok((job, frame)) => open(model, job, frame),
        Err(reason) => {
            model.say(Tone::Plain, format!("no log: {reason}"));
            Vec::new()
        }
    }
}

/// Opens the log of a frame.
pub(crate) fn open(model: &mut Model, job: JobId, frame: Frame) -> Vec<Command> {
    let follow = is_at_work(model, job, frame);
    model
        .screens
        .push(Screen::Log(Box::new(LogPage::new(job, frame, follow))));
    ask(model)
}

fn ask(model: &mut Model) -> Vec<Command> {
    let generation = model.generation();
    let Some(Screen::Log(page)) = model.screens.last_mut() else {
        return Vec::new();
    };
    page.generation = generation;
    page.reading = match std::mem::replace(&mut page.reading, Reading::Asked) {
        Reading::Read if !page.lines.is_empty() => Reading::Read,
        _ => Reading::Asked,
    };
    vec![Command::LoadLog {
        generation,
        job: page.job,
        frame: page.frame,
    }]
}

/// Asks anew where the log is followed and may still grow; once a second.
pub(crate) fn refresh(model: &mut Model) -> Vec<Command> {
    let Screen::Log(page) = model.screen() else {
        return Vec::new();
    };
    let grows = model
        .farm
        .jobs
        .get(&page.job)
        .is_none_or(|job| !job.state.has_ended());
    if grows && page.follow && page.reading != Reading::Asked {
        return ask(model);
    }
    Vec::new()
}

/// Takes an answer over, unless a newer question is under way.
pub(crate) fn loaded(model: &mut Model, generation: u64, result: &Result<String, String>) {
    for screen in &mut model.screens {
        if let Screen::Log(page) = screen
            && page.generation == generation
        {
            match result {
                Ok(text) => page.take(text),
                Err(error) if page.lines.is_empty() => page.reading = Reading::Failed(error.clone()),
                // What was read stays.
                Err(_) => page.reading = Reading::Read,
            }
        }
    }
    settle(model);
}

/// The size has changed, or the lines.
pub(crate) fn settle(model: &mut Model) {
    let (width, height) = (model.size.width, model.size.height);
    if let Some(Screen::Log(page)) = model.screens.last_mut() {
        let height = usize::from(height.saturating_sub(AROUND));
        let width = text_width(page, width);
        let wrap = page.wrap;
        page.settle(height, |line| {
            if wrap {
                crate::view::wrapped_lines(&line.text, width)
            } else {
                1
            }
        });
    }
}

/// Columns of the text beside the line numbers.
pub(crate) fn text_width(page: &LogPage, width: u16) -> usize {
    usize::from(width).saturating_sub(number_width(page) + 5)
}

/// Columns of the line numbers.
pub(crate) fn number_width(page: &LogPage) -> usize {
    (page.lines.len() + page.dropped).to_string().len().max(3)
}

pub(crate) fn on_log(model: &mut Model, action: Action) -> Vec<Command> {
    let height = usize::from(model.size.height.saturating_sub(AROUND)).max(2);
    let Some(Screen::Log(page)) = model.screens.last_mut() else {
        return Vec::new();
    };
    let mut said = None;
    match action {
        Action::Back if page.anchor.is_some() => page.anchor = None,
        Action::Back if !page.needle.is_empty() => page.needle.clear(),
        Action::Back => {
            model.screens.pop();
            return Vec::new();
        }
        Action::Up => page.move_to(page.cursor.saturating_sub(1)),
        Action::Down => page.move_to(page.cursor + 1),
        Action::PageUp => page.move_to(page.cursor.saturating_sub(height - 1)),
        Action::PageDown => page.move_to(page.cursor + height - 1),
        Action::Top => page.move_to(0),
        Action::Bottom => page.move_to(usize::MAX),
        Action::Search => page.typing = Some(Input::new(page.needle.clone())),
        Action::NextMatch | Action::PreviousMatch => {
            let matches = page.matches();
            if page.needle.is_empty() {
                said = Some("nothing is searched: / begins".to_owned());
            } else if !page.go_along(&matches, action == Action::NextMatch) {
                said = Some(format!("{:?} is nowhere in it", page.needle));
            }
        }
        Action::NextError => {
            let errors = page.errors();
            if !page.go_along(&errors, true) {
                said = Some("no line of it tells of an error".to_owned());
            }
        }
        Action::Follow => {
            page.follow = !page.follow;
            if page.follow {
                page.move_to(usize::MAX);
                settle(model);
                return ask(model);
            }
        }
        Action::Wrap => {
            page.wrap = !page.wrap;
            page.shift = 0;
        }
        Action::ShiftLeft => page.shift = page.shift.saturating_sub(SHIFT),
        Action::ShiftRight if !page.wrap => page.shift += SHIFT,
        Action::NextLevel => {
            let level = page.level.next();
            page.show_from(level);
        }
        Action::Mark => {
            page.anchor = match page.anchor {
                Some(_) => None,
                None => Some(page.cursor),
            };
        }
        Action::Copy => return copy(model),
        Action::Save => {
            let name = format!("farmhand-{}-f{}.log", page.job, page.frame);
            let text = page.text();
            return vec![Command::SaveText { name, text }];
        }
        Action::NextFrame => return turn_to(model, 1),
        Action::PreviousFrame => return turn_to(model, -1),
        Action::Preview => {
            let (job, frame) = (page.job, page.frame);
            return super::preview::open(model, job, frame);
        }
        _ => {}
    }
    if let Some(said) = said {
        model.say(Tone::Plain, said);
    }
    settle(model);
    Vec::new()
}

fn copy(model: &mut Model) -> Vec<Command> {
    let Some(Screen::Log(page)) = model.screens.last_mut() else {
        return Vec::new();
    };
    let lines = page.marked_text();
    if lines.is_empty() {
        model.say(Tone::Plain, "nothing to copy: the log is empty");
        return Vec::new();
    }
    let (text, count) = (lines.join("\n"), lines.len());
    page.anchor = None;
    super::clipboard::copy(model, text, &words::count(count, "line"))
}

/// The log of the frame before or behind this one.
fn turn_to(model: &mut Model, steps: i64) -> Vec<Command> {
    let Some(Screen::Log(page)) = model.screens.last() else {
        return Vec::new();
    };
    let (job, frame, level, wrap) = (page.job, page.frame, page.level, page.wrap);
    let needle = page.needle.clone();
    let Some(next) = super::preview::neighbour(model, job, frame, steps) else {
        let end = if steps < 0 { "first" } else { "last" };
        model.say(Tone::Plain, format!("{frame} is the {end} frame of {job}"));
        return Vec::new();
    };
    model.screens.pop();
    let commands = open(model, job, next);
    if let Some(Screen::Log(page)) = model.screens.last_mut() {
        (page.level, page.wrap, page.needle) = (level, wrap, needle);
    }
    commands
}

/// Enter and esc while a search is typed.
pub(crate) fn on_search(model: &mut Model, action: Action) -> Vec<Command> {
    if let Some(Screen::Log(page)) = model.screens.last_mut()
        && let Some(typed) = page.typing.take()
    {
        if action == Action::Send {
            typed.value().clone_into(&mut page.needle);
            let matches = page.matches();
            // From the cursor's own line on.
            if !matches.contains(&page.cursor) {
                page.go_along(&matches, true);
            }
        } else {
            page.needle.clear();
        }
    }
    settle(model);
    Vec::new()
}

/// A letter of the search. What it finds is shown as it is typed.
pub(crate) fn type_in_search(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Screen::Log(page)) = model.screens.last_mut()
        && let Some(typed) = &mut page.typing
    {
        typed.handle_event(&Event::Key(key));
        typed.value().clone_into(&mut page.needle);
    }
    Vec::new()
}
