//! Questions and prompts over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::frame::{line_of, panel};
use super::text::{cut, wrap};
use super::{Look, palette};
use crate::app::{Dialog, Model, Overlay, Prompt};

/// Draws what lies over the screen; returns where the cursor stands.
pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match model.overlay.as_ref()? {
        Overlay::Dialog(dialog) => {
            draw_dialog(dialog, look, area, buffer);
            None
        }
        Overlay::Prompt(prompt) => draw_prompt(prompt, look, area, buffer),
        Overlay::Palette(palette) => palette::draw(palette, look, area, buffer),
        // It is drawn in the message line.
        Overlay::Search(_) => None,
    }
}

fn draw_dialog(dialog: &Dialog, look: Look, area: Rect, buffer: &mut Buffer) {
    let buttons_width: usize = dialog.buttons.iter().map(|button| button.label.width() + 9).sum();
    let text_width = dialog.lines.iter().map(|line| line.width()).max().unwrap_or(0);
    let width = text_width
        .max(buttons_width)
        .max(dialog.title.width())
        .min(usize::from(area.width) - 6);
    let lines: Vec<String> = dialog.lines.iter().flat_map(|line| wrap(line, width)).collect();
    let place = centred(
        area,
        width + 4,
        lines.len() + 5 + usize::from(dialog.typed.is_some()),
    );
    let title = Line::styled(format!(" {} ", cut(&dialog.title, width)), look.strong());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in lines.iter().enumerate() {
        if let Some(place) = line_of(inside, index + 1) {
            Line::raw(format!(" {line}")).render(place, buffer);
        }
    }
    if let Some((_, typed)) = &dialog.typed
        && let Some(place) = line_of(inside, lines.len() + 1)
    {
        Line::from(vec![
            Span::styled(" > ", look.key()),
            Span::raw(typed.clone()),
            Span::raw("▏"),
        ])
        .render(place, buffer);
    }
    let mut spans = vec![Span::raw(" ")];
    for (index, button) in dialog.buttons.iter().enumerate() {
        let style = if index == dialog.focus {
            look.selected()
        } else {
            look.plain()
        };
        let mark = if index == dialog.focus { "▶" } else { " " };
        spans.push(Span::styled(
            format!("[{mark}{} ({})]", button.label, button.key),
            style,
        ));
        spans.push(Span::raw("  "));
    }
    if let Some(place) = line_of(inside, usize::from(inside.height).saturating_sub(1)) {
        Line::from(spans).render(place, buffer);
    }
}

fn draw_prompt(prompt: &Prompt, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let width = 72.min(usize::from(area.width) - 6);
    let hint: Vec<String> = prompt.hint.iter().flat_map(|line| wrap(line, width)).collect();
    let place = centred(area, width + 4, hint.len() + 6);
    let title = Line::styled(format!(" {} ", prompt.title), look.strong());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in hint.iter().enumerate() {
        if let Some(place) = line_of(inside, index) {
            Line::styled(format!(" {line}"), look.faint()).render(place, buffer);
        }
    }
    let typed = line_of(inside, hint.len() + 1)?;
    let scroll = prompt.input.visual_scroll(width.saturating_sub(3));
    let shown: String = prompt.input.value().chars().skip(scroll).collect();
    Line::raw(format!(" > {shown}")).render(typed, buffer);
    if let (Some(error), Some(place)) = (&prompt.error, line_of(inside, hint.len() + 2)) {
        Line::styled(format!("   {}", cut(error, width)), look.bad()).render(place, buffer);
    }
    let column = prompt.input.visual_cursor().saturating_sub(scroll) + 3;
    let x = typed.x.saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
    Some(Position::new(x.min(typed.right().saturating_sub(1)), typed.y))
}

/// A box of this size in the middle, as far as it fits.
pub(crate) fn centred(area: Rect, width: usize, height: usize) -> Rect {
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(height)
        .unwrap_or(u16::MAX)
        .min(area.height.saturating_sub(2));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}
