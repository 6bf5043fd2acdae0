//! The last two lines: what was just done or is wrong, and which keys do something now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::text::cut;
use crate::app::{Binding, Link, Model, Overlay, Tone, availability};

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

fn hints(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    let mut add = |key: &str, hint: &str, possible: bool, reserved: usize| {
        let needed = Line::raw(format!("{key} {hint}  ")).width();
        if used + needed + reserved > usize::from(area.width) + 2 {
            return false;
        }
        used += needed;
        if possible {
            spans.push(Span::styled(key.to_owned(), look.key()));
            spans.push(Span::raw(format!(" {hint}  ")));
        } else {
            spans.push(Span::styled(format!("{key} {hint}  "), look.faint()));
        }
        true
    };
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        for button in dialog.buttons.iter().filter(|_| dialog.typed.is_none()) {
            add(&button.key.to_string(), &button.label.to_lowercase(), true, 0);
        }
    }
    let context = model.context();
    let shown: Vec<_> = model
        .keys
        .of(context)
        .filter(|binding| !binding.hint.is_empty())
        .collect();
    // Help and quit stay when others do not fit.
    let (last, first): (Vec<&Binding>, Vec<&Binding>) = shown
        .into_iter()
        .partition(|binding| matches!(binding.hint, "help" | "quit"));
    let reserved: usize = last.iter().map(|b| b.label().len() + b.hint.len() + 3).sum();
    for binding in first {
        let possible = availability(model, binding.action).is_ok();
        if !add(&binding.label(), binding.hint, possible, reserved) {
            break;
        }
    }
    for binding in last {
        add(&binding.label(), binding.hint, true, 0);
    }
    Line::from(spans).render(area, buffer);
}

/// `Connection refused`, without the `(os error 111)` that helps nobody here.
fn without_number(error: &str) -> &str {
    error.split(" (os error").next().unwrap_or(error)
}
