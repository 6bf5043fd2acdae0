//! How busy a node is, and has been since it is watched.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Sparkline, Widget};

use crate::app::NodeEntry;
use crate::view::Look;
use crate::view::frame::{line_of, panel};
use crate::view::text::fit;
use crate::words;

/// Letters of a label, and of a value behind its bars.
const LABEL: u16 = 6;
const VALUE: u16 = 21;

pub(super) fn draw(node: &NodeEntry, look: Look, area: Rect, buffer: &mut Buffer) {
    let samples = node.samples();
    let span = match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => last.at.duration_since(first.at).unsigned_abs(),
        _ => std::time::Duration::ZERO,
    };
    let title = format!(" Load, last {} ", words::duration(span));
    let inside = panel(
        Line::styled(title, look.strong()),
        None,
        false,
        look,
        area,
        buffer,
    );
    let Some(newest) = samples.last() else {
        Line::styled(" not heard yet", look.faint()).render(inside, buffer);
        return;
    };
    let whole = node.view.hardware.memory_bytes.max(1);
    let cpu = |share: f32| permille(share);
    let memory = |bytes: u64| bytes.saturating_mul(1000) / whole;
    let rows: [(&str, Vec<u64>, String); 2] = [
        (
            "CPU",
            samples.iter().map(|sample| cpu(sample.cpu)).collect(),
            format!("{} %", cpu(newest.cpu) / 10),
        ),
        (
            "RAM",
            samples.iter().map(|sample| memory(sample.memory_bytes)).collect(),
            format!("{} / {}", words::bytes(newest.memory_bytes), words::bytes(whole)),
        ),
    ];
    for (index, (label, data, value)) in rows.into_iter().enumerate() {
        let Some(place) = line_of(inside, index) else {
            return;
        };
        Line::styled(format!(" {label}"), look.faint()).render(place, buffer);
        let bars = Rect {
            x: place.x + LABEL,
            width: place.width.saturating_sub(LABEL + VALUE + 1),
            ..place
        };
        let shown = data.len().saturating_sub(bars.width.into());
        Sparkline::default()
            .data(&data[shown..])
            .max(1000)
            .style(look.active())
            .render(bars, buffer);
        let place = Rect {
            x: place.right().saturating_sub(VALUE),
            width: VALUE.min(place.width),
            ..place
        };
        Line::raw(fit(&value, usize::from(VALUE) - 1, true)).render(place, buffer);
    }
    let rest = [
        format!("disk  {} free", words::bytes(node.view.load.disk_free_bytes)),
        format!("pace  {:.1} frames a minute", node.view.frames_per_minute),
    ];
    for (index, text) in rest.into_iter().enumerate() {
        if let Some(place) = line_of(inside, index + 2) {
            Line::raw(format!(" {text}")).render(place, buffer);
        }
    }
}

/// A share of 0 to 1 in thousandths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 1000, and a cast of NaN gives 0"
)]
fn permille(share: f32) -> u64 {
    (share.clamp(0.0, 1.0) * 1000.0) as u64
}
