//! The farm's state, and what can be asked of it. What facts and sightings do to it is beside this; nothing is
//! decided here.

mod changes;
mod facts;
mod sightings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use farmhand_protocol::{BatchId, Epoch, FarmId, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agenda::Agenda;
use crate::batches::Batches;
use crate::job::{Batch, Job};
use crate::node::{Node, Presence};
use crate::pace::Speeds;
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
    /// How long a batch is meant to take, where the job does not say how many frames it has.
    pub target: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            attempts: 3,
            losses: 3,
            target: Duration::from_secs(30),
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
    pub(crate) batches: Batches,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) addresses: BTreeSet<String>,
    last_job: u64,
    last_batch: u64,
    #[serde(skip)]
    pub(crate) seen: Seen,
    #[serde(skip)]
    pub(crate) speeds: Speeds,
}

/// What is true only while it is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: BTreeMap<NodeId, Presence>,
    pub(crate) dispatching: BTreeSet<BatchId>,
    /// Batches that a slot has taken.
    pub(crate) begun: BTreeSet<BatchId>,
    /// Batches whose copies wait beside them on other nodes: the first one to begin is the only one.
    pub(crate) contested: BTreeSet<BatchId>,
    /// Frames that are being rendered, and since when.
    pub(crate) rendering: BTreeMap<BatchId, BTreeMap<Frame, Duration>>,
    pub(crate) fetching: BTreeSet<(BatchId, Frame)>,
    /// Frames that are being taken back, and since when.
    pub(crate) revoking: BTreeMap<BatchId, (FrameSet, Duration)>,
    /// When a job was last handed to a node.
    pub(crate) handed_out: BTreeMap<JobId, Duration>,
    /// Peak memory that a job's frames need, in bytes.
    pub(crate) memory: BTreeMap<JobId, u64>,
    /// Jobs that may have frames to hand out; nothing: look for them.
    pub(crate) open: Option<BTreeSet<JobId>>,
    pub(crate) agenda: Agenda,
    /// Jobs of whose pictures films are being made.
    pub(crate) filming: BTreeSet<JobId>,
    /// What nodes had when they were lost, until they are heard again.
    pub(crate) lost: BTreeMap<NodeId, Vec<(JobId, BatchId)>>,
}

impl Farm {
    /// A farm of which nothing is known yet.
    pub fn new(id: FarmId) -> Self {
        Self {
            id,
            epoch: Epoch::default(),
            policy: Policy::default(),
            jobs: BTreeMap::new(),
            batches: Batches::default(),
            nodes: BTreeMap::new(),
            addresses: BTreeSet::new(),
            last_job: 0,
            last_batch: 0,
            seen: Seen::default(),
            speeds: Speeds::default(),
        }
    }

    /// Must be called once after replay and before the first event: who writes the journal now, and by which
    /// rules.
    pub fn open(&mut self, epoch: Epoch, policy: Policy) {
        self.epoch = epoch;
        self.policy = policy;
        let open = self.jobs.iter().filter(|(_, job)| !job.frames.is_settled());
        self.seen = Seen {
            open: Some(open.map(|(id, _)| *id).collect()),
            agenda: Agenda::full(),
            contested: self.batches.much_copied().collect(),
            ..Seen::default()
        };
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
            // What is asked for is nearly always what has just ended.
            let jobs = self.jobs.values().rev();
            let mut all = jobs.flat_map(|job| job.ended_batches.iter().rev());
            all.find(|(ended, _)| *ended == id).map(|(_, batch)| batch)
        };
        self.batches.get(id).or_else(ended)
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

    /// Delivered frames of a job, and in which revision each is.
    pub fn delivered_revisions(&self, job: JobId) -> Option<Vec<(Frame, u32)>> {
        let table = &self.job(job)?.frames;
        let delivered = table.in_states(&[Durable::Delivered]);
        Some(
            delivered
                .iter()
                .map(|frame| (frame, table.revision(frame)))
                .collect(),
        )
    }

    /// Frames of a job that are being rendered, as far as is seen.
    pub fn rendering(&self, job: JobId) -> FrameSet {
        let batches = self.batches.of(job);
        let frames = batches.filter_map(|(batch, _)| self.seen.rendering.get(&batch));
        frames.flat_map(|frames| frames.keys().copied()).collect()
    }

    pub(crate) fn next_job(&self) -> JobId {
        JobId(self.last_job + 1)
    }

    pub(crate) fn next_batch(&self) -> BatchId {
        BatchId(self.last_batch + 1)
    }

    /// Running batches on a node.
    pub(crate) fn batches_on(&self, node: NodeId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.batches.on(node)
    }

    /// Running batches of a job.
    pub(crate) fn batches_of(&self, job: JobId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.batches.of(job)
    }

    /// Frames of a running batch that its node has still to render and that are not being taken back.
    pub(crate) fn unrendered(&self, id: BatchId, batch: &Batch) -> u32 {
        let home = self
            .seen
            .fetching
            .range((id, Frame::MIN)..=(id, Frame::MAX))
            .count();
        let home = u32::try_from(home).unwrap_or(u32::MAX);
        let revoked = self.seen.revoking.get(&id);
        let revoked = revoked.map_or(0, |(frames, _)| frames.intersection(&batch.open).len());
        batch.open.len().saturating_sub(home).saturating_sub(revoked)
    }
}
