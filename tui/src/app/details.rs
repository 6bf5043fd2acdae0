//! A line of the diary in full, as text to scroll through.

use farmhand_protocol::farm::Note;
use jiff::tz::TimeZone;

use super::scroll::scrolled;
use super::{Action, Command, Model, Screen, clipboard};

/// A page about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) scroll: usize,
}

impl Details {
    pub(crate) fn of_note(note: &Note, zone: &TimeZone) -> Self {
        let at = note
            .at
            .to_zoned_datetime(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string();
        let mut lines = vec![at, String::new()];
        lines.extend(note.text.lines().map(str::to_owned));
        if let Some(job) = note.job {
            lines.push(format!("job  {job}"));
        }
        Self {
            title: "Event".to_owned(),
            lines,
            scroll: 0,
        }
    }
}

pub(crate) fn on_details(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(5)).max(1);
    match action {
        Action::Back => {
            model.screens.pop();
        }
        Action::Copy => return clipboard::copy_selected(model),
        _ => {
            if let Some(Screen::Details(details)) = model.screens.last_mut() {
                let most = details.lines.len().saturating_sub(page);
                details.scroll = scrolled(details.scroll, action, page).min(most);
            }
        }
    }
    Vec::new()
}
