//! The help page, read from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{fit, wrap};
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
    "batches  ▒ sent   ▶ run   ✓ done   ✗ fail, lost   – cancel, ended (the rest was taken back)",
    "bar      █ delivered   ▒ rendering   ░ open   – cancelled   ✗ failed",
    "",
    "A job's pictures are in its output folder (enter on the job names it); delivered frames stay whatever you press.",
];

/// All lines, wrapped to `width` columns.
fn lines(width: usize, look: Look) -> Vec<Line<'static>> {
    const LABEL: usize = 11;
    let rest = width.saturating_sub(LABEL + 4);
    let mut lines = Vec::new();
    for (context, name) in PAGES {
        lines.push(Line::styled(format!(" {name}"), look.strong()));
        for binding in bindings(context) {
            for (index, text) in wrap(binding.help, rest).into_iter().enumerate() {
                let label = if index == 0 { binding.label } else { "" };
                lines.push(Line::from(vec![
                    Span::raw("   "),
                    Span::styled(fit(label, LABEL, false), look.key()),
                    Span::raw(text),
                ]));
            }
        }
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled(" What the marks mean", look.strong()));
    let states = STATES.iter().flat_map(|line| wrap(line, width.saturating_sub(4)));
    lines.extend(states.map(|line| Line::raw(format!("   {line}"))));
    lines
}

/// How many lines the page has on a screen of this width.
pub(crate) fn help_lines(width: u16) -> usize {
    lines(usize::from(width).saturating_sub(2), Look { colour: false }).len()
}

pub(crate) fn draw(_model: &Model, scroll: usize, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = Line::styled(" Help ", look.key());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in lines(inside.width.into(), look)
        .into_iter()
        .skip(scroll)
        .enumerate()
    {
        match line_of(inside, index) {
            Some(place) => line.render(place, buffer),
            None => break,
        }
    }
}
