//! The palette, and the list of keys that may follow a prefix.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, fit};
use crate::app::{Model, Palette};

/// Draws the palette; returns where the cursor stands.
pub(crate) fn draw(palette: &Palette, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let place = Rect {
        x: area.x + area.width / 20,
        y: area.y + 1,
        width: area.width - area.width / 10,
        height: area.height.saturating_sub(4).min(22),
    };
    let title = Line::styled(" Do or go to ", look.strong());
    let bottom = format!(" {} found ", palette.count());
    let inside = panel(title, Some(bottom), true, look, place, buffer);
    let width = usize::from(inside.width);
    let typed = line_of(inside, 0)?;
    Line::from(vec![
        Span::styled(" : ", look.key()),
        Span::raw(cut(palette.input.value(), width - 4)),
    ])
    .render(typed, buffer);
    let rows = usize::from(inside.height).saturating_sub(1).max(1);
    let first = (palette.marked + 1).saturating_sub(rows);
    let name_width = (width * 45 / 100).clamp(20, 44);
    for (line, (index, entry)) in (1..).zip(palette.hits().enumerate().skip(first)) {
        let Some(place) = line_of(inside, line) else { break };
        let marked = index == palette.marked;
        let about = entry.refused.as_deref().unwrap_or(&entry.about);
        let about_width = width.saturating_sub(name_width + 15);
        let (name, rest) = match (&entry.refused, marked) {
            (_, true) => (look.selected(), look.selected()),
            (Some(_), false) => (look.faint(), look.faint()),
            (None, false) => (look.plain(), look.faint()),
        };
        let key = if marked { look.selected() } else { look.key() };
        Line::from(vec![
            Span::styled(if marked { "▶ " } else { "  " }, name),
            Span::styled(fit(&entry.name, name_width, false), name),
            Span::styled(format!(" {} ", fit(&entry.key, 10, false)), key),
            Span::styled(fit(about, about_width, false), rest),
        ])
        .render(place, buffer);
    }
    let column = u16::try_from(palette.input.visual_cursor() + 3).unwrap_or(u16::MAX);
    Some(Position::new(
        typed
            .x
            .saturating_add(column)
            .min(typed.right().saturating_sub(1)),
        typed.y,
    ))
}

/// What may follow the keys typed so far, once they have waited a moment.
pub(crate) fn draw_continuations(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(typed) = model.typed.as_ref().filter(|typed| typed.hint_at() <= model.now) else {
        return;
    };
    let lines: Vec<(String, &str)> = model
        .keys
        .continuations(model.context(), &typed.keys)
        .into_iter()
        .map(|(rest, binding)| (rest, binding.help))
        .collect();
    let widest = lines.iter().map(|(_, help)| help.width()).max().unwrap_or(0);
    let width = (widest + 10).min(area.width.into());
    let height = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let place = Rect {
        x: area.right() - u16::try_from(width).unwrap_or(area.width),
        y: area.bottom().saturating_sub(height + 2).max(area.y),
        width: u16::try_from(width).unwrap_or(area.width),
        height,
    };
    let keys: Vec<String> = typed.keys.iter().map(ToString::to_string).collect();
    let title = Line::styled(format!(" {} ... ", keys.join(" ")), look.strong());
    let inside = panel(title, None, true, look, place.intersection(area), buffer);
    for (index, (rest, help)) in lines.into_iter().enumerate() {
        if let Some(place) = line_of(inside, index) {
            let help = cut(help, usize::from(inside.width).saturating_sub(7));
            Line::from(vec![
                Span::styled(format!(" {} ", fit(&rest, 4, false)), look.key()),
                Span::raw(help),
            ])
            .render(place, buffer);
        }
    }
}
