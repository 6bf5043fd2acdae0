//! The last two lines: what was just done or is wrong, and which keys do something now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::Look;
use super::text::cut;
use crate::app::{Action, Link, Model, Overlay, Tone, availability};

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let line = |from_bottom: u16| Rect {
        y: area.bottom() - from_bottom,
        height: 1,
        ..area
    };
    message(model, look, line(2), buffer);
    hints(model, look, line(1), buffer);
}

fn message(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width).saturating_sub(1);
    if let Some(Overlay::Search(search)) = &model.overlay {
        let typed = search.input.value();
        Line::from(vec![
            Span::styled(" /", look.key()),
            Span::raw(cut(typed, width.saturating_sub(2))),
            Span::styled("▏", look.key()),
        ])
        .render(area, buffer);
        return;
    }
    let (text, style) = match (&model.link, &model.toast) {
        (
            Link::Lost {
                error,
                since,
                retry_at,
            },
            _,
        ) => {
            let wait = retry_at.duration_since(model.now).as_secs().max(0);
            let since = since
                .to_zoned_datetime(model.zone.clone())
                .strftime("%H:%M:%S")
                .to_string();
            let text = format!(
                "✗ connection lost at {since}, trying again in {wait} s: {}",
                without_number(error)
            );
            (text, look.bad().add_modifier(Modifier::REVERSED))
        }
        (_, Some(toast)) => match toast.tone {
            Tone::Good => {
                let left = model.undo.as_ref().and_then(|undo| undo.seconds_left(model.now));
                let undo = left
                    .map(|seconds| format!("   [u] undo {seconds}s"))
                    .unwrap_or_default();
                let text = cut(&toast.text, width.saturating_sub(undo.len() + 2));
                (format!("✓ {text}{undo}"), look.good())
            }
            Tone::Plain => (toast.text.clone(), look.warn()),
            Tone::Bad => (format!("✗ {}", toast.text), look.bad()),
        },
        (_, None) => return,
    };
    Line::from(vec![Span::raw(" "), Span::styled(cut(&text, width), style)]).render(area, buffer);
}

/// A hint of the last line.
struct Hint {
    key: String,
    words: String,
    /// Nothing for a button of a question: its letter presses it.
    action: Option<Action>,
    possible: bool,
}

impl Hint {
    fn width(&self) -> usize {
        self.key.width() + 1 + self.words.width() + 2
    }
}

/// Hints that fit into a width. Help and quit stay when others do not fit.
fn chosen(model: &Model, width: usize) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        for button in dialog.buttons.iter().filter(|_| dialog.typed.is_none()) {
            hints.push(Hint {
                key: button.key.to_string(),
                words: button.label.to_lowercase(),
                action: None,
                possible: true,
            });
        }
    }
    let bound = model.keys.of(model.context());
    let bound = bound.filter(|binding| !binding.hint.is_empty() && !binding.keys.is_empty());
    hints.extend(bound.map(|binding| Hint {
        key: binding.label(),
        words: binding.hint.to_owned(),
        action: Some(binding.action),
        possible: availability(model, binding.action).is_ok(),
    }));
    let (last, first): (Vec<Hint>, Vec<Hint>) = hints
        .into_iter()
        .partition(|hint| matches!(hint.words.as_str(), "help" | "quit"));
    // The gap behind the last one may be cut off.
    let mut left = (width + 1).saturating_sub(last.iter().map(Hint::width).sum());
    let mut shown: Vec<Hint> = first
        .into_iter()
        .take_while(|hint| {
            let fits = hint.width() <= left;
            left = left.saturating_sub(hint.width());
            fits
        })
        .collect();
    shown.extend(last);
    shown
}

fn hints(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut spans = vec![Span::raw(" ")];
    for hint in chosen(model, area.width.into()) {
        if hint.possible {
            spans.push(Span::styled(hint.key, look.key()));
            spans.push(Span::raw(format!(" {}  ", hint.words)));
        } else {
            spans.push(Span::styled(
                format!("{} {}  ", hint.key, hint.words),
                look.faint(),
            ));
        }
    }
    Line::from(spans).render(area, buffer);
}

/// What the hint at a column of the last line does.
pub(crate) fn hint_at(model: &Model, column: u16) -> Option<Action> {
    let mut start = 1;
    for hint in chosen(model, model.size.width.into()) {
        let end = start + hint.width();
        if (start..end - 2).contains(&usize::from(column)) {
            return hint.action;
        }
        start = end;
    }
    None
}

/// The last line as plain text.
#[cfg(test)]
pub(crate) fn footer_text(model: &Model) -> String {
    let hints = chosen(model, model.size.width.into()).into_iter();
    let words: Vec<String> = hints
        .map(|hint| format!("{} {}  ", hint.key, hint.words))
        .collect();
    format!(" {}", words.concat())
}

/// `Connection refused`, without the `(os error 111)` that helps nobody here.
fn without_number(error: &str) -> &str {
    error.split(" (os error").next().unwrap_or(error)
}
