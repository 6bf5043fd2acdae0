//! The line in which a filter is typed. It is applied with every letter.

use crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::farm_screen::move_selection;
use super::live::read_selected_job;
use super::rows::{BATCH_FIELDS, JOB_FIELDS, NODE_FIELDS};
use super::{Action, Command, Filter, Model, Overlay, Panel, Screen, Tone};

/// What is being typed.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) input: Input,
}

/// Begins to type a filter for what is shown.
pub(crate) fn begin(model: &mut Model) -> Vec<Command> {
    let text = match model.screen() {
        Screen::Help(help) => help.search.clone(),
        Screen::Farm => match model.focus {
            Panel::Jobs => model.shown_jobs.filter.text().to_owned(),
            Panel::Nodes => model.shown_nodes.filter.text().to_owned(),
            Panel::Batches => model.shown_batches.filter.text().to_owned(),
            Panel::Events => {
                model.say(Tone::Plain, "events have no filter: it is for the panels 1 to 3");
                return Vec::new();
            }
        },
        _ => return Vec::new(),
    };
    model.overlay = Some(Overlay::Search(Search {
        input: Input::new(text),
    }));
    Vec::new()
}

pub(crate) fn on_search(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Send => model.overlay = None,
        Action::Back => {
            model.overlay = None;
            return apply(model, "");
        }
        Action::Up | Action::Down if *model.screen() == Screen::Farm => return move_selection(model, action),
        _ => {}
    }
    Vec::new()
}

pub(crate) fn type_in_search(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let Some(Overlay::Search(search)) = &mut model.overlay else {
        return Vec::new();
    };
    search.input.handle_event(&Event::Key(key));
    let text = search.input.value().to_owned();
    apply(model, &text)
}

/// Filters what is shown.
pub(crate) fn apply(model: &mut Model, text: &str) -> Vec<Command> {
    if let Some(Screen::Help(help)) = model.screens.last_mut() {
        text.clone_into(&mut help.search);
        help.scroll = 0;
        return Vec::new();
    }
    match model.focus {
        Panel::Jobs => {
            model.shown_jobs.filter = Filter::parse(text, JOB_FIELDS);
            model.settle_jobs();
        }
        Panel::Nodes => {
            model.shown_nodes.filter = Filter::parse(text, NODE_FIELDS);
            model.settle_nodes();
        }
        Panel::Batches => {
            model.shown_batches.filter = Filter::parse(text, BATCH_FIELDS);
            model.settle_batches();
        }
        Panel::Events => {}
    }
    read_selected_job(model)
}

/// Whether the focused table hides rows.
pub(crate) fn is_filtered(model: &Model) -> bool {
    match model.focus {
        Panel::Jobs => !model.shown_jobs.filter.text().is_empty(),
        Panel::Nodes => !model.shown_nodes.filter.text().is_empty(),
        Panel::Batches => !model.shown_batches.filter.text().is_empty(),
        Panel::Events => false,
    }
}
