//! The farm screen: moving between its panels and within them.

use super::help::Help;
use super::live::read_selected_job;
use super::{
    Action, Command, Cursor, Details, Dialog, Leave, Model, Overlay, Panel, Prompt, Screen, Stage, Tone, act,
    availability, submit,
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
        Action::Submit => {
            model.screens.push(Screen::Submit);
            return submit::list_paths(model);
        }
        Action::AddNode => model.overlay = Some(Overlay::Prompt(Prompt::add_node())),
        Action::Help => model.screens.push(Screen::Help(Help::default())),
        Action::Quit => {
            let unfinished = model
                .farm
                .jobs
                .values()
                .filter(|job| !job.state.has_ended())
                .count();
            if model.stage == Stage::Hosting && model.farm.has_unfinished_jobs() {
                model.overlay = Some(Overlay::Dialog(Dialog::quit(unfinished)));
            } else {
                return vec![Command::Quit(Leave::Stopped)];
            }
        }
        _ => return act::act(model, action),
    }
    Vec::new()
}

fn focus(model: &mut Model, panel: Panel) {
    model.focus = panel;
    model.settle_all();
}

fn move_selection(model: &mut Model, action: Action) -> Vec<Command> {
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
    let (details, commands) = match model.focus {
        Panel::Jobs => {
            let Some(job) = model.jobs.selected().copied() else {
                return Vec::new();
            };
            (Some(Details::awaiting(job)), vec![Command::LoadJob { job }])
        }
        Panel::Nodes => (model.selected_node().map(Details::of_node), Vec::new()),
        Panel::Batches => (model.selected_batch().map(Details::of_batch), Vec::new()),
        Panel::Events => {
            let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
            let note = model.farm.notes.get(newest);
            (note.map(|note| Details::of_note(note, &model.zone)), Vec::new())
        }
    };
    model.screens.extend(details.map(Screen::Details));
    commands
}
