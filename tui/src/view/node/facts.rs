//! What a node is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{Model, NodeEntry};
use crate::view::Look;
use crate::view::frame::{line_of, panel};
use crate::view::text::cut;
use crate::words;

pub(super) fn draw(_model: &Model, node: &NodeEntry, look: Look, area: Rect, buffer: &mut Buffer) {
    let inside = panel(
        Line::styled(" Node ", look.strong()),
        None,
        false,
        look,
        area,
        buffer,
    );
    for (index, (label, value)) in lines(node).into_iter().enumerate() {
        let Some(place) = line_of(inside, index) else {
            break;
        };
        let style = if label == "problem" {
            look.warn()
        } else {
            look.plain()
        };
        let width = usize::from(inside.width).saturating_sub(12);
        let line = Line::from(vec![
            Span::styled(format!(" {label:<9} "), look.faint()),
            Span::styled(cut(&value, width), style),
        ]);
        line.render(place, buffer);
    }
}

fn lines(node: &NodeEntry) -> Vec<(&'static str, String)> {
    let view = &node.view;
    let mut lines = Vec::new();
    // What stands in the way comes first: the rest may be cut off.
    if let Some(problem) = &view.problem {
        lines.push(("problem", problem.clone()));
    }
    lines.push(("address", view.address.trim_start_matches("http://").to_owned()));
    for engine in &view.engines {
        let devices: Vec<&str> = engine.devices.iter().map(|device| device.name()).collect();
        let denoiser = if engine.denoiser {
            "denoises"
        } else {
            "no denoiser"
        };
        lines.push((
            "blender",
            format!("{}  {}  {denoiser}", engine.version, devices.join(" ")),
        ));
    }
    if view.engines.is_empty() {
        lines.push(("blender", "none: run `farmhand-agent setup` there".to_owned()));
    }
    let hardware = &view.hardware;
    lines.push(("cpu", format!("{} threads  {}", hardware.threads, hardware.cpu)));
    for gpu in &hardware.gpus {
        lines.push(("gpu", gpu.clone()));
    }
    lines.push(("memory", words::bytes(hardware.memory_bytes)));
    lines.push(("slots", format!("{}/{} in use", view.running.len(), view.slots)));
    let tags = if view.tags.is_empty() {
        "-".to_owned()
    } else {
        view.tags.join(" ")
    };
    lines.push(("tags", tags));
    lines.push(("system", hardware.os.clone()));
    lines
}
