//! What has come of the job: the folder, how much is in it, the last file.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::times::{Spread, times};
use crate::app::{JobLayout, JobScreen, Model};
use crate::view::Look;
use crate::view::frame::panel;
use crate::view::text::cut;
use crate::words;

/// A panel where there are three lines for it, else one line.
pub(super) fn draw(model: &Model, screen: &JobScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let inside = if area.height >= 3 {
        panel(
            Line::styled(" Output ", look.strong()),
            None,
            false,
            look,
            area,
            buffer,
        )
    } else {
        area
    };
    let Some(job) = model.farm.jobs.get(&screen.job) else {
        return;
    };
    let has_chart = JobLayout::of(model.size, screen).is_some_and(|layout| layout.times.is_some());
    let mut parts = Vec::new();
    if let Some(output) = &screen.output {
        let files = if output.files == 1 { "file" } else { "files" };
        parts.push(format!(
            "{} {files}  {}",
            output.files,
            words::bytes(output.bytes)
        ));
        if !has_chart && let Some(spread) = Spread::of(&times(screen)) {
            parts.push(spread.words());
        }
        if let Some(last) = output.newest.first() {
            let at = last.at.to_zoned_datetime(model.zone.clone()).strftime("%H:%M:%S");
            parts.push(format!("last {} {at}", last.path));
        }
    }
    let width = usize::from(inside.width).saturating_sub(2);
    // The folder's name is the longest: it gives way, but not below a readable rest.
    let needed = |parts: &[String]| parts.iter().map(|part| part.chars().count() + 3).sum::<usize>();
    while parts.len() > 1 && needed(&parts) + 20 > width {
        parts.pop();
    }
    let folder = from_end(&job.output, width.saturating_sub(needed(&parts)).max(12));
    let mut line = Line::from(vec![Span::raw(" "), Span::styled(folder, look.strong())]);
    for part in parts {
        line.spans.push(Span::raw(format!("   {part}")));
    }
    line.render(
        Rect {
            height: 1.min(inside.height),
            ..inside
        },
        buffer,
    );
}

/// A path in at most `width` columns: its end tells more than its beginning.
fn from_end(path: &str, width: usize) -> String {
    let mut rest = path;
    while cut(rest, width) != rest {
        let Some(shorter) = rest.get(1..).and_then(|rest| rest.split_once('/')) else {
            return cut(rest, width);
        };
        rest = shorter.1;
        if cut(rest, width.saturating_sub(2)) == rest {
            return format!("…/{rest}");
        }
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_keeps_its_end() {
        assert_eq!(from_end("/renders/intro", 20), "/renders/intro");
        assert_eq!(from_end("/a/very/long/path/to/intro", 12), "…/to/intro");
        assert_eq!(from_end("intro_of_the_whole_film", 8), "intro_o…");
    }
}
