//! A page of text about one thing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::cut;
use super::text::wrap;
use crate::app::{Details, Model};

pub(crate) fn draw(_model: &Model, page: &Details, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = Line::styled(
        format!(" {} ", cut(&page.title, area.width.saturating_sub(6).into())),
        look.key(),
    );
    let bottom = format!(" line {} of {} ", page.scroll + 1, page.lines.len());
    let inside = panel(title, Some(bottom), true, look, place, buffer);
    let width = usize::from(inside.width).saturating_sub(2);
    let lines = page
        .lines
        .iter()
        .skip(page.scroll)
        .flat_map(|line| wrap(line, width));
    for (index, line) in lines.enumerate() {
        let Some(place) = line_of(inside, index) else {
            break;
        };
        let style = if line.starts_with("failed attempts") || line.starts_with("the log's end") {
            look.strong()
        } else {
            look.plain()
        };
        Line::styled(format!(" {}", cut(&line, width)), style).render(place, buffer);
    }
}
