//! What the slots of a node do now: two lines for each busy one.

use std::time::Duration;

use farmhand_protocol::farm::{NodeState, SlotView};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{Model, NodeEntry};
use crate::view::Look;
use crate::view::frame::{line_of, panel};
use crate::view::nodes::{gauge, moved_words};
use crate::words;

pub(super) fn draw(model: &Model, node: &NodeEntry, look: Look, area: Rect, buffer: &mut Buffer) {
    let view = &node.view;
    let bottom = (view.running.len() * 2 > usize::from(area.height.saturating_sub(2)))
        .then(|| format!(" {} slots busy ", view.running.len()));
    let inside = panel(
        Line::styled(" Now ", look.strong()),
        bottom,
        false,
        look,
        area,
        buffer,
    );
    if view.running.is_empty() {
        let words = match view.state {
            NodeState::Lost if !view.moved.is_empty() => moved_words(&view.moved),
            NodeState::Lost => "lost; w tells why".to_owned(),
            NodeState::Drained => "drained: d gives it work again".to_owned(),
            NodeState::Idle => "idle; w tells why".to_owned(),
            _ => "no frame is under way".to_owned(),
        };
        Line::styled(format!(" {words}"), look.faint()).render(inside, buffer);
        return;
    }
    for (index, slot) in view.running.iter().enumerate() {
        if let Some(place) = line_of(inside, index * 2) {
            what(model, slot, look).render(place, buffer);
        }
        if let Some(place) = line_of(inside, index * 2 + 1) {
            how_far(slot, look, usize::from(place.width)).render(place, buffer);
        }
    }
}

fn what(model: &Model, slot: &SlotView, look: Look) -> Line<'static> {
    let progress = &slot.progress;
    let mut line = Line::from(Span::styled(
        format!(" slot {}  ", progress.slot + 1),
        look.faint(),
    ));
    match slot.job {
        Some(job) => {
            let name = model
                .farm
                .jobs
                .get(&job)
                .map(|job| job.name.clone())
                .unwrap_or_default();
            let batch = model.farm.batch(job, progress.key.batch);
            let frames = batch
                .map(|batch| format!("  frames {}", batch.frames))
                .unwrap_or_default();
            let text = format!("{job} {name} / {}{frames}", progress.key.batch);
            line.spans.push(Span::styled(text, look.strong()));
        }
        None => line
            .spans
            .push(Span::raw("another farm's work, or the agent's own")),
    }
    line
}

fn how_far(slot: &SlotView, look: Look, width: usize) -> Line<'static> {
    let progress = &slot.progress;
    let mut line = Line::raw("         ");
    if let Some(frame) = progress.frame {
        line.spans.push(Span::raw(format!("frame {frame}  ")));
    }
    if let (Some(sample), Some(samples)) = (progress.sample, progress.samples) {
        line.spans.push(Span::raw(format!("sample {sample}/{samples}  ")));
    }
    let mut rest = vec![format!(
        "{} so far",
        words::duration(Duration::from_millis(progress.elapsed_ms))
    )];
    if let Some(left) = progress.remaining_ms {
        rest.push(format!("{} left", words::duration(Duration::from_millis(left))));
    }
    if progress.memory_bytes > 0 {
        rest.push(format!("mem {}", words::bytes(progress.memory_bytes)));
    }
    let rest = format!("  {}", rest.join("  "));
    let bar = width
        .saturating_sub(line.width() + rest.chars().count() + 1)
        .min(40);
    if bar >= 8 {
        line.spans.extend(gauge(slot, bar, look));
    }
    line.spans.push(Span::raw(rest));
    line
}
