//! What keys and events do to the job screen.

use farmhand_protocol::farm::{FarmEvent, FrameState, FrameView, JobDetail, OutputView};
use farmhand_protocol::{BatchId, JobId};

use super::frame_map::Shade;
use super::layout::JobLayout;
use super::screen::{JobPanel, JobScreen};
use super::subject;
use crate::app::{Action, Command, Model, Screen, Shown, Tone, visible_rows};

/// Deliveries that are asked for: what the chart of frame times shows.
const NEWEST: usize = 60;

/// The job screen and where its things stand.
fn laid_out(model: &mut Model) -> Option<(&mut JobScreen, JobLayout)> {
    let size = model.size;
    let screen = model.job_screen_mut()?;
    let layout = JobLayout::of(size, screen)?;
    Some((screen, layout))
}

/// Opens the screen of a job.
pub(crate) fn open(model: &mut Model, job: JobId) -> Vec<Command> {
    open_at(model, job, None)
}

/// Opens the screen of a job, where `batch` is given on that row of its batches.
pub(crate) fn open_at(model: &mut Model, job: JobId, batch: Option<BatchId>) -> Vec<Command> {
    let mut screen = JobScreen::new(job);
    screen.asked();
    if let Some(batch) = batch {
        screen.rows = model.farm.batch_rows(job, &Shown::default());
        screen.panel = JobPanel::Batches;
        let index = screen.rows.iter().position(|row| *row == batch);
        screen.batches.go_to(&screen.rows, index.unwrap_or(0), 1);
    }
    model.screens.push(Screen::Job(Box::new(screen)));
    sync(model);
    vec![
        Command::LoadJob { job },
        Command::LoadOutput { job, newest: NEWEST },
    ]
}

/// An action on the job screen.
pub(crate) fn on_job(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Back => {
            let leave = model
                .job_screen_mut()
                .is_none_or(|screen| screen.anchor.take().is_none());
            if leave {
                model.screens.pop();
            }
        }
        Action::NextPanel | Action::PreviousPanel => {
            if let Some(screen) = model.job_screen_mut() {
                screen.panel = match screen.panel {
                    JobPanel::Frames => JobPanel::Batches,
                    JobPanel::Batches => JobPanel::Frames,
                };
            }
        }
        Action::ShowFrames | Action::ShowBatches => {
            if let Some(screen) = model.job_screen_mut() {
                screen.panel = if action == Action::ShowFrames {
                    JobPanel::Frames
                } else {
                    JobPanel::Batches
                };
            }
        }
        Action::Select => {
            if let Some(screen) = model.job_screen_mut() {
                screen.panel = JobPanel::Frames;
                screen.anchor = screen.anchor.is_none().then_some(screen.cursor);
            }
        }
        Action::NextFailed => return next_failed(model),
        Action::Why => return crate::app::why::open(model),
        Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom => return step(model, action),
        _ => return subject::act(model, action),
    }
    Vec::new()
}

fn step(model: &mut Model, action: Action) -> Vec<Command> {
    let Some((screen, layout)) = laid_out(model) else {
        return Vec::new();
    };
    if screen.panel == JobPanel::Batches {
        let visible = visible_rows(layout.batches);
        let page = isize::try_from(visible.max(2) - 1).unwrap_or(isize::MAX);
        let steps = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::Top => isize::MIN,
            Action::Bottom => isize::MAX,
            _ => 0,
        };
        screen.batches.move_by(&screen.rows, steps, visible);
        return Vec::new();
    }
    let grid = layout.grid;
    let page = isize::try_from(grid.rows.max(2) / 2).unwrap_or(1);
    let cursor = screen.cursor;
    screen.cursor = match action {
        Action::Up => grid.moved(cursor, 0, -1),
        Action::Down => grid.moved(cursor, 0, 1),
        Action::Left => grid.moved(cursor, -1, 0),
        Action::Right => grid.moved(cursor, 1, 0),
        Action::PageUp => grid.moved(cursor, 0, -page),
        Action::PageDown => grid.moved(cursor, 0, page),
        Action::Top => 0,
        _ => grid.places(grid.cells().saturating_sub(1)).start,
    };
    ask_for_frame(model)
}

fn next_failed(model: &mut Model) -> Vec<Command> {
    let Some((screen, layout)) = laid_out(model) else {
        return Vec::new();
    };
    let after = layout.grid.places(layout.grid.cell(screen.cursor)).end;
    let Some(place) = screen.map.next(Shade::Failed, after) else {
        model.say(Tone::Plain, "no frame has failed");
        return Vec::new();
    };
    screen.panel = JobPanel::Frames;
    screen.cursor = place;
    ask_for_frame(model)
}

/// Asks what is known of the frame at the cursor, unless that is known already.
fn ask_for_frame(model: &mut Model) -> Vec<Command> {
    let Some((screen, layout)) = laid_out(model) else {
        return Vec::new();
    };
    let frame = screen
        .subject(layout.grid)
        .and_then(|place| screen.map.frame(place));
    match frame {
        Some(frame) if screen.frame.as_ref().is_none_or(|known| known.frame != frame) => {
            let job = screen.job;
            vec![Command::LoadFrame { job, frame }]
        }
        _ => Vec::new(),
    }
}

/// What an event means to job screens, before the farm takes it over.
pub(crate) fn heard(model: &mut Model, event: &FarmEvent) {
    for screen in &mut model.screens {
        let Screen::Job(screen) = screen else { continue };
        match event {
            FarmEvent::Frames { job, states } if *job == screen.job => {
                // An attempt has failed: which one and why, only the job itself tells.
                let trouble = |state: FrameState| matches!(state, FrameState::Failed | FrameState::Pending);
                screen.stale |= states.iter().any(|states| trouble(states.state));
                let delivered = states.iter().any(|states| states.state == FrameState::Delivered);
                screen.output_stale |= delivered;
                if let Some(known) = &screen.frame
                    && states.iter().any(|states| states.frames.contains(known.frame))
                {
                    screen.frame = None;
                }
                screen.hear(states.clone());
            }
            FarmEvent::Batch { batch } if batch.job == screen.job => {
                screen.stale |= !batch.failed.is_empty() && batch.ended.is_some();
            }
            _ => {}
        }
    }
}

/// A job is asked for.
pub(crate) fn asked(model: &mut Model, job: JobId) {
    screens_of(model, job).for_each(JobScreen::asked);
}

/// Everything was read anew: what is shown of a job may be old.
pub(crate) fn farm_loaded(model: &mut Model) {
    for screen in &mut model.screens {
        if let Screen::Job(screen) = screen {
            screen.stale = true;
            screen.output_stale = true;
        }
    }
    sync(model);
}

/// A job was read.
pub(crate) fn job_loaded(model: &mut Model, detail: &JobDetail) -> Vec<Command> {
    screens_of(model, detail.job.id).for_each(|screen| screen.take(detail));
    sync(model);
    ask_for_frame(model)
}

/// What has come of a job was read.
pub(crate) fn output_loaded(model: &mut Model, job: JobId, result: Result<Box<OutputView>, String>) {
    match result {
        Ok(output) => {
            for screen in screens_of(model, job) {
                screen.output = Some((*output).clone());
            }
        }
        Err(error) => model.say(Tone::Bad, format!("{job}: {error}")),
    }
}

/// A frame was read. One that the cursor has left meanwhile is dropped where it is looked for.
pub(crate) fn frame_loaded(model: &mut Model, job: JobId, result: Result<Option<Box<FrameView>>, String>) {
    match result {
        Ok(frame) => {
            for screen in screens_of(model, job) {
                screen.frame = frame.as_deref().cloned();
            }
        }
        Err(error) => model.say(Tone::Bad, format!("{job}: {error}")),
    }
}

fn screens_of(model: &mut Model, job: JobId) -> impl Iterator<Item = &mut JobScreen> {
    model.screens.iter_mut().filter_map(move |screen| match screen {
        Screen::Job(screen) if screen.job == job => Some(&mut **screen),
        _ => None,
    })
}

/// Rows of the batch table have come or gone, or the size has changed.
pub(crate) fn sync(model: &mut Model) {
    let size = model.size;
    let farm = &model.farm;
    for screen in &mut model.screens {
        let Screen::Job(screen) = screen else { continue };
        screen.rows = farm.batch_rows(screen.job, &Shown::default());
        let visible = JobLayout::of(size, screen).map_or(1, |layout| visible_rows(layout.batches));
        if screen.panel == JobPanel::Batches {
            screen.batches.settle(&screen.rows, visible);
        } else {
            screen.batches.settle_on_top(&screen.rows, visible);
        }
    }
}

/// Once a second: reads anew what has changed in ways that events do not tell.
pub(crate) fn refresh(model: &mut Model) -> Vec<Command> {
    let Some(screen) = model.job_screen_mut() else {
        return Vec::new();
    };
    let job = screen.job;
    let mut commands = Vec::new();
    if std::mem::take(&mut screen.stale) || !screen.is_read {
        screen.asked();
        commands.push(Command::LoadJob { job });
    }
    if std::mem::take(&mut screen.output_stale) || screen.output.is_none() {
        commands.push(Command::LoadOutput { job, newest: NEWEST });
    }
    if screen.frame.is_none() && screen.is_read {
        commands.extend(ask_for_frame(model));
    }
    commands
}
