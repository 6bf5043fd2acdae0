//! The help page, read from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{fit, wrap};
use crate::app::{Context, Help, Keymap, Model, Screen};

const STATES: [&str; 7] = [
    "jobs     · wait   ▶ run   ‖ paused   ✓ done   ✗ fail   – cancel",
    "nodes    … connect   ○ idle   ▶ render   ◌ drain   ! unfit   ✗ lost",
    "batches  ▒ sent   ▶ run   ✓ done   ✗ fail, lost   – cancel, ended (the rest was taken back)",
    "frames   █ done   ▶ render   ▒ sent   · wait   ↻ retry   ✗ fail   – cancel",
    "bar      █ delivered   ▒ rendering   ░ open   – cancelled   ✗ failed",
    "",
    "A job's pictures are in its output folder (enter on the job names it); delivered frames stay whatever you press.",
];

/// All lines, wrapped to `width` columns.
fn lines(keys: &Keymap, page: &Help, width: usize, look: Look) -> Vec<Line<'static>> {
    const LABEL: usize = 11;
    let rest = width.saturating_sub(LABEL + 4);
    let mut lines = Vec::new();
    let overlays: &[Context] = if page.context == Context::Farm {
        &[
            Context::Search,
            Context::Palette,
            Context::Dialog,
            Context::Prompt,
        ]
    } else if page.context == Context::Log {
        &[Context::LogSearch]
    } else {
        &[]
    };
    for context in page.context.layers().iter().chain(overlays).copied() {
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
    let wanted = page.search.trim().to_lowercase();
    if !wanted.is_empty() {
        lines.retain(|line| line.to_string().to_lowercase().contains(&wanted));
    }
    lines
}

/// How many lines the page has on this screen.
pub(crate) fn help_lines(model: &Model) -> usize {
    let width = usize::from(model.size.width).saturating_sub(2);
    match model.screen() {
        Screen::Help(page) => lines(&model.keys, page, width, Look::new(false)).len(),
        _ => 0,
    }
}

/// A screen's page as plain text.
#[cfg(test)]
pub(crate) fn help_text(model: &Model, context: Context) -> String {
    let page = Help {
        context,
        scroll: 0,
        search: String::new(),
    };
    let lines = lines(&model.keys, &page, 500, Look::new(false));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

pub(crate) fn draw(model: &Model, page: &Help, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let name = page.context.title();
    let title = match page.search.as_str() {
        "" => format!(" Help: {name} "),
        search => format!(" Help: {name}  /{search} "),
    };
    let title = Line::styled(title, look.key());
    let inside = panel(title, None, true, look, place, buffer);
    for (index, line) in lines(&model.keys, page, inside.width.into(), look)
        .into_iter()
        .skip(page.scroll)
        .enumerate()
    {
        match line_of(inside, index) {
            Some(place) => line.render(place, buffer),
            None => break,
        }
    }
}
