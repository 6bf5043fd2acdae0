//! Steps that several facts and sightings have in common.

use std::time::Duration;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, FailureKind, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;

use super::Farm;
use crate::job::{Batch, Job};
use crate::pace::Pace;

impl Farm {
    pub(super) fn with_job(&mut self, id: JobId, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            change(job);
        }
    }

    /// Stamps the end on a job whose last frame has settled.
    pub(super) fn settle(&mut self, id: JobId, at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.frames.is_settled()) else {
            return;
        };
        job.ended.get_or_insert(at);
        job.pace = Pace::default();
        self.forget_what_was_seen_of(id);
        self.seen.agenda.everything = true; // Another may have waited for its end.
    }

    pub(super) fn forget_what_was_seen_of(&mut self, id: JobId) {
        self.seen.handed_out.remove(&id);
        self.seen.memory.remove(&id);
        if let Some(open) = &mut self.seen.open {
            open.remove(&id);
        }
    }

    /// A job may have frames to hand out.
    pub(super) fn offer(&mut self, id: JobId) {
        let has_frames = self.jobs.get(&id).is_some_and(|job| !job.frames.is_settled());
        if let Some(open) = self.seen.open.as_mut().filter(|_| has_frames) {
            open.insert(id);
        }
        self.seen.agenda.everything = true;
    }

    pub(super) fn look_at(&mut self, node: NodeId) {
        self.seen.agenda.nodes.insert(node);
    }

    pub(super) fn has_begun(&mut self, batch: BatchId) {
        if self.batches.get(batch).is_some() {
            self.seen.begun.insert(batch);
        }
    }

    /// The node of a batch has done something.
    pub(super) fn seen_at_work(&mut self, batch: BatchId, at: Duration) {
        if let Some(held) = self.batches.get(batch) {
            self.seen.agenda.nodes.insert(held.node);
            let job = held.job;
            if let Some(presence) = self.seen.nodes.get_mut(&held.node)
                && presence.warm != Some(job)
            {
                let jobs = (
                    presence.warm.and_then(|warm| self.jobs.get(&warm)),
                    self.jobs.get(&job),
                );
                let stays = matches!(jobs, (Some(warm), Some(job)) if warm.spec.loads_as(&job.spec));
                presence.warm = Some(job);
                if !stays {
                    presence.warm_since = at;
                }
            }
        }
    }

    pub(super) fn is_held_by_a_twin(&self, batch: BatchId, frame: Frame) -> bool {
        let mut twins = self.batches.twins(batch);
        twins.any(|(_, twin)| twin.open.contains(frame))
    }

    /// Those of a batch's frames that no twin of it has.
    pub(crate) fn not_held_by_twins(&self, batch: BatchId, frames: &FrameSet) -> FrameSet {
        let twins = self.batches.twins(batch);
        twins.fold(frames.clone(), |alone, (_, twin)| alone.difference(&twin.open))
    }

    pub(super) fn note_lack_of_memory(&mut self, job: JobId, node: NodeId, kind: FailureKind) {
        let scene = self.jobs.get(&job).map(|job| job.spec.scene);
        let node = self
            .nodes
            .get_mut(&node)
            .filter(|_| kind == FailureKind::OutOfMemory);
        if let Some((node, scene)) = node.zip(scene)
            && !node.too_small_for.contains(&scene)
        {
            node.too_small_for.push(scene);
        }
    }

    /// Takes frames out of what is open in a batch.
    pub(super) fn close(&mut self, id: BatchId, frames: &FrameSet, note: impl FnOnce(&mut Batch, &FrameSet)) {
        if let Some(batch) = self.batches.get_mut(id) {
            batch.open = batch.open.difference(frames);
            note(batch, frames);
        }
        if let Some(rendering) = self.seen.rendering.get_mut(&id) {
            rendering.retain(|frame, _| !frames.contains(*frame));
        }
    }

    pub(super) fn take_from_batches(&mut self, job: JobId, frames: &FrameSet) {
        let holding: Vec<(BatchId, NodeId)> =
            self.batches_of(job).map(|(id, held)| (id, held.node)).collect();
        for (id, node) in holding {
            self.look_at(node);
            self.close(id, frames, |_, _| ());
        }
    }

    pub(super) fn end(&mut self, id: BatchId, state: BatchState, at: Timestamp) {
        self.seen.begun.remove(&id);
        self.seen.rendering.remove(&id);
        self.seen.dispatching.remove(&id);
        self.seen.revoking.remove(&id);
        let fetching: Vec<_> = self
            .seen
            .fetching
            .range((id, Frame::MIN)..=(id, Frame::MAX))
            .copied()
            .collect();
        for fetch in fetching {
            self.seen.fetching.remove(&fetch);
        }
        let original = self.batches.original(id);
        if let Some(mut batch) = self.batches.remove(id) {
            if self.batches.count_of_copies(original) == 0 {
                self.seen.contested.remove(&original);
            }
            self.look_at(batch.node);
            batch.open = FrameSet::default();
            batch.ended = Some((state, at));
            self.with_job(batch.job, |job| job.keep_ended(id, batch));
        }
    }

    pub(super) fn set_drained(&mut self, id: NodeId, drained: bool, at: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.drained = drained;
            node.since = at;
        }
        self.seen.agenda.everything = true;
    }
}
