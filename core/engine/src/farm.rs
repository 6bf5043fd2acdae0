//! The farm's state, and what facts and sightings do to it. Nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, Epoch, FailureKind, FarmId, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agenda::Agenda;
use crate::batches::Batches;
use crate::fact::{Fact, Sighting, Stamped};
use crate::job::{Attempt, Ban, Batch, Job};
use crate::node::{Node, Presence};
use crate::pace::{Pace, Speeds};
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

    /// Changes what is remembered. Facts about what is no longer there change nothing.
    #[expect(clippy::too_many_lines, reason = "a table: one fact, one change")]
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        match &stamped.fact {
            Fact::JobSubmitted { job, spec } => {
                self.last_job = self.last_job.max(job.0);
                self.jobs.insert(*job, Job::new((**spec).clone(), at));
                self.offer(*job);
            }
            Fact::JobPaused { job } => self.with_job(*job, |job| job.paused = true),
            Fact::JobResumed { job } => {
                self.with_job(*job, |job| job.paused = false);
                self.offer(*job);
            }
            Fact::PriorityChanged { job, priority } => {
                self.with_job(*job, |job| job.priority = *priority);
                self.offer(*job);
            }
            Fact::JobRenamed { job, name } => self.with_job(*job, |job| job.name.clone_from(name)),
            Fact::JobForgotten { job } => {
                self.jobs.remove(job);
                self.forget_what_was_seen_of(*job);
                self.seen.agenda.everything = true; // Another may have waited for it.
            }
            Fact::BlenderChosen { job, version } => self.with_job(*job, |job| job.blender = Some(*version)),
            Fact::BatchAssigned {
                batch,
                job,
                node,
                frames,
                why,
                copy_of,
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
                    render_ms: 0,
                    why: why.clone(),
                    assigned: at,
                    ended: None,
                    copy_of: *copy_of,
                };
                self.batches.insert(*batch, batch_now);
            }
            Fact::FrameDelivered {
                job,
                frame,
                batch,
                node,
                render_ms,
                ..
            } => {
                let frames = FrameSet::from(*frame);
                self.close(*batch, &frames, |batch, frames| {
                    batch.delivered = batch.delivered.union(frames);
                    batch.render_ms += render_ms;
                });
                if let Some((twin, _)) = self.batches.twin(*batch) {
                    self.close(twin, &frames, |_, _| ());
                }
                let slots = self
                    .seen
                    .nodes
                    .get(node)
                    .map_or(1, |presence| presence.info.slots);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.frames.set(*frame, Durable::Delivered);
                    job.render_ms += render_ms;
                    job.streaks.remove(node);
                    let seconds = Duration::from_millis(*render_ms).as_secs_f64();
                    let place = job.frames.place(*frame);
                    job.pace.learn(&mut self.speeds, *node, slots, place, seconds);
                }
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
                let state = match self.is_held_by_twin(*batch, *frame) {
                    _ if *last => Durable::Failed,
                    true => Durable::Leased,
                    false => Durable::Pending,
                };
                self.note_lack_of_memory(*job, *node, failure.kind);
                self.with_job(*job, |job| {
                    *job.streaks.entry(*node).or_default() += 1;
                    let trouble = job.frames.trouble_mut(*frame);
                    trouble.failures += 1;
                    trouble.last = Some(failure.clone());
                    if !trouble.nodes.contains(node) {
                        trouble.nodes.push(*node);
                    }
                    job.frames.set(*frame, state);
                    let (batch, node, failure) = (*batch, *node, failure.clone());
                    job.keep_attempt(Attempt {
                        frame: *frame,
                        batch,
                        node,
                        at,
                        failure,
                    });
                });
                self.look_at(*node);
                self.seen.agenda.work = true;
                self.settle(*job, at);
            }
            Fact::NodeExcluded { job, node, failure } => self.with_job(*job, |job| {
                job.excluded.insert(*node, failure.clone());
            }),
            Fact::NodeBanned {
                job,
                node,
                until,
                failure,
            } => self.with_job(*job, |job| {
                let times = job.bans.get(node).map_or(0, |ban| ban.times) + 1;
                let ban = Ban {
                    until: *until,
                    times,
                    failure: failure.clone(),
                };
                job.bans.insert(*node, ban);
                job.streaks.remove(node);
            }),
            Fact::FramesReturned { batch, frames } => {
                if let Some(held) = self.batches.get(*batch) {
                    let (job, node, frames) = (held.job, held.node, held.open.intersection(frames));
                    self.close(*batch, &frames, |_, _| ());
                    let alone = self.not_held_by_twin(*batch, &frames);
                    self.with_job(job, |job| job.frames.set_all(&alone, Durable::Pending));
                    self.look_at(node);
                    self.seen.agenda.work = true;
                }
            }
            Fact::BatchEnded { batch, state } => self.end(*batch, *state, at),
            Fact::BatchLost { batch } => {
                if let Some((job, node, open)) = self
                    .batches
                    .get(*batch)
                    .map(|batch| (batch.job, batch.node, batch.open.clone()))
                {
                    let alone = self.not_held_by_twin(*batch, &open);
                    self.seen.agenda.work = true;
                    self.seen.lost.entry(node).or_default().push((job, *batch));
                    self.with_job(job, |job| {
                        job.frames.set_all(&alone, Durable::Pending);
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
            Fact::FramesRequeued { job, frames } => {
                self.with_job(*job, |job| {
                    for frame in frames.iter() {
                        if job.frames.state(frame) == Some(Durable::Delivered) {
                            job.frames.revise(frame);
                        }
                        job.frames.forgive(frame);
                        job.frames.set(frame, Durable::Pending);
                    }
                    // Who asks again has changed something: every node gets a new chance.
                    job.excluded.clear();
                    job.bans.clear();
                    job.streaks.clear();
                    job.last_failure = None;
                    job.ended = None;
                    job.films = None;
                });
                self.offer(*job);
            }
            Fact::FramesRevised { job, frames, .. } => {
                self.with_job(*job, |job| {
                    for frame in frames.iter() {
                        job.frames.revise(frame);
                        job.frames.forgive(frame);
                        job.frames.set(frame, Durable::Pending);
                    }
                    job.ended = None;
                    job.films = None;
                });
                self.offer(*job);
            }
            Fact::FilmLearned { job, film } => self.with_job(*job, |job| job.film = Some(film.clone())),
            Fact::FilmsAsked { job } => self.with_job(*job, |job| {
                job.video = true;
                job.films = None;
            }),
            Fact::FilmsMade { job, films } => self.with_job(*job, |job| job.films = Some(films.clone())),
            Fact::AddressAdded { address } => {
                self.addresses.insert(address.clone());
            }
            Fact::AddressRemoved { address } => {
                self.addresses.remove(address);
            }
            Fact::NodeJoined { node, name, address } => {
                let known = self.nodes.get(node);
                let joined = Node {
                    name: name.clone(),
                    address: address.clone(),
                    drained: known.is_some_and(|node| node.drained),
                    since: at,
                    too_small_for: known.map_or_else(Vec::new, |node| node.too_small_for.clone()),
                };
                self.nodes.insert(*node, joined);
            }
            Fact::NodeRemoved { node } => {
                self.nodes.remove(node);
                self.seen.nodes.remove(node);
                self.seen.agenda.everything = true;
                self.seen.lost.remove(node);
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
                self.look_at(info.id);
                if !self.seen.nodes.contains_key(&info.id) {
                    let slots = f64::from(info.slots);
                    self.seen.agenda.power.slots += slots;
                    self.seen.agenda.power.speed += slots * self.speeds.factor(info.id);
                }
                self.seen.agenda.everything = true;
                let presence = self
                    .seen
                    .nodes
                    .entry(info.id)
                    .or_insert_with(|| Presence::new((**info).clone(), at));
                presence.info = (**info).clone();
                presence.heard = at;
                presence.silent = false;
                self.seen.lost.remove(&info.id);
            }
            Sighting::NodeHeard { node } => {
                self.seen.lost.remove(node);
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.heard = at;
                    if std::mem::replace(&mut presence.silent, false) {
                        self.seen.agenda.everything = true;
                    }
                }
            }
            Sighting::NodeSilent { node } => {
                self.seen.agenda.everything = true;
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.silent = true;
                }
            }
            Sighting::Dispatching { batch } => {
                self.seen.dispatching.insert(*batch);
                if let Some(batch) = self.batches.get(*batch) {
                    self.seen.handed_out.insert(batch.job, at);
                }
            }
            Sighting::Dispatched { batch } => {
                self.seen.dispatching.remove(batch);
            }
            Sighting::FrameStarted { batch, frame } => {
                let rendering = self.seen.rendering.entry(*batch).or_default();
                rendering.entry(*frame).or_insert(at);
                self.seen_at_work(*batch, at);
            }
            Sighting::Fetching { batch, frame } => {
                self.seen.fetching.insert((*batch, *frame));
                if let Some(frames) = self.seen.rendering.get_mut(batch) {
                    frames.remove(frame);
                }
                self.seen_at_work(*batch, at);
                let held = self.batches.get(*batch);
                if let Some(presence) = held.and_then(|held| self.seen.nodes.get_mut(&held.node)) {
                    presence.delivered(at);
                }
                if let Some((job, node)) = held.map(|held| (held.job, held.node)) {
                    self.with_job(job, |job| job.pace.succeeded_on(node));
                }
            }
            Sighting::FetchEnded { batch, frame } => {
                self.seen.fetching.remove(&(*batch, *frame));
            }
            Sighting::Revoking { batch, frames } => {
                let (all, since) = self.seen.revoking.entry(*batch).or_default();
                *all = all.union(frames);
                *since = at;
            }
            Sighting::RevokeEnded { batch } => {
                self.seen.revoking.remove(batch);
                self.seen_at_work(*batch, at);
            }
            Sighting::MemoryNeeded { job, bytes } => {
                let most = self.seen.memory.entry(*job).or_default();
                *most = (*most).max(*bytes);
            }
            Sighting::TimePassed => self.seen.agenda.time = true,
            Sighting::Planned(planned) => self.seen.agenda.done(planned),
            Sighting::Filming { job } => {
                self.seen.filming.insert(*job);
            }
            Sighting::FilmingEnded { job } => {
                self.seen.filming.remove(job);
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
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.frames.is_settled()) else {
            return;
        };
        job.ended.get_or_insert(at);
        job.pace = Pace::default();
        self.forget_what_was_seen_of(id);
        self.seen.agenda.everything = true; // Another may have waited for its end.
    }

    fn forget_what_was_seen_of(&mut self, id: JobId) {
        self.seen.handed_out.remove(&id);
        self.seen.memory.remove(&id);
        if let Some(open) = &mut self.seen.open {
            open.remove(&id);
        }
    }

    /// A job may have frames to hand out.
    fn offer(&mut self, id: JobId) {
        let has_frames = self.jobs.get(&id).is_some_and(|job| !job.frames.is_settled());
        if let Some(open) = self.seen.open.as_mut().filter(|_| has_frames) {
            open.insert(id);
        }
        self.seen.agenda.everything = true;
    }

    fn look_at(&mut self, node: NodeId) {
        self.seen.agenda.nodes.insert(node);
    }

    /// The node of a batch has done something.
    fn seen_at_work(&mut self, batch: BatchId, at: Duration) {
        if let Some(held) = self.batches.get(batch) {
            self.seen.agenda.nodes.insert(held.node);
            let scene = self.jobs.get(&held.job).map(|job| job.spec.scene);
            if let Some(presence) = self.seen.nodes.get_mut(&held.node) {
                if presence.warm != scene {
                    presence.warm = scene;
                    presence.warm_since = at;
                }
            }
        }
    }

    fn is_held_by_twin(&self, batch: BatchId, frame: Frame) -> bool {
        let twin = self.batches.twin(batch);
        twin.is_some_and(|(_, twin)| twin.open.contains(frame))
    }

    /// Those of a batch's frames that no twin of it renders.
    fn not_held_by_twin(&self, batch: BatchId, frames: &FrameSet) -> FrameSet {
        let twin = self.batches.twin(batch);
        twin.map_or_else(|| frames.clone(), |(_, twin)| frames.difference(&twin.open))
    }

    fn note_lack_of_memory(&mut self, job: JobId, node: NodeId, kind: FailureKind) {
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
    fn close(&mut self, id: BatchId, frames: &FrameSet, note: impl FnOnce(&mut Batch, &FrameSet)) {
        if let Some(batch) = self.batches.get_mut(id) {
            batch.open = batch.open.difference(frames);
            note(batch, frames);
        }
        if let Some(rendering) = self.seen.rendering.get_mut(&id) {
            rendering.retain(|frame, _| !frames.contains(*frame));
        }
    }

    fn take_from_batches(&mut self, job: JobId, frames: &FrameSet) {
        let holding: Vec<(BatchId, NodeId)> =
            self.batches_of(job).map(|(id, held)| (id, held.node)).collect();
        for (id, node) in holding {
            self.look_at(node);
            self.close(id, frames, |_, _| ());
        }
    }

    fn end(&mut self, id: BatchId, state: BatchState, at: Timestamp) {
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
        if let Some(mut batch) = self.batches.remove(id) {
            self.look_at(batch.node);
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
        self.seen.agenda.everything = true;
    }
}
