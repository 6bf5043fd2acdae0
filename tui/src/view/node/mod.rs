//! The node screen, drawn.

mod facts;
mod history;
mod load;
mod slots;
#[cfg(test)]
mod snapshots;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::cut;
use super::{Look, state};
use crate::app::{Link, Model, NodeEntry, NodeScreen, Target};
use crate::words;

pub(crate) fn draw(model: &Model, screen: &NodeScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(layout) = model.node_layout(screen) else {
        return;
    };
    let Some(node) = model.farm.nodes.get(&screen.address) else {
        let gone = format!(" Nodes > {}: it is not on the farm any more", screen.address);
        Line::styled(gone, look.warn()).render(layout.title.intersection(area), buffer);
        return;
    };
    title(model, node, look, layout.title.intersection(area), buffer);
    facts::draw(model, node, look, layout.node.intersection(area), buffer);
    load::draw(node, look, layout.load.intersection(area), buffer);
    slots::draw(model, node, look, layout.now.intersection(area), buffer);
    history::draw(model, screen, look, layout.history.intersection(area), buffer);
    if matches!(model.link, Link::Lost { .. }) {
        let body = Rect {
            y: layout.node.y,
            height: layout.history.bottom().saturating_sub(layout.node.y),
            ..layout.history
        };
        buffer.set_style(body.intersection(area), Style::new().add_modifier(Modifier::DIM));
    }
}

fn title(model: &Model, node: &NodeEntry, look: Look, area: Rect, buffer: &mut Buffer) {
    let view = &node.view;
    let shown = state::node(view.state, look);
    let pending = view.id.and_then(|id| model.pending.get(&Target::Node(id)));
    let (word, style) = match pending {
        Some(pending) => (format!("… {}", pending.doing), look.warn()),
        None => (shown.text(), shown.style),
    };
    let since = view.since.to_zoned_datetime(model.zone.clone());
    let mut parts = vec![format!("since {}", since.strftime("%m-%d %H:%M"))];
    if let Some(seconds) = node.silent_seconds(model.now) {
        let ago = words::duration(std::time::Duration::from_secs(seconds));
        parts.push(format!("heard {ago} ago"));
    }
    if view.frames_per_minute > 0.0 {
        parts.push(format!("{:.1} f/min", view.frames_per_minute));
    }
    if !view.version.is_empty() {
        parts.push(format!("agent {}", view.version));
    }
    let width = usize::from(area.width);
    let mut line = Line::from(vec![
        Span::styled(" Nodes > ", look.faint()),
        Span::styled(cut(&view.name, (width / 3).max(12)), look.strong()),
        Span::raw("  "),
        Span::styled(word, style),
    ]);
    for part in parts {
        if line.width() + part.chars().count() + 2 <= width {
            line.spans.push(Span::raw(format!("  {part}")));
        }
    }
    line.render(area, buffer);
}
