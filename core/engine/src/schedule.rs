//! Who renders what next. Returns data, with the reason for each choice; how it is carried out is not known
//! here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{BlenderVersion, Failure, Frame, FrameSet, JobId, NodeId};

use crate::decide::Decision;
use crate::effect::Effect;
use crate::fact::{Fact, Sighting};
use crate::farm::{Farm, Now};
use crate::job::Job;
use crate::node::{Presence, Unfit};

/// Hands out waiting frames to nodes that have room, best job first.
///
/// A node gets its next batch when all that it still has to render is what its slots are rendering, so that
/// it never waits for us between two batches.
#[must_use]
pub fn schedule(farm: &Farm, now: Now) -> Decision {
    let mut plan = Plan::new(farm, now);
    let mut jobs: Vec<(JobId, &Job)> = farm.jobs.iter().map(|(id, job)| (*id, job)).collect();
    jobs.retain(|(_, job)| !job.paused && !job.frames.is_settled());
    jobs.sort_by_key(|(id, job)| (Reverse(job.priority), *id));
    for (id, job) in jobs {
        if !plan.room.values().any(Room::has_place) {
            break;
        }
        plan.hand_out(id, job);
    }
    plan.decision
}

struct Plan<'a> {
    farm: &'a Farm,
    now: Now,
    room: BTreeMap<NodeId, Room>,
    next_batch: u64,
    decision: Decision,
}

/// How much a node that could take work has still to render.
struct Room {
    slots: usize,
    /// Frames left to render, for each of its batches that has any.
    batches: Vec<u32>,
}

impl Room {
    /// A batch for each slot, and a following one for each that renders its last frame.
    fn has_place(&self) -> bool {
        let going_on = self.batches.iter().filter(|left| **left > 1).count();
        going_on < self.slots && self.batches.len() < 2 * self.slots
    }

    fn frames_left(&self) -> u32 {
        self.batches.iter().sum()
    }

    /// Orders nodes by what is left to render for each slot.
    fn busyness(&self) -> u64 {
        u64::from(self.frames_left()) * 1000 / (self.slots.max(1) as u64)
    }
}

impl<'a> Plan<'a> {
    fn new(farm: &'a Farm, now: Now) -> Self {
        let fit =
            farm.seen.nodes.iter().filter(|(id, presence)| {
                farm.node(**id).is_some() && unfit(farm, now, **id, presence).is_none()
            });
        let room = |slots: u32| Room {
            slots: slots as usize,
            batches: Vec::new(),
        };
        let mut room: BTreeMap<NodeId, Room> = fit
            .map(|(id, presence)| (*id, room(presence.info.slots)))
            .collect();
        for (id, batch) in &farm.batches {
            let left = farm.unrendered(*id, batch);
            if let Some(room) = room.get_mut(&batch.node).filter(|_| left > 0) {
                room.batches.push(left);
            }
        }
        Self {
            farm,
            now,
            room,
            next_batch: farm.next_batch().0,
            decision: Decision::default(),
        }
    }

    fn hand_out(&mut self, id: JobId, job: &Job) {
        let Some(version) = job.blender.or_else(|| choose_blender(self.farm, self.now, job)) else {
            return;
        };
        let suits = |node: &NodeId| unfit_for(self.farm, job, *node, Some(version)).is_none();
        let mut nodes: Vec<NodeId> = self.room.keys().copied().filter(suits).collect();
        let slots: usize = nodes.iter().map(|node| self.room[node].slots).sum();
        let mut source = job.frames.pending();
        let mut left = job.frames.counts(0).pending as usize;
        let mut pending: Vec<Frame> = Vec::new();
        let mut is_chosen = job.blender.is_some();
        loop {
            nodes.retain(|node| self.room[node].has_place());
            // The least busy node first, so that a few frames spread over all.
            let Some(&node) = nodes
                .iter()
                .min_by_key(|node| (self.room[*node].busyness(), **node))
            else {
                return;
            };
            let size = self.batch_size(job, left, slots);
            let lacking = size.saturating_sub(pending.len());
            pending.extend(source.by_ref().take(lacking));
            let frames = self.frames_for(job, node, &pending);
            if frames.is_empty() {
                nodes.retain(|other| *other != node);
                continue;
            }
            pending.retain(|frame| !frames.contains(*frame));
            left -= frames.len() as usize;
            if !std::mem::replace(&mut is_chosen, true) {
                self.decision.facts.push(Fact::BlenderChosen { job: id, version });
            }
            self.assign(id, job, node, frames, version);
        }
    }

    /// Toward the end of a job smaller batches keep all slots busy to the last frame.
    fn batch_size(&self, job: &Job, left: usize, slots: usize) -> usize {
        let usual = self.farm.policy().batch_size as usize;
        let size = job
            .spec
            .batch_size
            .map_or_else(|| usual.min(left.div_ceil(slots.max(1))), |size| size as usize);
        size.max(1)
    }

    /// Of these frames those that this node should try: not where one has failed while another could try it.
    fn frames_for(&self, job: &Job, node: NodeId, pending: &[Frame]) -> FrameSet {
        let fit_elsewhere = |tried: &[NodeId]| {
            let nodes = self.farm.node_ids().filter(|other| !tried.contains(other));
            nodes.into_iter().any(|other| {
                let live = self
                    .farm
                    .presence(other)
                    .filter(|p| unfit(self.farm, self.now, other, p).is_none());
                live.is_some() && unfit_for(self.farm, job, other, job.blender).is_none()
            })
        };
        let suits = |frame: &&Frame| match job.frames.trouble(**frame) {
            Some(trouble) if trouble.nodes.contains(&node) => !fit_elsewhere(&trouble.nodes),
            _ => true,
        };
        pending.iter().filter(suits).copied().collect()
    }

    fn assign(&mut self, id: JobId, job: &Job, node: NodeId, frames: FrameSet, version: BlenderVersion) {
        let batch = farmhand_protocol::BatchId(self.next_batch);
        self.next_batch += 1;
        let Some(room) = self.room.get_mut(&node) else {
            return;
        };
        let why = match room.frames_left() {
            0 => format!("idle, has Blender {version}"),
            n => format!("only {n} frames left to render, has Blender {version}"),
        };
        room.batches.push(frames.len());
        let start = StartBatch {
            farm: self.farm.id(),
            epoch: self.farm.epoch(),
            batch,
            job: id,
            scene: job.spec.scene,
            frames: frames.clone(),
            settings: job.spec.settings.clone(),
            blender: Some(version),
            before: None,
            sources: Vec::new(),
        };
        self.decision.facts.push(Fact::BatchAssigned {
            batch,
            job: id,
            node,
            frames,
            why,
        });
        self.decision.sightings.push(Sighting::Dispatching { batch });
        self.decision.effects.push(Effect::Dispatch {
            node,
            start: Box::new(start),
        });
    }
}

/// Why a node can take nothing at the moment, whatever the job.
pub(crate) fn unfit(farm: &Farm, now: Now, node: NodeId, presence: &Presence) -> Option<Unfit> {
    if farm.node(node).is_some_and(|node| node.drained) {
        return Some(Unfit::Drained);
    }
    if presence.silent {
        return Some(Unfit::Silent);
    }
    if !presence.info.probed {
        return Some(Unfit::Probing);
    }
    if let Some(problem) = &presence.info.problem {
        return Some(Unfit::Broken(problem.clone()));
    }
    match &presence.rests {
        Some((until, failure)) if *until > now.since_start => Some(Unfit::Rests(failure.message.clone())),
        _ => None,
    }
}

/// Why a node cannot render this job, even when it has room. `version` is the Blender that it must have.
pub(crate) fn unfit_for(
    farm: &Farm,
    job: &Job,
    node: NodeId,
    version: Option<BlenderVersion>,
) -> Option<Unfit> {
    if let Some(Failure { message, .. }) = job.excluded.get(&node) {
        return Some(Unfit::Excluded(message.clone()));
    }
    let info = &farm.presence(node)?.info;
    if let Some(tag) = job.spec.tags.iter().find(|tag| !info.tags.contains(tag)) {
        return Some(Unfit::LacksTag(tag.clone()));
    }
    let has = |version| info.engines.iter().any(|engine| engine.version == version);
    version
        .filter(|version| !has(*version))
        .map(|_| Unfit::LacksBlender)
}

/// The Blender for all frames of a job: the scene's own series, else the lowest newer one that a node has,
/// else, only where that is allowed, the newest older one. Of one series the most common version, then the
/// newest.
pub(crate) fn choose_blender(farm: &Farm, now: Now, job: &Job) -> Option<BlenderVersion> {
    let live = farm.seen.nodes.iter().filter(|(id, presence)| {
        unfit(farm, now, **id, presence).is_none() && unfit_for(farm, job, **id, None).is_none()
    });
    let mut versions: BTreeMap<BlenderVersion, usize> = BTreeMap::new();
    for engine in live.flat_map(|(_, presence)| &presence.info.engines) {
        *versions.entry(engine.version).or_default() += 1;
    }
    let wanted = job.spec.written_by.map_or((0, 0), BlenderVersion::series);
    let series = versions.keys().map(|version| version.series());
    let newer = series.clone().filter(|series| *series >= wanted).min();
    let older = series.max().filter(|_| job.spec.settings.allow_older_blender);
    let series = newer.or(older)?;
    let of_series = versions
        .into_iter()
        .filter(|(version, _)| version.series() == series);
    of_series
        .max_by_key(|(version, nodes)| (*nodes, *version))
        .map(|(version, _)| version)
}
