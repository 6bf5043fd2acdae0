//! The help page.

use super::scroll::scrolled;
use super::{Action, Command, Context, Model, Screen, search};

/// The page as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Help {
    /// Whose keys it shows.
    pub(crate) context: Context,
    pub(crate) scroll: usize,
    /// Only lines with these words.
    pub(crate) search: String,
}

/// Opens the help of the screen that is shown.
pub(crate) fn open(model: &mut Model) -> Vec<Command> {
    let context = model.context();
    model.screens.push(Screen::Help(Help {
        context,
        scroll: 0,
        search: String::new(),
    }));
    Vec::new()
}

pub(crate) fn on_help(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(4)).max(1);
    if action == Action::Search {
        return search::begin(model);
    }
    if action == Action::Back {
        model.screens.pop();
    } else {
        let most = crate::view::help_lines(model).saturating_sub(page);
        if let Some(Screen::Help(help)) = model.screens.last_mut() {
            help.scroll = scrolled(help.scroll, action, page).min(most);
        }
    }
    Vec::new()
}
