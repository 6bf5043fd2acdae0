//! The help page.

use super::scroll::scrolled;
use super::{Action, Command, Model, Screen};

/// The page as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Help {
    pub(crate) scroll: usize,
}

pub(crate) fn on_help(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(4)).max(1);
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
