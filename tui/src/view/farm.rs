//! The farm screen: jobs, nodes, batches and events at once.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::{Look, batches, events, header, jobs, nodes};
use crate::app::{Link, Model, Panel, Shown, Sort, SortColumn};

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(layout) = model.layout() else { return };
    header::draw(model, look, layout.header.intersection(area), buffer);
    if !layout.jobs.is_empty() {
        jobs::draw(model, look, layout.jobs.intersection(area), buffer);
    }
    if !layout.nodes.is_empty() {
        nodes::draw(model, look, layout.nodes.intersection(area), buffer);
    }
    if let Some(place) = layout.batches {
        batches::draw(model, look, place.intersection(area), buffer);
    }
    if let Some(place) = layout.events {
        events::draw(model, look, place.intersection(area), buffer);
    }
    if let Some(place) = layout.event_line {
        events::draw_newest(model, look, place.intersection(area), buffer);
    }
    if matches!(model.link, Link::Lost { .. }) {
        // What is shown may be old; its shapes stay readable.
        let panels = [
            Some(layout.jobs),
            Some(layout.nodes),
            layout.batches,
            layout.events,
        ];
        for place in panels.into_iter().flatten() {
            buffer.set_style(place.intersection(area), Style::new().add_modifier(Modifier::DIM));
        }
    }
}

/// A panel's title: its number, its name, and what else there is to say.
pub(crate) fn title(panel: Panel, name: &str, more: &str, focused: bool, look: Look) -> Line<'static> {
    let name_style = if focused { look.key() } else { look.strong() };
    Line::from(vec![
        Span::styled(format!(" [{}] ", panel.number()), look.faint()),
        Span::styled(name.to_owned(), name_style),
        Span::styled(format!(" {more}"), look.faint()),
        Span::raw(if more.is_empty() { "" } else { " " }),
    ])
}

/// `Jobs (3 of 5)` and `/status:failed  sort priority ▼` for a title.
pub(crate) fn table_words<C: SortColumn>(
    name: &str,
    shown: &Shown<C>,
    rows: usize,
    all: usize,
) -> (String, String) {
    let filter = shown.filter.text();
    if filter.is_empty() {
        return (format!("{name} ({all})"), sorted_by(shown.sort));
    }
    let trouble = shown.filter.trouble().map(|trouble| format!(" ({trouble})"));
    (
        format!("{name} ({rows} of {all})"),
        format!(
            "/{filter}{}  {}",
            trouble.unwrap_or_default(),
            sorted_by(shown.sort)
        ),
    )
}

fn sorted_by<C: SortColumn>(sort: Sort<C>) -> String {
    format!(
        "sort {} {}",
        sort.column.word(),
        if sort.falls() { "▼" } else { "▲" }
    )
}

/// `2 of 25` for a table's lower border.
pub(crate) fn place_in(index: usize, count: usize) -> Option<String> {
    (count > 0).then(|| format!(" {} of {count} ", index + 1))
}
