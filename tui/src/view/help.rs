//! The help page, read from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{fit, wrap};
use crate::app::{Context, Keymap, Model};

const PAGES: [Context; 7] = [
    Context::Farm,
    Context::Form,
    Context::Details,
    Context::Moving,
    Context::Dialog,
    Context::Prompt,
    Context::Everywhere,
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
fn lines(keys: &Keymap, width: usize, look: Look) -> Vec<Line<'static>> {
    const LABEL: usize = 11;
    let rest = width.saturating_sub(LABEL + 4);
    let mut lines = Vec::new();
    for context in PAGES {
        lines.push(Line::styled(format!(" {}", context.title()), look.strong()));
        for binding in keys.own(context) {
            let others: Vec<String> = binding.keys.iter().skip(1).map(ToString::to_string).collect();
            let text = if others.is_empty() {
                binding.help.to_owned()
            } else {
                format!("{} (also {})", binding.help, others.join(", "))
            };
            for (index, text) in wrap(&text, rest).into_iter().enumerate() {
                let label = if index == 0 {
                    binding.label()
                } else {
                    String::new()
                };
                lines.push(Line::from(vec![
                    Span::raw("   "),
                    Span::styled(fit(&label, LABEL, false), look.key()),
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

/// How many lines the page has on this screen.
pub(crate) fn help_lines(model: &Model) -> usize {
    let width = usize::from(model.size.width).saturating_sub(2);
    lines(&model.keys, width, Look { colour: false }).len()
}

pub(crate) fn draw(model: &Model, scroll: usize, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = Line::styled(" Help ", look.key());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in lines(&model.keys, inside.width.into(), look)
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
