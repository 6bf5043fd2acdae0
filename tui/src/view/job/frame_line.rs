//! The line about the frame at the cursor: its state, its node, its attempts, why it failed, how long it took.

use std::time::Duration;

use farmhand_protocol::farm::{AttemptView, BatchView};
use farmhand_protocol::{Cause, Frame};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{Grid, JobScreen, Model, Shade};
use crate::view::text::cut;
use crate::view::{Look, state};
use crate::words;

pub(super) fn draw(
    model: &Model,
    screen: &JobScreen,
    grid: Grid,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let Some(place) = screen.subject(grid) else { return };
    let (Some(frame), Some(shade)) = (screen.map.frame(place), screen.map.shade(place)) else {
        return;
    };
    let shown = state::frame(shade, look);
    let mut line = Line::from(vec![
        Span::styled(format!("f{frame} "), look.strong()),
        Span::styled(format!("{} {}", shown.mark, shade.word()), shown.style),
    ]);
    let told = tell(model, screen, frame, shade).join("  ");
    let left = usize::from(area.width).saturating_sub(line.width() + 2);
    if !told.is_empty() {
        line.spans.push(Span::raw(format!("  {}", cut(&told, left))));
    }
    line.render(area, buffer);
}

/// What there is to say of a frame, the most telling first.
fn tell(model: &Model, screen: &JobScreen, frame: Frame, shade: Shade) -> Vec<String> {
    let known = screen.frame.as_ref().filter(|known| known.frame == frame);
    let attempt = screen.attempts.iter().find(|attempt| attempt.frame == frame);
    let holder = holder(model, screen, frame);
    let mut told = Vec::new();
    match shade {
        Shade::Failed | Shade::Retry => {
            told.extend(attempt.map(|attempt| attempt.node_name.clone()));
            let failure = attempt.map(|attempt: &AttemptView| &attempt.failure);
            let failure = failure.or_else(|| known.and_then(|known| known.failure.as_ref()));
            told.extend(failure.map(|failure| Cause::of(failure).title));
            let attempts = known.map_or(0, |known| known.attempts);
            if attempts > 0 {
                told.push(format!("attempt {attempts}"));
            }
            told.push("w why".to_owned());
        }
        Shade::Rendering | Shade::Sent => {
            told.extend(holder.map(|batch| format!("{} {}", batch.node_name, batch.id)));
            let slots = model.farm.nodes.values().flat_map(|node| &node.view.running);
            let slot = slots.filter(|slot| slot.job == Some(screen.job));
            let progress = slot
                .map(|slot| &slot.progress)
                .find(|progress| progress.frame == Some(frame));
            if let Some(progress) = progress.filter(|_| shade == Shade::Rendering) {
                if let (Some(sample), Some(samples)) = (progress.sample, progress.samples) {
                    told.push(format!("sample {sample}/{samples}"));
                }
                told.push(words::duration(Duration::from_millis(progress.elapsed_ms)));
                if let Some(left) = progress.remaining_ms {
                    told.push(format!("{} left", words::duration(Duration::from_millis(left))));
                }
            }
        }
        Shade::Delivered => {
            let node = known.and_then(|known| known.node);
            let node = node.and_then(|id| model.farm.nodes.values().find(|node| node.view.id == Some(id)));
            told.extend(node.map(|node| node.view.name.clone()));
            told.extend(known.and_then(|known| known.render_ms).map(words::seconds));
            told.extend(
                known
                    .and_then(|known| known.files.first())
                    .map(|file| format!("{} {}", file.path, words::bytes(file.size))),
            );
        }
        Shade::Waiting => {
            let reason = model
                .farm
                .jobs
                .get(&screen.job)
                .and_then(|job| job.reason.clone());
            told.push(reason.unwrap_or_else(|| "waits for a free slot".to_owned()));
        }
        Shade::Cancelled => told.push("cancelled by a person; R renders it after all".to_owned()),
    }
    told
}

/// The batch that has a frame at the moment: the newest that names it and has not ended.
fn holder<'m>(model: &'m Model, screen: &JobScreen, frame: Frame) -> Option<&'m BatchView> {
    let batches = screen
        .rows
        .iter()
        .filter_map(|id| model.farm.batch(screen.job, *id));
    let mut running = batches.filter(|batch| batch.ended.is_none());
    running.find(|batch| batch.frames.contains(frame))
}
