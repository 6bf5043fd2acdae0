//! The submit form.

use farmhand_protocol::FrameSet;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, fit, wrap};
use crate::app::{Field, Model, SubmitForm, dry_run};
use crate::words;

/// Columns of a field's label.
const LABEL: usize = 12;

/// Columns of the panel with what the file says.
const FILE: u16 = 40;

/// One line of the form.
enum Row {
    Field(Field),
    /// Under a field: what is wrong with it, or what it stands for.
    Under(String, Style),
    /// What the job will be, or became of it.
    Status(String, Style),
}

/// Draws the form; returns where the cursor stands.
pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let form = &model.form;
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let file = facts(form, look);
    let beside = area.width >= 96 && !file.is_empty();
    let left = Rect {
        width: place.width - if beside { FILE } else { 0 },
        ..place
    };
    let title = Line::styled(" Submit a job ", look.key());
    let inside = panel(title, None, true, look, left, buffer);
    let rows = rows(model, look, inside);
    let focused = |row: &Row| matches!(row, Row::Field(field) if *field == form.focus);
    let focus = rows.iter().position(focused).unwrap_or(0);
    // The line under the focused field is to be seen too.
    let height = usize::from(inside.height);
    let first = (focus + 2)
        .saturating_sub(height)
        .min(rows.len().saturating_sub(height));
    let mut cursor = None;
    for (index, row) in rows.iter().skip(first).enumerate() {
        let Some(place) = line_of(inside, index) else {
            break;
        };
        match row {
            Row::Field(field) => {
                let at = draw_field(form, *field, look, place, buffer);
                cursor = cursor.or(at.filter(|_| *field == form.focus));
            }
            Row::Under(text, style) => {
                let width = usize::from(inside.width).saturating_sub(LABEL + 2);
                let text = format!("{}{}", " ".repeat(LABEL + 1), cut(text, width));
                Line::styled(text, *style).render(place, buffer);
            }
            Row::Status(text, style) => Line::styled(format!("  {text}"), *style).render(place, buffer),
        }
    }
    let used = rows.len() - first;
    if form.focus.is_path() && !form.hits.is_empty() {
        draw_hits(form, look, inside, used.min(height.saturating_sub(4)), buffer);
    } else if !beside {
        draw_facts(&file, inside, used, buffer);
    }
    if beside {
        let right = Rect {
            x: left.right(),
            width: FILE,
            ..place
        };
        let inside = panel(
            Line::styled(" the file says ", look.key()),
            None,
            false,
            look,
            right,
            buffer,
        );
        draw_facts(&file, inside, 0, buffer);
    }
    cursor
}

/// The lines of the form. Two for a field where there is room, else under the focused one and what is wrong.
fn rows(model: &Model, look: Look, inside: Rect) -> Vec<Row> {
    let form = &model.form;
    let width = usize::from(inside.width);
    let shown = form.shown();
    let roomy = usize::from(inside.height) >= shown.len() * 2 + 5;
    let mut rows = Vec::new();
    for field in &shown {
        let field = *field;
        rows.push(Row::Field(field));
        let under = under_line(form, field, look);
        let is_wrong = form.error(field).is_some();
        match under {
            Some((text, style)) if roomy || is_wrong || field == form.focus => {
                rows.push(Row::Under(text, style));
            }
            _ if roomy => rows.push(Row::Under(String::new(), look.plain())),
            _ => {}
        }
    }
    let folded = Field::ALL.into_iter().filter(|field| !shown.contains(field));
    let folded: Vec<&str> = folded.map(Field::label).collect();
    if !folded.is_empty() {
        let text = format!("further down: {}", folded.join(", "));
        let lines = wrap(&text, width.saturating_sub(LABEL + 2));
        rows.extend(lines.into_iter().map(|line| Row::Under(line, look.faint())));
    }
    if let Some((text, style)) = status(model, look) {
        let lines = wrap(&text, width.saturating_sub(3));
        rows.extend(lines.into_iter().map(|line| Row::Status(line, style)));
    }
    rows
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
    let choices = field.choices();
    if !choices.is_empty() {
        let room = usize::from(place.width).saturating_sub(LABEL + 2);
        let chosen = form.chosen(field);
        let first = first_choice(&choices, chosen, room);
        if first > 0 {
            spans.push(Span::styled("… ", look.faint()));
        }
        for (index, word) in choices.into_iter().enumerate().skip(first) {
            if index == chosen {
                spans.push(Span::styled(format!("[{word}]"), look.selected()));
            } else {
                spans.push(Span::styled(format!(" {word} "), look.faint()));
            }
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

/// The first choice that is shown: the chosen one is to be seen whole, with the next where there is room.
fn first_choice(choices: &[&str], chosen: usize, room: usize) -> usize {
    let width = |from: usize, to: usize| -> usize {
        let dots = if from > 0 { 2 } else { 0 };
        choices[from..=to]
            .iter()
            .map(|word| word.len() + 3)
            .sum::<usize>()
            + dots
    };
    let last = (chosen + 1).min(choices.len() - 1);
    (0..chosen)
        .find(|from| width(*from, last) <= room)
        .unwrap_or(chosen)
}

fn under_line(form: &SubmitForm, field: Field, look: Look) -> Option<(String, Style)> {
    if let Some(error) = form.error(field) {
        return Some((format!("✗ {error}"), look.bad()));
    }
    if field == Field::Frames
        && let Ok(frames) = form.text(Field::Frames).parse::<FrameSet>()
    {
        let from_file = form.own_range() == Some(&frames);
        let from_file = if from_file { ", the file's own range" } else { "" };
        return Some((format!("{}{from_file}", words::frames(frames.len())), look.good()));
    }
    if field == Field::Missing
        && let Some(Ok(file)) = &form.file
        && !file.missing.is_empty()
    {
        let count = words::count(file.missing.len(), "file");
        return Some((format!("! {count} missing: {}", file.missing[0]), look.warn()));
    }
    (form.focus == field).then(|| (field.hint().to_owned(), look.faint()))
}

fn status(model: &Model, look: Look) -> Option<(String, Style)> {
    let form = &model.form;
    match (&form.sending, &form.refusal) {
        (Some(doing), _) => Some((format!("… {doing}"), look.active())),
        (None, Some(refusal)) => Some((format!("✗ {refusal}"), look.bad())),
        (None, None) => dry_run(model).map(|text| (text, look.active())),
    }
}

/// What the file says, and which of its files are missing.
fn facts(form: &SubmitForm, look: Look) -> Vec<(String, Style)> {
    let Some(Ok(file)) = &form.file else {
        return Vec::new();
    };
    let plain = file
        .facts
        .iter()
        .map(|(label, text)| (format!("{} {text}", fit(label, LABEL - 2, false)), look.plain()));
    let missing = file.missing.iter().enumerate().map(|(index, path)| {
        let label = if index == 0 { "missing" } else { "" };
        (format!("{} {path}", fit(label, LABEL - 2, false)), look.bad())
    });
    let warnings = file
        .warnings
        .iter()
        .map(|text| (format!("! {text}"), look.warn()));
    // What may go wrong before what is merely good to know.
    missing.chain(warnings).chain(plain).collect()
}

fn draw_facts(facts: &[(String, Style)], inside: Rect, from: usize, buffer: &mut Buffer) {
    let width = usize::from(inside.width).saturating_sub(2);
    let lines = facts.iter().flat_map(|(text, style)| {
        let lines = wrap(text, width);
        lines.into_iter().take(2).map(|line| (line, *style))
    });
    for (index, (text, style)) in lines.enumerate() {
        let Some(place) = line_of(inside, from + index) else {
            break;
        };
        Line::styled(format!("  {}", cut(&text, width)), style).render(place, buffer);
    }
}

fn draw_hits(form: &SubmitForm, look: Look, inside: Rect, from: usize, buffer: &mut Buffer) {
    let room = usize::from(inside.height).saturating_sub(from);
    let first = (form.marked + 1).saturating_sub(room);
    for (index, hit) in form.hits.iter().enumerate().skip(first) {
        let Some(place) = line_of(inside, from + index - first) else {
            break;
        };
        ratatui::widgets::Clear.render(place, buffer);
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
