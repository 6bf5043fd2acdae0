//! The submit form.

use farmhand_protocol::FrameSet;
use farmhand_protocol::farm::Existing;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, fit};
use crate::app::{Field, Model, SubmitForm};
use crate::words;

/// Columns of a field's label.
const LABEL: usize = 12;

/// Draws the form; returns where the cursor stands.
pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let form = &model.form;
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = Line::styled(" Submit a job ", look.key());
    let inside = panel(title, None, true, look, place, buffer);
    // Two lines a field where there is room: the field, and under it its error or what it stands for.
    let roomy = usize::from(inside.height) >= Field::ALL.len() * 2 + 4;
    let mut y = 0;
    let mut cursor = None;
    for field in Field::ALL {
        let focused = form.focus == field;
        if let Some(place) = line_of(inside, y) {
            let at = draw_field(form, field, look, place, buffer);
            cursor = cursor.or(at.filter(|_| focused));
        }
        y += 1;
        let under = under_line(form, field, look);
        if roomy || (focused && under.is_some()) {
            if let (Some((text, style)), Some(place)) = (under, line_of(inside, y)) {
                let width = usize::from(inside.width).saturating_sub(LABEL + 2);
                let text = format!("{}{}", " ".repeat(LABEL + 1), cut(&text, width));
                Line::styled(text, style).render(place, buffer);
            }
            y += 1;
        }
    }
    if let Some(place) = line_of(inside, y) {
        status(form, look).render(place, buffer);
    }
    draw_hits(form, look, inside, y + 1, buffer);
    cursor
}

fn draw_field(
    form: &SubmitForm,
    field: Field,
    look: Look,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let focused = form.focus == field;
    let width = usize::from(place.width).saturating_sub(LABEL + 5);
    let label_style = if focused { look.key() } else { look.plain() };
    let mark = if focused { "▶" } else { " " };
    let mut spans = vec![Span::styled(
        format!("{mark} {}", fit(field.label(), LABEL - 2, false)),
        label_style,
    )];
    if field == Field::Existing {
        for (one, word) in EXISTING {
            let style = if one == form.existing {
                look.selected()
            } else {
                look.faint()
            };
            let word = if one == form.existing {
                format!("[{word}]")
            } else {
                format!(" {word} ")
            };
            spans.push(Span::styled(word, style));
            spans.push(Span::raw(" "));
        }
        Line::from(spans).render(place, buffer);
        return None;
    }
    let input = form.input(field);
    let scroll = input.visual_scroll(width.saturating_sub(1));
    let shown: String = input.value().chars().skip(scroll).collect();
    let error = form.error(field).is_some();
    spans.push(Span::styled("[", look.faint()));
    spans.push(Span::styled(
        fit(&shown, width, false),
        if error { look.bad() } else { look.plain() },
    ));
    spans.push(Span::styled("]", look.faint()));
    Line::from(spans).render(place, buffer);
    let column = LABEL
        + 1
        + input
            .visual_cursor()
            .saturating_sub(scroll)
            .min(width.saturating_sub(1));
    Some(Position::new(
        place.x + u16::try_from(column).unwrap_or(0),
        place.y,
    ))
}

const EXISTING: [(Existing, &str); 4] = [
    (Existing::Skip, "skip"),
    (Existing::Overwrite, "overwrite"),
    (Existing::New, "new folder"),
    (Existing::Refuse, "refuse"),
];

fn under_line(form: &SubmitForm, field: Field, look: Look) -> Option<(String, ratatui::style::Style)> {
    if let Some(error) = form.error(field) {
        return Some((format!("✗ {error}"), look.bad()));
    }
    if field == Field::Frames
        && let Ok(frames) = form.text(Field::Frames).parse::<FrameSet>()
    {
        let from_file = matches!(&form.own_range, Some(Ok(Some(range))) if *range == frames);
        let from_file = if from_file { ", the file's own range" } else { "" };
        return Some((format!("{}{from_file}", words::frames(frames.len())), look.good()));
    }
    (form.focus == field).then(|| (field.hint().to_owned(), look.faint()))
}

fn status(form: &SubmitForm, look: Look) -> Line<'static> {
    match (&form.sending, &form.refusal) {
        (Some(doing), _) => Line::styled(format!("  … {doing}"), look.active()),
        (None, Some(refusal)) => Line::styled(format!("  ✗ {refusal}"), look.bad()),
        (None, None) => Line::raw(""),
    }
}

fn draw_hits(form: &SubmitForm, look: Look, inside: Rect, from: usize, buffer: &mut Buffer) {
    if !form.focus.is_path() {
        return;
    }
    let room = usize::from(inside.height).saturating_sub(from);
    let first = (form.marked + 1).saturating_sub(room);
    for (index, hit) in form.hits.iter().enumerate().skip(first) {
        let Some(place) = line_of(inside, from + index - first) else {
            break;
        };
        let size = hit.size.map(words::bytes).unwrap_or_default();
        let width = usize::from(inside.width).saturating_sub(LABEL + 14);
        let text = format!(
            "{}{} {}",
            " ".repeat(LABEL + 1),
            fit(&hit.path, width, false),
            fit(&size, 11, true)
        );
        let style = if index == form.marked {
            look.selected()
        } else {
            look.faint()
        };
        Line::styled(text, style).render(place, buffer);
    }
}
