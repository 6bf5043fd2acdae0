//! Who renders what next. Returns data, with the reason for each choice; how it is carried out is not known
//! here.
//!
//! - A batch is as many neighbouring frames as take the target time on that node, fewer toward the end of the
//!   job (guided self-scheduling), and one or two while nothing was measured.
//! - A node gets its next batch while it renders the last frame of the one before.
//! - Jobs of one priority share the nodes; one that has none yet takes the next slot that finishes a frame.
//! - When nothing waits any more, idle nodes get what slow ones have not started, and then a copy of what these
//!   render.

mod assign;
mod blenders;
mod fit;
mod room;
mod source;
mod tail;
mod way;

use std::collections::{BTreeMap, BTreeSet};

use farmhand_protocol::farm::JobState;
use farmhand_protocol::{BlenderVersion, JobId, NodeId};

use crate::agenda::{Planned, Power, SMALL};
use crate::decide::Decision;
use crate::fact::Sighting;
use crate::farm::{Farm, Now};
use crate::job::{Job, JobSpec};
use crate::node::Unfit;

use assign::Assignment;
use blenders::Blenders;
pub(crate) use blenders::choose_blender;
pub(crate) use fit::{unfit, unfit_for};
use room::{Place, Room};
use source::Source;

/// Between two ticks a big farm counts its Blenders only where few jobs have none yet: nodes times these jobs. Many such
/// jobs are a queue, which is there in every plan.
const LOOKS: usize = 1 << 16;

/// Hands out waiting frames to nodes that have room, best job first. To be called after every turn, and applied
/// before it is called again: it looks only at what has changed since.
#[must_use]
pub fn schedule(farm: &Farm, now: Now) -> Decision {
    let agenda = &farm.seen.agenda;
    let everything = agenda.wants_everything(farm.seen.nodes.len());
    let wanting = agenda.wants_wanting();
    if !everything && !wanting && agenda.nodes.is_empty() {
        return Decision::default();
    }
    let mut plan = Plan::new(farm, now, everything || agenda.time);
    let looked_at: Vec<NodeId> = if everything {
        farm.seen.nodes.keys().copied().collect()
    } else if wanting {
        agenda.nodes.union(&agenda.wanting).copied().collect()
    } else {
        agenda.nodes.iter().copied().collect()
    };
    plan.planned.everything = everything;
    plan.planned.work = everything || wanting;
    plan.hand_out(&looked_at);
    if everything || agenda.time {
        plan.make_way();
    }
    if agenda.time {
        plan.mend_the_tail();
    }
    plan.planned.looked_at = looked_at;
    plan.decision.sightings.push(Sighting::Planned(plan.planned));
    plan.decision
}

struct Plan<'a> {
    farm: &'a Farm,
    now: Now,
    /// Time has passed, or anything may have changed: what takes long to find is looked for again.
    thorough: bool,
    power: Power,
    rooms: BTreeMap<NodeId, Room>,
    /// Jobs with frames left, best first; found when the first node has room.
    jobs: Option<Vec<Open<'a>>>,
    next_batch: u64,
    decision: Decision,
    planned: Planned,
}

/// A job that has not ended.
struct Open<'a> {
    id: JobId,
    job: &'a Job,
    /// The Blender that renders it, where any node has one.
    version: Option<BlenderVersion>,
    is_chosen: bool,
    source: Source<'a>,
    /// Batches that nodes have of it.
    held: usize,
    /// Nodes that work on it, where their number is limited.
    nodes: Option<BTreeSet<NodeId>>,
}

impl<'a> Plan<'a> {
    fn new(farm: &'a Farm, now: Now, thorough: bool) -> Self {
        let mut plan = Self {
            farm,
            now,
            thorough,
            power: farm.seen.agenda.power,
            rooms: BTreeMap::new(),
            jobs: None,
            next_batch: farm.next_batch().0,
            decision: Decision::default(),
            planned: Planned::default(),
        };
        if thorough {
            plan.power = power_of(farm, now);
            plan.planned.power = Some(plan.power);
        }
        plan
    }

    /// Fills the room that these nodes have, the one first that would be done first.
    fn hand_out(&mut self, nodes: &[NodeId]) {
        let mut with_room = Vec::new();
        for &node in nodes {
            let Some(presence) = self
                .farm
                .presence(node)
                .filter(|_| self.farm.node(node).is_some())
            else {
                continue;
            };
            match unfit(self.farm, self.now, node, presence) {
                None => {}
                Some(Unfit::Rests(_)) => {
                    self.planned.wanting.push(node);
                    continue;
                }
                Some(_) => continue,
            }
            let room = Room::of(self.farm, self.now, node, presence);
            if room.place() != Place::None {
                with_room.push(node);
                self.rooms.insert(node, room);
            }
        }
        if with_room.is_empty() {
            return;
        }
        self.find_jobs();
        if with_room.len() > 1 {
            self.soonest_first(&mut with_room);
        }
        for node in with_room {
            while self.give(node) {}
            if self
                .rooms
                .get(&node)
                .is_some_and(|room| room.place() == Place::Free)
            {
                self.planned.wanting.push(node);
            }
        }
    }

    /// Gives one batch to a node that has room, if there is any for it.
    fn give(&mut self, node: NodeId) -> bool {
        let place = self.rooms.get(&node).map_or(Place::None, Room::place);
        if place == Place::None {
            return false;
        }
        let mut without = Vec::new();
        while let Some(index) = self.pick(node, place, &without) {
            let size = self.size(index, node);
            let frames = self.take(index, node, size);
            if frames.is_empty() {
                without.push(index);
                continue;
            }
            let why = self.why(index, node, place);
            self.assign(index, node, Assignment::usual(frames, why));
            return true;
        }
        false
    }

    /// The job that a node should work on next: of the highest priority, then the one whose scene it loaded less
    /// than a target time ago, because loading another costs as much as many frames, then the one that has the
    /// fewest nodes. The scene that it has loaded counts for some of those.
    fn pick(&self, node: NodeId, place: Place, without: &[usize]) -> Option<usize> {
        let jobs = self.jobs.as_ref()?;
        let room = self.rooms.get(&node)?;
        let presence = self.farm.presence(node)?;
        let with_scene = self.now.since_start.saturating_sub(presence.warm_since);
        // Behind what it has, a batch finds the scene of that, which may still be to load.
        let newest = room.newest_job().filter(|_| place == Place::Next);
        let spec = |job| self.farm.job(job).map(|job| &job.spec);
        let (newest, warm) = (newest.and_then(spec), presence.warm.and_then(spec));
        let loaded = newest.or(warm);
        let is_loaded_for = |other: &JobSpec| loaded.is_some_and(|loaded| loaded.loads_as(other));
        let settles_in = !warm.is_some_and(is_loaded_for) || with_scene < self.farm.policy().target;
        let mut best: Option<((bool, i64, JobId), usize)> = None;
        let mut level = i32::MIN;
        for (index, open) in jobs.iter().enumerate() {
            if best.is_some() && open.job.priority < level {
                break;
            }
            let is_warm = is_loaded_for(&open.job.spec);
            let stays = is_warm && settles_in;
            if stays && place == Place::Next && !open.source.is_empty() && Self::is_untried(open, node, room)
            {
                return None; // Its first frame decides; another scene behind it would be loaded for a moment.
            }
            if without.contains(&index) || !self.may_have(open, node, room, place) {
                continue;
            }
            #[expect(clippy::cast_possible_truncation, reason = "there are fewer slots than that")]
            let bonus = if is_warm {
                1 + (self.power.slots / 16.0) as i64
            } else {
                0
            };
            let held = i64::try_from(open.held).unwrap_or(i64::MAX);
            let key = (!stays, held - bonus, open.id);
            if best.is_none_or(|(least, _)| key < least) {
                best = Some((key, index));
                level = open.job.priority;
            }
        }
        best.map(|(_, index)| index)
    }

    /// Whether a node's Blender has loaded what a job needs.
    fn is_warm(&self, open: &Open<'_>, node: NodeId) -> bool {
        let warm = self.farm.presence(node).and_then(|presence| presence.warm);
        let warm = warm.and_then(|job| self.farm.job(job));
        warm.is_some_and(|warm| warm.spec.loads_as(&open.job.spec))
    }

    /// Whether a node has frames of a job and has rendered none of it yet.
    fn is_untried(open: &Open<'_>, node: NodeId, room: &Room) -> bool {
        room.holds(open.id) && !open.job.pace.was_on(node)
    }

    fn may_have(&self, open: &Open<'_>, node: NodeId, room: &Room, place: Place) -> bool {
        if open.source.is_empty() || open.version.is_none() {
            return false;
        }
        let crowded = |nodes: &BTreeSet<NodeId>, most| !nodes.contains(&node) && nodes.len() >= most as usize;
        if let Some((nodes, most)) = open.nodes.as_ref().zip(open.job.spec.max_nodes)
            && crowded(nodes, most)
        {
            return false;
        }
        if place == Place::Next {
            // A scene that fails shall fail once on a node, and only then have anything waiting behind.
            let is_new = Self::is_untried(open, node, room);
            // The last frames go to whoever is free first.
            let is_rare = f64::from(open.source.left()) * 2.0 < self.power.slots && !room.is_nearly_done();
            if is_new || is_rare {
                return false;
            }
        }
        unfit_for(self.farm, self.now, open.job, node, open.version).is_none()
    }

    fn find_jobs(&mut self) {
        if self.jobs.is_some() {
            return;
        }
        let (farm, now) = (self.farm, self.now);
        let ids = farm.seen.open.iter().flatten();
        let jobs = ids.filter_map(|id| Some((*id, farm.job(*id)?)));
        let unchosen = jobs.clone().filter(|(_, job)| job.blender.is_none()).count();
        let nodes = farm.seen.nodes.len();
        let may_choose = self.thorough || nodes <= SMALL || unchosen * nodes <= LOOKS;
        let mut blenders = Blenders::new(farm, now);
        let jobs = jobs.filter(|(_, job)| !job.paused && waits_for(farm, job).is_none());
        let mut jobs: Vec<Open<'a>> = jobs
            .map(|(id, job)| Open {
                id,
                job,
                version: job
                    .blender
                    .or_else(|| may_choose.then(|| blenders.choose(job)).flatten()),
                is_chosen: job.blender.is_some(),
                source: Source::of(&job.frames),
                held: farm.batches.count_of(id).saturating_sub(waiting_copies(farm, id)),
                nodes: job
                    .spec
                    .max_nodes
                    .map(|_| farm.batches_of(id).map(|(_, batch)| batch.node).collect()),
            })
            .collect();
        jobs.sort_by_key(|open| (std::cmp::Reverse(open.job.priority), open.id));
        self.jobs = Some(jobs);
    }

    /// Orders nodes by when they would have done a frame of the best job.
    fn soonest_first(&self, nodes: &mut [NodeId]) {
        let jobs = self.jobs.iter().flatten();
        let Some(best) = jobs.into_iter().find(|open| !open.source.is_empty()) else {
            return;
        };
        nodes.sort_by_cached_key(|node| {
            let room = self.rooms.get(node);
            let wait = room.map_or(0.0, Room::seconds_to_a_slot);
            let whole = wait + self.seconds_on(best, *node);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the order of milliseconds is enough"
            )]
            let key = (whole * 1000.0) as u64;
            (room.map(|room| room.place() != Place::Free), key, *node)
        });
    }

    /// Seconds from now until an idle node has done one frame of a job.
    fn seconds_on(&self, open: &Open<'_>, node: NodeId) -> f64 {
        let pace = &open.job.pace;
        let next = open.source.place();
        let frame = pace.seconds(&self.farm.speeds, node, next).unwrap_or(1.0);
        if self.is_warm(open, node) {
            frame
        } else {
            frame + pace.first_extra(frame)
        }
    }
}

/// The job that another one waits for, and how that stands.
pub(crate) fn waits_for(farm: &Farm, job: &Job) -> Option<(JobId, JobState)> {
    let before = job.spec.after?;
    let state = farm.job(before)?.state();
    (state != JobState::Completed).then_some((before, state))
}

/// Batches of a job that only wait beside another one of it.
fn waiting_copies(farm: &Farm, id: JobId) -> usize {
    let contested = farm.seen.contested.iter().map(|original| {
        let group = farm.batches.members(*original);
        group
            .filter(|(_, batch)| batch.job == id)
            .count()
            .saturating_sub(1)
    });
    contested.sum()
}

fn power_of(farm: &Farm, now: Now) -> Power {
    let fit = farm
        .seen
        .nodes
        .iter()
        .filter(|(id, presence)| farm.node(**id).is_some() && unfit(farm, now, **id, presence).is_none());
    fit.fold(Power::default(), |power, (id, presence)| {
        let slots = f64::from(presence.info.slots);
        Power {
            slots: power.slots + slots,
            speed: power.speed + slots * farm.speeds.factor(*id),
        }
    })
}
