//! What a decision has changed, so that only that is shown anew. Every fact is named: a new one must not
//! compile until it is written here what it changes on a screen.

use std::collections::{BTreeMap, BTreeSet};

use farmhand_engine::{Fact, Farm, Sighting};
use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};

/// Things that may look different now.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) jobs: BTreeSet<JobId>,
    pub(crate) frames: BTreeMap<JobId, BTreeSet<Frame>>,
    pub(crate) batches: BTreeSet<BatchId>,
    pub(crate) nodes: BTreeSet<NodeId>,
    /// Nodes or addresses have come or gone.
    pub(crate) roll: bool,
}

impl Touched {
    /// Whether nothing has changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
            && self.frames.is_empty()
            && self.batches.is_empty()
            && self.nodes.is_empty()
            && !self.roll
    }

    /// Notes what a fact has changed, after it was applied.
    pub(crate) fn by_fact(&mut self, farm: &Farm, fact: &Fact) {
        match fact {
            Fact::JobSubmitted { job, .. }
            | Fact::JobPaused { job }
            | Fact::JobResumed { job }
            | Fact::PriorityChanged { job, .. }
            | Fact::JobRenamed { job, .. }
            | Fact::BlenderChosen { job, .. }
            | Fact::FilmLearned { job, .. }
            | Fact::FilmsAsked { job }
            | Fact::FilmsMade { job, .. }
            | Fact::JobForgotten { job } => {
                self.jobs.insert(*job);
            }
            Fact::NodeExcluded { job, node, .. } | Fact::NodeBanned { job, node, .. } => {
                self.jobs.insert(*job);
                self.nodes.insert(*node);
            }
            Fact::BatchAssigned {
                batch,
                job,
                node,
                frames,
                ..
            } => {
                self.batch(farm, *batch);
                self.nodes.insert(*node);
                self.frames_of(*job, frames);
            }
            Fact::FrameDelivered {
                job,
                frame,
                batch,
                node,
                ..
            }
            | Fact::AttemptFailed {
                job,
                frame,
                batch,
                node,
                ..
            } => {
                self.batch(farm, *batch);
                self.nodes.insert(*node);
                self.frames_of(*job, &(*frame).into());
            }
            Fact::FramesReturned { batch, frames } => {
                self.batch(farm, *batch);
                if let Some(held) = farm.batch(*batch) {
                    self.frames_of(held.job, frames);
                }
            }
            Fact::BatchEnded { batch, .. } => self.batch(farm, *batch),
            Fact::BatchLost { batch } => {
                self.batch(farm, *batch);
                if let Some(held) = farm.batch(*batch) {
                    self.frames_of(held.job, &held.frames);
                }
            }
            Fact::FramesFailed { job, frames, .. }
            | Fact::FramesCancelled { job, frames }
            | Fact::FramesRevised { job, frames, .. }
            | Fact::FramesRequeued { job, frames } => self.frames_of(*job, frames),
            Fact::NodeDrained { node } | Fact::NodeResumed { node } => {
                self.nodes.insert(*node);
            }
            Fact::AddressAdded { .. }
            | Fact::AddressRemoved { .. }
            | Fact::NodeJoined { .. }
            | Fact::NodeRemoved { .. } => self.roll = true,
        }
    }

    /// Notes what a sighting has changed, after it was applied.
    pub(crate) fn by_sighting(&mut self, farm: &Farm, sighting: &Sighting) {
        match sighting {
            Sighting::NodeSeen { info } => {
                self.nodes.insert(info.id);
            }
            Sighting::NodeSilent { node } | Sighting::NodeRests { node, .. } => {
                self.nodes.insert(*node);
            }
            Sighting::FrameStarted { batch, frame } | Sighting::Fetching { batch, frame } => {
                self.batch(farm, *batch);
                if let Some(held) = farm.batch(*batch) {
                    self.frames_of(held.job, &(*frame).into());
                }
            }
            Sighting::Filming { job } | Sighting::FilmingEnded { job } => {
                self.jobs.insert(*job);
            }
            Sighting::NodeHeard { .. }
            | Sighting::Revoking { .. }
            | Sighting::RevokeEnded { .. }
            | Sighting::MemoryNeeded { .. }
            | Sighting::TimePassed
            | Sighting::Planned(_)
            | Sighting::Dispatching { .. }
            | Sighting::Dispatched { .. }
            | Sighting::BatchBegun { .. }
            | Sighting::Contested { .. }
            | Sighting::FetchEnded { .. } => {}
        }
    }

    /// Adds what another has noted.
    pub(crate) fn add(&mut self, other: Self) {
        self.jobs.extend(other.jobs);
        self.batches.extend(other.batches);
        self.nodes.extend(other.nodes);
        for (job, frames) in other.frames {
            self.frames.entry(job).or_default().extend(frames);
        }
        self.roll |= other.roll;
    }

    fn batch(&mut self, farm: &Farm, batch: BatchId) {
        self.batches.insert(batch);
        if let Some(held) = farm.batch(batch) {
            self.jobs.insert(held.job);
            self.nodes.insert(held.node);
        }
    }

    fn frames_of(&mut self, job: JobId, frames: &FrameSet) {
        self.jobs.insert(job);
        self.frames.entry(job).or_default().extend(frames.iter());
    }
}
