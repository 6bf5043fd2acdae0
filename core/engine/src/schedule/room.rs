//! What a node has still to render, and whether it has room for more.

use std::time::Duration;

use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};

use crate::farm::{Farm, Now};
use crate::job::Batch;
use crate::node::Presence;

/// A batch that is done in so many seconds needs a following one now.
const AHEAD: f64 = 3.0;

/// Whether a node can take another batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A slot has nothing to do.
    Free,
    /// A slot renders the last it has.
    Next,
    None,
}

/// What a node has still to render.
pub(super) struct Room {
    slots: usize,
    /// Batches of which something is left to render, oldest first.
    held: Vec<Held>,
}

struct Held {
    job: JobId,
    /// Frames left to render.
    left: u32,
    /// Seconds until it is done, as far as can be told.
    seconds: Option<f64>,
}

impl Room {
    pub(super) fn of(farm: &Farm, now: Now, node: NodeId, presence: &Presence) -> Self {
        let batches = farm.batches_on(node).filter_map(|(id, batch)| {
            let left = farm.unrendered(id, batch);
            (left > 0).then(|| Held {
                job: batch.job,
                left,
                seconds: seconds_left(farm, now, id, batch),
            })
        });
        Self {
            slots: presence.info.slots as usize,
            held: batches.collect(),
        }
    }

    /// A batch for each slot, and a following one for each that ends soon.
    pub(super) fn place(&self) -> Place {
        if self.held.len() < self.slots {
            return Place::Free;
        }
        let soon = |held: &&Held| held.left <= 1 || held.seconds.is_some_and(|seconds| seconds <= AHEAD);
        let ending = self.held.iter().filter(soon).count();
        if self.held.len() < 2 * self.slots && ending > self.held.len() - self.slots {
            Place::Next
        } else {
            Place::None
        }
    }

    pub(super) fn holds(&self, job: JobId) -> bool {
        self.held.iter().any(|held| held.job == job)
    }

    /// The job of the batch that was handed out last.
    pub(super) fn newest_job(&self) -> Option<JobId> {
        self.held.last().map(|held| held.job)
    }

    /// Whether a slot has nothing to do in a moment.
    pub(super) fn is_nearly_done(&self) -> bool {
        self.seconds_to_a_slot() <= AHEAD
    }

    /// Seconds until a slot has nothing to do; a minute where that cannot be told.
    pub(super) fn seconds_to_a_slot(&self) -> f64 {
        if self.held.len() < self.slots {
            return 0.0;
        }
        let ends = self.held.iter().map(|held| held.seconds.unwrap_or(60.0));
        ends.fold(f64::MAX, f64::min)
    }

    /// Seconds until everything on the node is done.
    pub(super) fn seconds_for_all(&self) -> f64 {
        let all: f64 = self.held.iter().map(|held| held.seconds.unwrap_or(60.0)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a node has few slots")]
        let slots = self.slots.max(1) as f64;
        all / slots
    }

    pub(super) fn add(&mut self, job: JobId, left: u32, seconds: Option<f64>) {
        self.held.push(Held { job, left, seconds });
    }
}

/// Seconds until a node is done with a batch, counted from when a slot begins it.
pub(super) fn seconds_left(farm: &Farm, now: Now, id: BatchId, batch: &Batch) -> Option<f64> {
    let job = farm.job(batch.job)?;
    let one = batch.open.first().map_or(0.0, |frame| job.frames.place(frame));
    let one = job.pace.seconds(&farm.speeds, batch.node, one)?;
    let started = farm.seen.rendering.get(&id).into_iter().flatten();
    let begun: Vec<f64> = started.map(|(_, since)| rest_of(one, now, *since)).collect();
    let unbegun = (farm.unrendered(id, batch) as usize).saturating_sub(begun.len());
    #[expect(clippy::cast_precision_loss, reason = "a batch has few frames")]
    let unbegun = unbegun as f64 * one;
    Some(unbegun + begun.iter().sum::<f64>())
}

/// Seconds that a frame still takes which usually takes `usual`. One that takes longer than usual is expected to
/// take longer still.
pub(super) fn rest_of(usual: f64, now: Now, since: Duration) -> f64 {
    let elapsed = now.since_start.saturating_sub(since).as_secs_f64();
    (usual - elapsed).max(usual * 0.4).max(elapsed * 0.3)
}

/// Frames of a batch that its node has not begun and that are not being taken back.
pub(super) fn unbegun(farm: &Farm, id: BatchId, batch: &Batch) -> FrameSet {
    let begun: FrameSet = farm
        .seen
        .rendering
        .get(&id)
        .into_iter()
        .flat_map(|frames| frames.keys().copied())
        .collect();
    let home = farm
        .seen
        .fetching
        .range((id, Frame::MIN)..=(id, Frame::MAX))
        .map(|(_, frame)| *frame);
    let rest = batch.open.difference(&begun).difference(&home.collect());
    match farm.seen.revoking.get(&id) {
        Some((revoked, _)) => rest.difference(revoked),
        None => rest,
    }
}
