//! The farm's state, and what facts and sightings do to it. Nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, Epoch, FarmId, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, Sighting, Stamped};
use crate::job::{Attempt, Batch, Job};
use crate::node::{Node, Presence};
use crate::table::Durable;

/// The time of an event, told by whoever has clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Time since the farm was opened, which never jumps: leases are measured by it.
    pub since_start: Duration,
    /// The clock on the wall: what facts are stamped with.
    pub wall: Timestamp,
}

/// What an owner of a farm may set.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// A node that is silent for so long loses its batches.
    pub lease: Duration,
    /// Attempts at a frame before it has failed, at least 1.
    pub attempts: u32,
    /// Lost nodes before a frame has failed, at least 1.
    pub losses: u32,
    /// Frames of a batch where the job does not say, at least 1.
    pub batch_size: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            attempts: 3,
            losses: 3,
            batch_size: 5,
        }
    }
}

/// The whole farm. What is serialized is what facts built; what is only seen starts empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Farm {
    id: FarmId,
    #[serde(skip)]
    epoch: Epoch,
    #[serde(skip)]
    policy: Policy,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Batches that have not ended.
    pub(crate) batches: BTreeMap<BatchId, Batch>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) addresses: BTreeSet<String>,
    last_job: u64,
    last_batch: u64,
    #[serde(skip)]
    pub(crate) seen: Seen,
}

/// What is true only while it is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: BTreeMap<NodeId, Presence>,
    pub(crate) dispatching: BTreeSet<BatchId>,
    pub(crate) rendering: BTreeMap<BatchId, BTreeSet<Frame>>,
    pub(crate) fetching: BTreeSet<(BatchId, Frame)>,
}

impl Farm {
    /// A farm of which nothing is known yet.
    pub fn new(id: FarmId) -> Self {
        Self {
            id,
            epoch: Epoch::default(),
            policy: Policy::default(),
            jobs: BTreeMap::new(),
            batches: BTreeMap::new(),
            nodes: BTreeMap::new(),
            addresses: BTreeSet::new(),
            last_job: 0,
            last_batch: 0,
            seen: Seen::default(),
        }
    }

    /// Must be called once after replay and before the first event: who writes the journal now, and by which
    /// rules.
    pub fn open(&mut self, epoch: Epoch, policy: Policy) {
        self.epoch = epoch;
        self.policy = policy;
        self.seen = Seen::default();
    }

    /// Which farm.
    pub fn id(&self) -> FarmId {
        self.id
    }

    /// The epoch it was opened under.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The rules it was opened with.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A job that has not been forgotten.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// A batch: running, or among the newest ended ones of its job.
    pub fn batch(&self, id: BatchId) -> Option<&Batch> {
        let ended = || {
            let mut all = self.jobs.values().flat_map(|job| &job.ended_batches);
            all.find(|(ended, _)| *ended == id).map(|(_, batch)| batch)
        };
        self.batches.get(&id).or_else(ended)
    }

    /// A node by its id.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// What is seen of a node since this start.
    pub fn presence(&self, id: NodeId) -> Option<&Presence> {
        self.seen.nodes.get(&id)
    }

    /// All jobs, in the order in which they were submitted.
    pub fn job_ids(&self) -> impl Iterator<Item = JobId> + '_ {
        self.jobs.keys().copied()
    }

    /// All nodes that were ever reached and not removed.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied()
    }

    /// Addresses to keep connections to: those that were added, and where nodes were last reached.
    pub fn addresses(&self) -> BTreeSet<String> {
        let joined = self.nodes.values().map(|node| node.address.clone());
        self.addresses.iter().cloned().chain(joined).collect()
    }

    /// Whether this address was added by a person or by its agent, rather than met.
    pub fn is_added(&self, address: &str) -> bool {
        self.addresses.contains(address)
    }

    /// Other nodes than this one that were last reached at this address.
    pub(crate) fn others_at(&self, node: NodeId, address: &str) -> impl Iterator<Item = NodeId> {
        self.nodes
            .iter()
            .filter(move |(id, other)| **id != node && other.address == address)
            .map(|(id, _)| *id)
    }

    /// Frames of a job that are being rendered, as far as is seen.
    pub fn rendering(&self, job: JobId) -> FrameSet {
        let of_job = |batch: &BatchId| self.batches.get(batch).is_some_and(|batch| batch.job == job);
        let frames = self.seen.rendering.iter().filter(|(batch, _)| of_job(batch));
        frames.flat_map(|(_, frames)| frames.iter().copied()).collect()
    }

    pub(crate) fn next_job(&self) -> JobId {
        JobId(self.last_job + 1)
    }

    pub(crate) fn next_batch(&self) -> BatchId {
        BatchId(self.last_batch + 1)
    }

    /// Running batches on a node.
    pub(crate) fn batches_on(&self, node: NodeId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.batches
            .iter()
            .filter(move |(_, batch)| batch.node == node)
            .map(|(id, batch)| (*id, batch))
    }

    /// Running batches of a job.
    pub(crate) fn batches_of(&self, job: JobId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.batches
            .iter()
            .filter(move |(_, batch)| batch.job == job)
            .map(|(id, batch)| (*id, batch))
    }

    /// Frames of a running batch that its node has still to render.
    pub(crate) fn unrendered(&self, id: BatchId, batch: &Batch) -> u32 {
        let home = self
            .seen
            .fetching
            .range((id, Frame::MIN)..=(id, Frame::MAX))
            .count();
        batch
            .open
            .len()
            .saturating_sub(u32::try_from(home).unwrap_or(u32::MAX))
    }

    /// Changes what is remembered. Facts about what is no longer there change nothing.
    #[expect(clippy::too_many_lines, reason = "a table: one fact, one change")]
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        match &stamped.fact {
            Fact::JobSubmitted { job, spec } => {
                self.last_job = self.last_job.max(job.0);
                self.jobs.insert(*job, Job::new((**spec).clone(), at));
            }
            Fact::JobPaused { job } => self.with_job(*job, |job| job.paused = true),
            Fact::JobResumed { job } => self.with_job(*job, |job| job.paused = false),
            Fact::PriorityChanged { job, priority } => self.with_job(*job, |job| job.priority = *priority),
            Fact::JobRenamed { job, name } => self.with_job(*job, |job| job.name.clone_from(name)),
            Fact::JobForgotten { job } => {
                self.jobs.remove(job);
            }
            Fact::BlenderChosen { job, version } => self.with_job(*job, |job| job.blender = Some(*version)),
            Fact::BatchAssigned {
                batch,
                job,
                node,
                frames,
                why,
            } => {
                self.last_batch = self.last_batch.max(batch.0);
                self.with_job(*job, |job| {
                    job.frames.set_all(frames, Durable::Leased);
                    job.started.get_or_insert(at);
                });
                let batch_now = Batch {
                    job: *job,
                    node: *node,
                    frames: frames.clone(),
                    open: frames.clone(),
                    delivered: FrameSet::default(),
                    failed: FrameSet::default(),
                    why: why.clone(),
                    assigned: at,
                    ended: None,
                };
                self.batches.insert(*batch, batch_now);
            }
            Fact::FrameDelivered {
                job,
                frame,
                batch,
                render_ms,
                ..
            } => {
                self.close(*batch, &FrameSet::from(*frame), |batch, frames| {
                    batch.delivered = batch.delivered.union(frames);
                });
                self.with_job(*job, |job| {
                    job.frames.set(*frame, Durable::Delivered);
                    job.render_ms += render_ms;
                });
                self.settle(*job, at);
            }
            Fact::AttemptFailed {
                job,
                frame,
                batch,
                node,
                failure,
                last,
            } => {
                self.close(*batch, &FrameSet::from(*frame), |batch, frames| {
                    batch.failed = batch.failed.union(frames);
                });
                self.with_job(*job, |job| {
                    let trouble = job.frames.trouble_mut(*frame);
                    trouble.failures += 1;
                    trouble.last = Some(failure.clone());
                    if !trouble.nodes.contains(node) {
                        trouble.nodes.push(*node);
                    }
                    job.frames
                        .set(*frame, if *last { Durable::Failed } else { Durable::Pending });
                    let (batch, node, failure) = (*batch, *node, failure.clone());
                    job.keep_attempt(Attempt {
                        frame: *frame,
                        batch,
                        node,
                        at,
                        failure,
                    });
                });
                self.settle(*job, at);
            }
            Fact::NodeExcluded { job, node, failure } => self.with_job(*job, |job| {
                job.excluded.insert(*node, failure.clone());
            }),
            Fact::FramesReturned { batch, frames } => {
                if let Some(job) = self.batches.get(batch).map(|batch| batch.job) {
                    self.close(*batch, frames, |_, _| ());
                    self.with_job(job, |job| job.frames.set_all(frames, Durable::Pending));
                }
            }
            Fact::BatchEnded { batch, state } => self.end(*batch, *state, at),
            Fact::BatchLost { batch } => {
                if let Some((job, open)) = self
                    .batches
                    .get(batch)
                    .map(|batch| (batch.job, batch.open.clone()))
                {
                    self.with_job(job, |job| {
                        job.frames.set_all(&open, Durable::Pending);
                        open.iter()
                            .for_each(|frame| job.frames.trouble_mut(frame).losses += 1);
                    });
                    self.end(*batch, BatchState::Lost, at);
                }
            }
            Fact::FramesFailed { job, frames, failure } => {
                self.take_from_batches(*job, frames);
                self.with_job(*job, |job| {
                    job.frames.set_all(frames, Durable::Failed);
                    job.last_failure = Some(failure.clone());
                });
                self.settle(*job, at);
            }
            Fact::FramesCancelled { job, frames } => {
                self.take_from_batches(*job, frames);
                self.with_job(*job, |job| job.frames.set_all(frames, Durable::Cancelled));
                self.settle(*job, at);
            }
            Fact::FramesRequeued { job, frames } => self.with_job(*job, |job| {
                for frame in frames.iter() {
                    if job.frames.state(frame) == Some(Durable::Delivered) {
                        job.frames.revise(frame);
                    }
                    job.frames.forgive(frame);
                    job.frames.set(frame, Durable::Pending);
                }
                // Who asks again has changed something: every node gets a new chance.
                job.excluded.clear();
                job.last_failure = None;
                job.ended = None;
            }),
            Fact::AddressAdded { address } => {
                self.addresses.insert(address.clone());
            }
            Fact::AddressRemoved { address } => {
                self.addresses.remove(address);
            }
            Fact::NodeJoined { node, name, address } => {
                let drained = self.nodes.get(node).is_some_and(|node| node.drained);
                let joined = Node {
                    name: name.clone(),
                    address: address.clone(),
                    drained,
                    since: at,
                };
                self.nodes.insert(*node, joined);
            }
            Fact::NodeRemoved { node } => {
                self.nodes.remove(node);
                self.seen.nodes.remove(node);
            }
            Fact::NodeDrained { node } => self.set_drained(*node, true, at),
            Fact::NodeResumed { node } => self.set_drained(*node, false, at),
        }
    }

    /// Changes what is seen.
    pub fn observe(&mut self, sighting: &Sighting, now: Now) {
        let at = now.since_start;
        match sighting {
            Sighting::NodeSeen { info } => {
                let presence = self
                    .seen
                    .nodes
                    .entry(info.id)
                    .or_insert_with(|| Presence::new((**info).clone(), at));
                presence.info = (**info).clone();
                presence.heard = at;
                presence.silent = false;
            }
            Sighting::NodeHeard { node } => {
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.heard = at;
                    presence.silent = false;
                }
            }
            Sighting::NodeSilent { node } => {
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.silent = true;
                }
            }
            Sighting::Dispatching { batch } => {
                self.seen.dispatching.insert(*batch);
            }
            Sighting::Dispatched { batch } => {
                self.seen.dispatching.remove(batch);
            }
            Sighting::FrameStarted { batch, frame } => {
                self.seen.rendering.entry(*batch).or_default().insert(*frame);
            }
            Sighting::Fetching { batch, frame } => {
                self.seen.fetching.insert((*batch, *frame));
                if let Some(frames) = self.seen.rendering.get_mut(batch) {
                    frames.remove(frame);
                }
                let node = self.batches.get(batch).map(|batch| batch.node);
                if let Some(presence) = node.and_then(|node| self.seen.nodes.get_mut(&node)) {
                    presence.delivered(at);
                }
            }
            Sighting::FetchEnded { batch, frame } => {
                self.seen.fetching.remove(&(*batch, *frame));
            }
            Sighting::NodeRests { node, until, failure } => {
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.rests = Some((*until, failure.clone()));
                }
            }
        }
    }

    fn with_job(&mut self, id: JobId, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            change(job);
        }
    }

    /// Stamps the end on a job whose last frame has settled.
    fn settle(&mut self, id: JobId, at: Timestamp) {
        self.with_job(id, |job| {
            if job.frames.is_settled() {
                job.ended.get_or_insert(at);
            }
        });
    }

    /// Takes frames out of what is open in a batch.
    fn close(&mut self, id: BatchId, frames: &FrameSet, note: impl FnOnce(&mut Batch, &FrameSet)) {
        if let Some(batch) = self.batches.get_mut(&id) {
            batch.open = batch.open.difference(frames);
            note(batch, frames);
        }
        if let Some(rendering) = self.seen.rendering.get_mut(&id) {
            rendering.retain(|frame| !frames.contains(*frame));
        }
    }

    fn take_from_batches(&mut self, job: JobId, frames: &FrameSet) {
        let holding: Vec<BatchId> = self.batches_of(job).map(|(id, _)| id).collect();
        for id in holding {
            self.close(id, frames, |_, _| ());
        }
    }

    fn end(&mut self, id: BatchId, state: BatchState, at: Timestamp) {
        self.seen.rendering.remove(&id);
        self.seen.dispatching.remove(&id);
        self.seen.fetching.retain(|(batch, _)| *batch != id);
        if let Some(mut batch) = self.batches.remove(&id) {
            batch.open = FrameSet::default();
            batch.ended = Some((state, at));
            self.with_job(batch.job, |job| job.keep_ended(id, batch));
        }
    }

    fn set_drained(&mut self, id: NodeId, drained: bool, at: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.drained = drained;
            node.since = at;
        }
    }
}
