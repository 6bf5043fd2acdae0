//! Each state as a mark, a word and a colour; the first two suffice without the third.

use farmhand_protocol::farm::{BatchState, BatchView, JobState, NodeState, Weight};
use ratatui::style::Style;

use super::Look;
use super::table::{Cell, cell};
use crate::app::{Model, Shade, Target};

/// A state as it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) mark: &'static str,
    pub(crate) word: &'static str,
    pub(crate) style: Style,
}

impl Shown {
    /// Mark and word.
    pub(crate) fn text(self) -> String {
        format!("{} {}", self.mark, self.word)
    }
}

pub(crate) fn job(state: JobState, look: Look) -> Shown {
    let (mark, word, style) = match state {
        JobState::Waiting => ("·", "wait", look.wait()),
        JobState::Running => ("▶", "run", look.active()),
        JobState::Paused => ("‖", "paused", look.warn()),
        JobState::Completed => ("✓", "done", look.good()),
        JobState::Failed => ("✗", "fail", look.bad()),
        JobState::Cancelled => ("–", "cancel", look.faint()),
    };
    Shown { mark, word, style }
}

pub(crate) fn node(state: NodeState, look: Look) -> Shown {
    let (mark, word, style) = match state {
        NodeState::Connecting => ("…", "connect", look.wait()),
        NodeState::Idle => ("○", "idle", look.plain()),
        NodeState::Rendering => ("▶", "render", look.active()),
        NodeState::Draining => ("◌", "drain", look.warn()),
        NodeState::Drained => ("◌", "drained", look.warn()),
        NodeState::Unfit => ("!", "unfit", look.bad()),
        NodeState::Lost => ("✗", "lost", look.bad()),
    };
    Shown { mark, word, style }
}

pub(crate) fn batch(batch: &BatchView, look: Look) -> Shown {
    let all_delivered = batch.delivered.len() == batch.frames.len();
    let (mark, word, style) = match batch.state {
        BatchState::Assigned => ("▒", "sent", look.wait()),
        BatchState::Rendering => ("▶", "run", look.active()),
        BatchState::Ended if !batch.failed.is_empty() => ("✗", "fail", look.bad()),
        BatchState::Ended if all_delivered => ("✓", "done", look.good()),
        // Its other frames were taken back before they started.
        BatchState::Ended => ("–", "ended", look.faint()),
        BatchState::Cancelled => ("–", "cancel", look.faint()),
        BatchState::Lost => ("✗", "lost", look.bad()),
    };
    Shown { mark, word, style }
}

/// What is being done to something, or how it went; nothing where nobody acts on it.
pub(crate) fn acting(model: &Model, target: &Target, look: Look) -> Option<Cell> {
    if let Some(pending) = model.pending.get(target) {
        return Some(cell(format!("… {}", pending.doing), look.warn()));
    }
    let outcome = model.outcomes.get(target)?;
    Some(if outcome.good {
        cell("✓ ok", look.good())
    } else {
        cell("✗ refused", look.bad())
    })
}

/// A frame in the map. Its word is [`Shade::word`].
pub(crate) fn frame(shade: Shade, look: Look) -> Shown {
    let (mark, style) = match shade {
        Shade::Delivered => ("█", look.good()),
        Shade::Rendering => ("▶", look.active()),
        Shade::Sent => ("▒", look.wait()),
        Shade::Waiting => ("·", look.faint()),
        Shade::Retry => ("↻", look.warn()),
        Shade::Failed => ("✗", look.bad()),
        Shade::Cancelled => ("–", look.faint()),
    };
    let word = shade.word();
    Shown { mark, word, style }
}

pub(crate) fn weight(weight: Weight, look: Look) -> Shown {
    let (mark, word, style) = match weight {
        Weight::Info => ("·", "info", look.plain()),
        Weight::Success => ("✓", "ok", look.good()),
        Weight::Warning => ("!", "warning", look.warn()),
        Weight::Error => ("✗", "error", look.bad()),
    };
    Shown { mark, word, style }
}
