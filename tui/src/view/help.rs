//! The help page, read from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::fit;
use crate::app::{Context, Model, bindings};

const PAGES: [(Context, &str); 5] = [
    (Context::Farm, "Farm"),
    (Context::Form, "Submit form"),
    (Context::Details, "Details"),
    (Context::Dialog, "Questions"),
    (Context::Prompt, "Prompts"),
];

const STATES: [&str; 6] = [
    "jobs     · wait   ▶ run   ‖ paused   ✓ done   ✗ fail   – cancel",
    "nodes    … connect   ○ idle   ▶ render   ◌ drain   ! unfit   ✗ lost",
    "batches  ▒ sent   ▶ run   ✓ done   ✗ fail, lost   – cancel",
    "bar      █ delivered   ▒ rendering   ░ open   – cancelled   ✗ failed",
    "",
    "A job's pictures are in its output folder (enter on the job names it); delivered frames stay whatever you press.",
];

fn lines(look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (context, name) in PAGES {
        lines.push(Line::styled(format!(" {name}"), look.strong()));
        for binding in bindings(context) {
            lines.push(Line::from(vec![
                Span::raw("   "),
                Span::styled(fit(binding.label, 11, false), look.key()),
                Span::raw(binding.help),
            ]));
        }
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled(" What the marks mean", look.strong()));
    lines.extend(STATES.iter().map(|line| Line::raw(format!("   {line}"))));
    lines
}

/// How many lines the page has.
pub(crate) fn help_lines() -> usize {
    lines(Look { colour: false }).len()
}

pub(crate) fn draw(_model: &Model, scroll: usize, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = Line::styled(" Help ", look.key());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in lines(look).into_iter().skip(scroll).enumerate() {
        match line_of(inside, index) {
            Some(place) => line.render(place, buffer),
            None => break,
        }
    }
}
