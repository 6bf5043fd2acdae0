//! The log screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthChar;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, wrap};
use crate::app::{Level, LogLine, LogPage, Model, Reading, number_width, text_width};

/// How many lines of the screen a wrapped text takes.
pub(crate) fn wrapped_lines(text: &str, width: usize) -> usize {
    wrap(text, width).len()
}

/// Draws the screen; returns where the cursor stands while a search is typed.
pub(crate) fn draw(
    model: &Model,
    page: &LogPage,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    title(model, page, look, Rect { height: 1, ..area }, buffer);
    let place = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(4),
        ..area
    };
    let (head, cursor) = head(page, place);
    let at = page.cursor + 1;
    let rows = page.rows.len();
    let percent = (at * 100).checked_div(rows).unwrap_or(0);
    let bottom = (rows > 0).then(|| format!(" {at}/{rows} {percent} % "));
    let inside = panel(Line::styled(head, look.key()), bottom, true, look, place, buffer);
    lines(page, look, inside, buffer);
    if let Some(line) = line_of(area, usize::from(area.height).saturating_sub(3)) {
        cause(page, look, line, buffer);
    }
    cursor
}

fn title(model: &Model, page: &LogPage, look: Look, area: Rect, buffer: &mut Buffer) {
    let name = model.farm.jobs.get(&page.job).map(|job| job.name.as_str());
    let mut text = format!(
        " {} {} > frame {} > log",
        page.job,
        name.unwrap_or_default(),
        page.frame
    );
    text = format!("{text}   {} lines", page.lines.len() + page.dropped);
    if page.dropped > 0 {
        text = format!("{text}, the first {} dropped", page.dropped);
    }
    text += if page.follow {
        "   follow ON"
    } else {
        "   follow off"
    };
    Line::styled(cut(&text, area.width.into()), look.strong()).render(area, buffer);
}

/// What stands in the panel's frame, and where the cursor is in it.
fn head(page: &LogPage, place: Rect) -> (String, Option<Position>) {
    let mut text = String::from(" ");
    let mut cursor = None;
    if let Some(typed) = &page.typing {
        text = format!("{text}search: {} ", typed.value());
        let column = place.x + 1 + 9 + u16::try_from(typed.visual_cursor()).unwrap_or(0);
        cursor = Some(Position::new(
            column.min(place.right().saturating_sub(2)),
            place.y,
        ));
    } else if !page.needle.is_empty() {
        text = format!("{text}search: {} ", page.needle);
    }
    if !page.needle.is_empty() {
        let matches = page.matches();
        let found = match matches.iter().position(|row| *row == page.cursor) {
            Some(at) => format!("  {}/{} matches ", at + 1, matches.len()),
            None => format!("  {} matches ", matches.len()),
        };
        text += &found;
    }
    text = format!("{text}  level: {} ", page.level.shown());
    if page.wrap {
        text += "  wrapped ";
    }
    if page.anchor.is_some() {
        let marked = page.marked().count();
        text = format!("{text}  {marked} marked ");
    }
    (cut(&text, usize::from(place.width).saturating_sub(4)), cursor)
}

fn lines(page: &LogPage, look: Look, inside: Rect, buffer: &mut Buffer) {
    if page.rows.is_empty() {
        let text = match &page.reading {
            Reading::Asked => "reading ...".to_owned(),
            Reading::Failed(error) => error.clone(),
            Reading::Read if page.lines.is_empty() => "Blender has printed nothing yet".to_owned(),
            Reading::Read => format!("no line of the level: {} (L shows others)", page.level.shown()),
        };
        let lines = wrap(&text, usize::from(inside.width).saturating_sub(2));
        for (index, text) in lines.iter().enumerate() {
            if let Some(place) = line_of(inside, index) {
                Line::styled(format!(" {text}"), look.faint()).render(place, buffer);
            }
        }
        return;
    }
    let width = text_width(page, inside.width.saturating_add(2));
    let marked = page.marked();
    let mut y = 0;
    for row in page.top..page.rows.len() {
        let Some(line) = page.line(row) else { break };
        let number = page.rows[row] + page.dropped + 1;
        let is_marked = marked.contains(&row) && (page.anchor.is_some() || row == page.cursor);
        let mut first = true;
        for part in parts_of(page, line, look, width) {
            let Some(place) = line_of(inside, y) else { return };
            y += 1;
            let mark = if row == page.cursor && first { "▶" } else { " " };
            let number = if first { number.to_string() } else { String::new() };
            let mut spans = vec![Span::styled(
                format!("{mark}{number:>wide$}  ", wide = number_width(page)),
                look.faint(),
            )];
            spans.extend(part);
            Line::from(spans).render(place, buffer);
            if is_marked {
                buffer.set_style(place, look.selected());
            }
            first = false;
        }
    }
}

/// A line as rows of the screen: wrapped, or shifted and cut.
fn parts_of(page: &LogPage, line: &LogLine, look: Look, width: usize) -> Vec<Vec<Span<'static>>> {
    let letters = styled(page, line, look);
    if !page.wrap {
        let shown = letters.into_iter().skip(page.shift);
        return vec![joined(shown, width)];
    }
    let mut letters = letters.into_iter();
    wrap(&line.text, width)
        .iter()
        .map(|part| joined(letters.by_ref().take(part.chars().count()), usize::MAX))
        .collect()
}

/// Each letter with its style: its own colours, else those of its level, and matches of the search.
fn styled(page: &LogPage, line: &LogLine, look: Look) -> Vec<(char, Style)> {
    let base = match line.level {
        Level::Error => look.bad(),
        Level::Warning => look.warn(),
        Level::Progress => look.faint(),
        Level::Plain if line.text.starts_with("--- ") => look.strong(),
        Level::Plain => look.plain(),
    };
    let hits = page.hits(&line.text);
    let found = look.warn().add_modifier(Modifier::REVERSED);
    let mut own = line
        .parts
        .iter()
        .flat_map(|(text, style)| text.chars().map(|_| *style));
    line.text
        .char_indices()
        .map(|(at, letter)| {
            let own = own.next().filter(|_| look.colour).unwrap_or(base);
            let is_hit = hits.iter().any(|(from, to)| (*from..*to).contains(&at));
            (letter, if is_hit { found } else { own })
        })
        .collect()
}

/// Letters of equal style as spans, at most `width` columns.
fn joined(letters: impl Iterator<Item = (char, Style)>, width: usize) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (letter, style) in letters {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        match spans.last_mut().filter(|span| span.style == style) {
            Some(span) => span.content.to_mut().push(letter),
            None => spans.push(Span::styled(letter.to_string(), style)),
        }
    }
    spans
}

/// Why the frame failed, where it did.
fn cause(page: &LogPage, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(text) = page.cause() else { return };
    let width = usize::from(area.width).saturating_sub(2);
    Line::styled(format!(" {}", cut(&text, width)), look.warn()).render(area, buffer);
}
