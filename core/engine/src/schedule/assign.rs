//! How many frames a node gets of a job, which, and the words and orders for that.

use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{BatchId, Frame, FrameSet, NodeId};

use super::room::Place;
use super::{Plan, unfit, unfit_for};
use crate::effect::Effect;
use crate::fact::{Fact, Sighting};

/// A batch has no more frames than this, however fast they are.
const MOST: u32 = 500;
/// Frames of a batch while nothing was measured: one that pays for the start, and one that shows the pace.
const UNMEASURED: u32 = 2;

/// Frames for a node.
pub(super) struct Assignment {
    pub(super) frames: FrameSet,
    pub(super) why: String,
    pub(super) copy_of: Option<BatchId>,
    /// A batch that has not started and shall wait for this one.
    pub(super) before: Option<BatchId>,
}

impl Assignment {
    pub(super) fn usual(frames: FrameSet, why: String) -> Self {
        Self {
            frames,
            why,
            copy_of: None,
            before: None,
        }
    }
}

impl Plan<'_> {
    /// Frames for the target time on this node, and no more than half its share of what is left among several.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "frames are few, and none of these is negative"
    )]
    pub(super) fn size(&self, index: usize, node: NodeId) -> u32 {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return 0;
        };
        if let Some(size) = open.job.spec.batch_size {
            return size.max(1);
        }
        let speeds = &self.farm.speeds;
        let left = f64::from(open.source.left());
        // Where there is no other slot, nobody waits for frames that are in a batch.
        let share = if self.power.slots > 1.0 && self.power.speed > 0.0 {
            left * speeds.factor(node) / self.power.speed / 2.0
        } else {
            left
        };
        let usual = match open.job.pace.seconds(speeds, node, open.source.place()) {
            Some(seconds) => self.farm.policy().target.as_secs_f64() / seconds.max(0.001),
            None => f64::from(UNMEASURED),
        };
        (usual.min(share.ceil()) as u32).clamp(1, MOST)
    }

    /// Frames that this node should try: not where one has failed while another could try it.
    pub(super) fn take(&mut self, index: usize, node: NodeId, size: u32) -> FrameSet {
        let (farm, now) = (self.farm, self.now);
        let Some(open) = self.jobs.as_mut().and_then(|jobs| jobs.get_mut(index)) else {
            return FrameSet::default();
        };
        let (job, version) = (open.job, open.version);
        let fits_elsewhere = |tried: &[NodeId]| {
            farm.seen.nodes.iter().any(|(other, presence)| {
                !tried.contains(other)
                    && farm.node(*other).is_some()
                    && unfit(farm, now, *other, presence).is_none()
                    && unfit_for(farm, now, job, *other, version).is_none()
            })
        };
        let suits = |frame: Frame| match job.frames.trouble(frame) {
            Some(trouble) if trouble.nodes.contains(&node) => !fits_elsewhere(&trouble.nodes),
            _ => true,
        };
        open.source.take(size, suits)
    }

    pub(super) fn why(&self, index: usize, node: NodeId, place: Place) -> String {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return String::new();
        };
        let state = match place {
            Place::Free => "idle",
            Place::Next | Place::None => "soon done with what it has",
        };
        let scene = if self.is_warm(open, node) {
            ", has the scene loaded"
        } else {
            ""
        };
        let version = open
            .version
            .map_or_else(String::new, |version| version.to_string());
        match open
            .job
            .pace
            .seconds(&self.farm.speeds, node, open.source.place())
        {
            Some(seconds) => {
                format!("{state}{scene}, has Blender {version}, about {seconds:.1} s a frame")
            }
            None => format!("{state}{scene}, has Blender {version}"),
        }
    }

    pub(super) fn assign(&mut self, index: usize, node: NodeId, assignment: Assignment) -> Option<BatchId> {
        let batch = BatchId(self.next_batch);
        let farm = self.farm;
        let open = self.jobs.as_mut()?.get_mut(index)?;
        let version = open.version?;
        self.next_batch += 1;
        open.held += usize::from(assignment.copy_of.is_none());
        if let Some(nodes) = &mut open.nodes {
            nodes.insert(node);
        }
        if !std::mem::replace(&mut open.is_chosen, true) {
            let job = open.id;
            self.decision.facts.push(Fact::BlenderChosen { job, version });
        }
        let Assignment {
            frames,
            why,
            copy_of,
            before,
        } = assignment;
        if let Some(room) = self.rooms.get_mut(&node) {
            let first = frames.first().map_or(0.0, |frame| open.job.frames.place(frame));
            let one = open.job.pace.seconds(&farm.speeds, node, first);
            room.add(
                open.id,
                frames.len(),
                one.map(|one| one * f64::from(frames.len())),
            );
        }
        let start = StartBatch {
            farm: farm.id(),
            epoch: farm.epoch(),
            batch,
            job: open.id,
            scene: open.job.spec.scene,
            frames: frames.clone(),
            settings: open.job.spec.settings.clone(),
            blender: Some(version),
            before,
            sources: Vec::new(),
        };
        self.decision.facts.push(Fact::BatchAssigned {
            batch,
            job: open.id,
            node,
            frames,
            why,
            copy_of,
        });
        self.decision.sightings.push(Sighting::Dispatching { batch });
        self.decision.effects.push(Effect::Dispatch {
            node,
            start: Box::new(start),
        });
        Some(batch)
    }

    /// Takes frames that have not begun back from a batch.
    pub(super) fn revoke(&mut self, node: NodeId, batch: BatchId, frames: FrameSet) {
        let revoking = Sighting::Revoking {
            batch,
            frames: frames.clone(),
        };
        self.decision.sightings.push(revoking);
        self.decision.effects.push(Effect::Revoke { node, batch, frames });
    }
}
