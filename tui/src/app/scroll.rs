//! Scrolling through a page of text.

use super::Action;

/// The first line shown after an action; the caller knows the last.
pub(crate) fn scrolled(scroll: usize, action: Action, page: usize) -> usize {
    match action {
        Action::Up => scroll.saturating_sub(1),
        Action::Down => scroll + 1,
        Action::PageUp => scroll.saturating_sub(page),
        Action::PageDown => scroll + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => scroll,
    }
}
