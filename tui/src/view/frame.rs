//! One frame of the screen.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::{Look, details, farm, footer, form, help, job, log, node, overlay, palette, preview, why};
use crate::app::{MIN_SIZE, Model, Screen};

/// Draws the model.
pub(crate) fn draw(model: &Model, look: Look, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    let cursor = paint(model, look, area, buffer);
    if let Some(position) = cursor {
        frame.set_cursor_position(position);
    }
}

/// Draws into a buffer, as the terminal can show it; returns where the cursor stands.
pub(crate) fn paint(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let cursor = draw_screen(model, look, area, buffer);
    look.finish(buffer);
    cursor
}

fn draw_screen(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.width < MIN_SIZE.width || area.height < MIN_SIZE.height {
        too_small(area, buffer);
        return None;
    }
    let cursor = match model.screen() {
        Screen::Farm => {
            farm::draw(model, look, area, buffer);
            None
        }
        Screen::Submit => form::draw(model, look, area, buffer),
        Screen::Job(screen) => {
            job::draw(model, screen, look, area, buffer);
            None
        }
        Screen::Node(screen) => {
            node::draw(model, screen, look, area, buffer);
            None
        }
        Screen::Why(page) => {
            why::draw(page, look, area, buffer);
            None
        }
        Screen::Details(page) => {
            details::draw(model, page, look, area, buffer);
            None
        }
        Screen::Log(page) => log::draw(model, page, look, area, buffer),
        Screen::Preview(page) => {
            preview::draw(model, page, look, area, buffer);
            None
        }
        Screen::Help(page) => {
            help::draw(model, page, look, area, buffer);
            None
        }
    };
    footer::draw(model, look, area, buffer);
    palette::draw_continuations(model, look, area, buffer);
    let over = overlay::draw(model, look, area, buffer);
    if model.overlay.is_some() { over } else { cursor }
}

fn too_small(area: Rect, buffer: &mut Buffer) {
    let lines = [
        "Farmhand: too small".to_owned(),
        format!("now {}x{}", area.width, area.height),
        format!("needs {}x{}", MIN_SIZE.width, MIN_SIZE.height),
        "the farm goes on".to_owned(),
    ];
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        Line::raw(line.as_str()).render(Rect::new(area.x, y, area.width, 1), buffer);
    }
}

/// A panel's frame; what is inside it is returned.
pub(crate) fn panel(
    title: Line<'static>,
    bottom: Option<String>,
    focused: bool,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let mut block = Block::bordered()
        .border_type(if focused {
            BorderType::Thick
        } else {
            BorderType::Plain
        })
        .border_style(look.border(focused))
        .title(title);
    if let Some(bottom) = bottom {
        block = block.title_bottom(Line::styled(bottom, look.faint()).right_aligned());
    }
    let inside = block.inner(area);
    Clear.render(area, buffer);
    block.render(area, buffer);
    inside
}

/// One line of `area`, counted from its top; nothing below its end.
pub(crate) fn line_of(area: Rect, index: usize) -> Option<Rect> {
    let y = area.y.checked_add(u16::try_from(index).ok()?)?;
    (y < area.bottom()).then_some(Rect { y, height: 1, ..area })
}
