//! The farm's diary.

use farmhand_protocol::farm::Note;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::farm::title;
use super::frame::{line_of, panel};
use super::text::cut;
use super::{Look, state};
use crate::app::{Model, Panel};

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let focused = model.focus == Panel::Events;
    let more = match (model.events_back, model.farm.notes_dropped) {
        (0, 0) => "follow".to_owned(),
        (0, dropped) => format!("follow, {dropped} oldest dropped"),
        (back, 0) => format!("{back} newer below"),
        (back, dropped) => format!("{back} newer below, {dropped} oldest dropped"),
    };
    let heading = title(Panel::Events, "Events", &more, focused, look);
    let inside = panel(heading, None, focused, look, area, buffer);
    if model.farm.notes.is_empty() {
        Line::styled("  nothing has happened yet", look.faint()).render(inside, buffer);
        return;
    }
    let height = usize::from(inside.height);
    let end = model.farm.notes.len().saturating_sub(model.events_back);
    let start = end.saturating_sub(height);
    // Newest first, as in the rest of the screen: what matters is next to the title.
    for (index, note) in model.farm.notes.range(start..end).rev().enumerate() {
        if let Some(place) = line_of(inside, index) {
            line(note, model, look, inside.width.into()).render(place, buffer);
        }
    }
}

/// The newest line alone.
pub(crate) fn draw_newest(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(note) = model.farm.notes.back() else {
        return;
    };
    let label = " [4] events ";
    let width = usize::from(area.width).saturating_sub(label.len());
    let mut newest = line(note, model, look, width);
    newest
        .spans
        .push(Span::raw(" ".repeat(width.saturating_sub(newest.width()))));
    newest.spans.push(Span::styled(label, look.faint()));
    newest.render(area, buffer);
}

fn line(note: &Note, model: &Model, look: Look, width: usize) -> Line<'static> {
    let at = note
        .at
        .to_zoned_datetime(model.zone.clone())
        .strftime("%H:%M:%S")
        .to_string();
    let shown = state::weight(note.weight, look);
    let text = cut(&note.text, width.saturating_sub(13));
    Line::from(vec![
        Span::styled(format!(" {at} "), look.faint()),
        Span::styled(format!("{} ", shown.mark), shown.style),
        Span::styled(text, shown.style),
    ])
}
