//! The job screen, drawn.

mod batches;
mod frame_line;
mod heat_map;
mod output;
#[cfg(test)]
mod snapshots;
mod times;
mod title;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::Look;
use crate::app::{JobLayout, JobScreen, Link, Model};

pub(crate) fn draw(model: &Model, screen: &JobScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(layout) = JobLayout::of(model.size, screen) else {
        return;
    };
    title::draw(model, screen, look, layout.title.intersection(area), buffer);
    heat_map::draw(
        model,
        screen,
        layout.grid,
        look,
        layout.frames.intersection(area),
        buffer,
    );
    batches::draw(model, screen, look, layout.batches.intersection(area), buffer);
    if let Some(place) = layout.times {
        times::draw(screen, look, place.intersection(area), buffer);
    }
    output::draw(model, screen, look, layout.output.intersection(area), buffer);
    if matches!(model.link, Link::Lost { .. }) {
        let body = Rect {
            y: layout.frames.y,
            height: layout.output.bottom().saturating_sub(layout.frames.y),
            ..layout.frames
        };
        buffer.set_style(body.intersection(area), Style::new().add_modifier(Modifier::DIM));
    }
}
