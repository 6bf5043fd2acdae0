//! The farm screen: moving between its panels and within them.

use farmhand_protocol::{BatchId, JobId};

use super::act::READ_ONLY;
use super::live::read_selected_job;
use super::model::Behind;
use super::{
    Action, Command, Cursor, Details, Dialog, Filter, Leave, Model, NodeRow, Overlay, Panel, Prompt, Screen,
    Stage, Tone, act, availability, clipboard, log, preview, search, submit,
};

pub(crate) fn on_farm(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
            return move_selection(model, action);
        }
        Action::NextPanel => focus(model, model.focus.next(1)),
        Action::PreviousPanel => focus(model, model.focus.next(-1)),
        Action::ShowJobs => focus(model, Panel::Jobs),
        Action::ShowNodes => focus(model, Panel::Nodes),
        Action::ShowBatches => focus(model, Panel::Batches),
        Action::ShowEvents => focus(model, Panel::Events),
        Action::Open => return open(model),
        Action::Submit | Action::AddNode if model.readonly => model.say(Tone::Plain, READ_ONLY),
        Action::Why => return super::why::open(model),
        Action::RenderRest => submit::ask_about_rest(model),
        Action::Log => return log::open_pointed(model),
        Action::Preview => return preview::open_pointed(model),
        Action::Copy => return clipboard::copy_selected(model),
        Action::Submit => {
            model.screens.push(Screen::Submit);
            return submit::list_paths(model);
        }
        Action::AddNode => model.overlay = Some(Overlay::Prompt(Prompt::add_node())),
        Action::Quit => {
            let unfinished = model
                .newest()
                .jobs
                .values()
                .filter(|job| !job.state.has_ended())
                .count();
            if model.stage == Stage::Hosting && model.newest().has_unfinished_jobs() {
                model.overlay = Some(Overlay::Dialog(Dialog::quit(unfinished)));
            } else {
                return vec![Command::Quit(Leave::Stopped)];
            }
        }
        Action::Search => return search::begin(model),
        Action::NextSort => {
            match model.focus {
                Panel::Jobs => model.shown_jobs.sort.cycle(),
                Panel::Nodes => model.shown_nodes.sort.cycle(),
                Panel::Batches => model.shown_batches.sort.cycle(),
                Panel::Events => model.say(Tone::Plain, "events are sorted by time"),
            }
            model.settle_all();
        }
        Action::ReverseSort => {
            let reversed = match model.focus {
                Panel::Jobs => &mut model.shown_jobs.sort.reversed,
                Panel::Nodes => &mut model.shown_nodes.sort.reversed,
                Panel::Batches => &mut model.shown_batches.sort.reversed,
                Panel::Events => return Vec::new(),
            };
            *reversed = !*reversed;
            model.settle_all();
        }
        Action::Freeze => freeze(model),
        Action::Zoom => {
            model.zoomed = !model.zoomed;
            model.settle_all();
        }
        Action::Back if search::is_filtered(model) => return search::apply(model, ""),
        Action::Back if model.zoomed => {
            model.zoomed = false;
            model.settle_all();
        }
        Action::Back => {}
        _ => return act::act(model, action),
    }
    Vec::new()
}

/// Holds what is shown, or lets it follow the farm again.
fn freeze(model: &mut Model) {
    match model.behind.take() {
        Some(newest) => {
            model.farm = newest.farm;
            model.settle_all();
        }
        None => {
            model.behind = Some(Box::new(Behind {
                farm: model.farm.clone(),
                since: model.now,
            }));
        }
    }
}

/// Selects a row by its place on the screen. Tells whether it is another than before; nothing where there is none.
pub(crate) fn select(model: &mut Model, panel: Panel, line: usize) -> Option<bool> {
    let visible = model.visible(panel);
    match panel {
        Panel::Jobs => {
            let index = model.jobs.offset() + line;
            let before = model.jobs.selected().copied();
            let row = model.job_rows.get(index)?;
            if before == Some(*row) {
                return Some(false);
            }
            model.jobs.choose(&model.job_rows, index, visible);
            model.batches = Cursor::default();
            model.settle_batches();
            Some(true)
        }
        Panel::Nodes => {
            let index = model.nodes.offset() + line;
            let same = model.node_rows.get(index)? == model.nodes.selected()?;
            model.nodes.choose(&model.node_rows, index, visible);
            Some(!same)
        }
        Panel::Batches => {
            let index = model.batches.offset() + line;
            let same = model.batch_rows.get(index)? == model.batches.selected()?;
            model.batches.choose(&model.batch_rows, index, visible);
            Some(!same)
        }
        Panel::Events => None,
    }
}

/// Selects a job, whatever the filter hides.
pub(crate) fn go_to_job(model: &mut Model, id: JobId) -> Vec<Command> {
    if !model.job_rows.contains(&id) {
        model.shown_jobs.filter = Filter::default();
        model.settle_jobs();
    }
    if let Some(index) = model.job_rows.iter().position(|row| *row == id)
        && model.jobs.selected() != Some(&id)
    {
        let visible = model.visible(Panel::Jobs);
        model.jobs.go_to(&model.job_rows, index, visible);
        model.batches = Cursor::default();
        model.settle_batches();
    }
    read_selected_job(model)
}

/// Selects a batch of a job.
pub(crate) fn go_to_batch(model: &mut Model, job: JobId, id: BatchId) -> Vec<Command> {
    let commands = go_to_job(model, job);
    if !model.batch_rows.contains(&id) {
        model.shown_batches.filter = Filter::default();
        model.settle_batches();
    }
    if let Some(index) = model.batch_rows.iter().position(|row| *row == id) {
        let visible = model.visible(Panel::Batches);
        model.batches.choose(&model.batch_rows, index, visible);
    }
    commands
}

/// Selects a node, whatever the filter hides.
pub(crate) fn go_to_node(model: &mut Model, address: &str) {
    let has = |row: &NodeRow| row.address == address;
    if !model.node_rows.iter().any(has) {
        model.shown_nodes.filter = Filter::default();
        model.settle_nodes();
    }
    if let Some(index) = model.node_rows.iter().position(has) {
        let visible = model.visible(Panel::Nodes);
        model.nodes.choose(&model.node_rows, index, visible);
    }
}

pub(crate) fn focus(model: &mut Model, panel: Panel) {
    model.focus = panel;
    model.settle_all();
}

pub(crate) fn move_selection(model: &mut Model, action: Action) -> Vec<Command> {
    let visible = model.visible(model.focus);
    let page = isize::try_from(visible.max(2) - 1).unwrap_or(isize::MAX);
    let steps = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::Top => isize::MIN,
        _ => isize::MAX,
    };
    match model.focus {
        Panel::Jobs => {
            model.jobs.move_by(&model.job_rows, steps, visible);
            model.batches = Cursor::default();
            model.settle_batches();
            return read_selected_job(model);
        }
        Panel::Nodes => model.nodes.move_by(&model.node_rows, steps, visible),
        Panel::Batches => model.batches.move_by(&model.batch_rows, steps, visible),
        Panel::Events => {
            let most = model.farm.notes.len().saturating_sub(visible);
            model.events_back = model
                .events_back
                .saturating_add_signed(steps.saturating_neg())
                .min(most);
        }
    }
    Vec::new()
}

fn open(model: &mut Model) -> Vec<Command> {
    if let Err(reason) = availability(model, Action::Open) {
        model.say(Tone::Plain, reason);
        return Vec::new();
    }
    match model.focus {
        Panel::Jobs => match model.jobs.selected().copied() {
            Some(job) => super::job::open(model, job),
            None => Vec::new(),
        },
        Panel::Batches => match model.selected_batch().map(|batch| (batch.job, batch.id)) {
            Some((job, batch)) => super::job::open_at(model, job, Some(batch)),
            None => Vec::new(),
        },
        Panel::Nodes => match model.nodes.selected().map(|row| row.address.clone()) {
            Some(address) => super::node_screen::open(model, address),
            None => Vec::new(),
        },
        Panel::Events => {
            let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
            let note = model.farm.notes.get(newest);
            let details = note.map(|note| Details::of_note(note, &model.zone));
            model.screens.extend(details.map(Screen::Details));
            Vec::new()
        }
    }
}
