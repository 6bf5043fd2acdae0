//! Making way: a job that has no node yet, or a higher priority than what renders, takes the next slot that
//! finishes its frame, before what has not begun there.
//!
//! Which slot that will be is an expectation, and expectations are wrong. So what a job without a node gets first
//! waits, as copies of one batch, on several nodes: the first slot that finishes its frame begins it, and it is
//! withdrawn from the others.

use std::collections::{BTreeMap, BTreeSet};

use farmhand_protocol::{BatchId, FrameSet, JobId, NodeId};

use super::assign::Assignment;
use super::room::{rest_of, unbegun};
use super::{Plan, unfit, unfit_for};
use crate::fact::{Fact, Sighting};

/// A job that had a node this many target times ago, and none since, is as one that never had any.
const PATIENCE: u32 = 4;
/// The first frames of a job wait on no more nodes than this.
const CONTENDERS: usize = 32;

/// Jobs without a node beyond so many, and one for each slot at work, wait until those before them have one.
const MOST_WISHES: usize = 256;

/// A slot that could be had.
struct Slot {
    /// Seconds until its frame is done; nothing while no frame of its job was measured.
    seconds: Option<f64>,
    node: NodeId,
    batch: BatchId,
    priority: i32,
}

/// The first that a job was given, which waits in a node's queue.
struct First {
    node: NodeId,
    batch: BatchId,
    frames: FrameSet,
}

impl Slot {
    /// To be put in an order: what was not measured comes behind what ends soon.
    fn or_a_minute(&self) -> f64 {
        self.seconds.unwrap_or(60.0)
    }
}

impl Plan<'_> {
    pub(super) fn make_way(&mut self) {
        if self.farm.seen.begun.is_empty() {
            return; // There is nothing to go before.
        }
        self.find_jobs();
        let wishes: Vec<(usize, JobId, bool)> = {
            let jobs = self.jobs.iter().flatten().enumerate();
            let waiting = jobs.filter(|(_, open)| !open.source.is_empty() && open.version.is_some());
            let wishes =
                waiting.map(|(index, open)| (index, open.id, open.held == 0 && self.was_patient(open.id)));
            wishes.take(MOST_WISHES + self.farm.seen.begun.len()).collect()
        };
        let Some(lowest) = self.jobs.iter().flatten().map(|open| open.job.priority).min() else {
            return;
        };
        for (index, id, is_starved) in wishes {
            let priority = self.jobs.as_ref().map_or(0, |jobs| jobs[index].job.priority);
            if !is_starved && priority == lowest {
                continue;
            }
            let mut slots = self.slots_for(index, id, is_starved);
            slots.sort_by(|a, b| a.or_a_minute().total_cmp(&b.or_a_minute()));
            let mut given = Vec::new();
            for slot in &slots {
                let is_urgent = slot.priority < priority;
                let has_any = self.jobs.as_ref().is_some_and(|jobs| jobs[index].held > 0);
                if !is_urgent && has_any {
                    continue; // Of one priority it gets one slot this way, and its share as batches end.
                }
                given.extend(self.take_slot(index, slot, is_urgent));
            }
            if let [first] = &given[..]
                && is_starved
            {
                self.wait_elsewhere_too(index, first, &slots);
            }
        }
        for (index, id, first) in self.firsts_behind_others() {
            let mut slots = self.slots_for(index, id, true);
            slots.sort_by(|a, b| a.or_a_minute().total_cmp(&b.or_a_minute()));
            self.wait_elsewhere_too(index, &first, &slots);
        }
    }

    /// What this plan has given to jobs that had nothing, where it was one batch each and a node had room for it
    /// behind what it renders: which slot is free first is no more than expected there too.
    fn firsts_behind_others(&self) -> Vec<(usize, JobId, First)> {
        let farm = self.farm;
        let mut given: BTreeMap<JobId, Vec<First>> = BTreeMap::new();
        for fact in &self.decision.facts {
            if let Fact::BatchAssigned {
                batch,
                job,
                node,
                frames,
                ..
            } = fact
                && farm.batches.count_of(*job) == 0
            {
                let (batch, node, frames) = (*batch, *node, frames.clone());
                let first = First { node, batch, frames };
                given.entry(*job).or_default().push(first);
            }
        }
        let waits = |first: &First| {
            let slots = farm
                .presence(first.node)
                .map_or(0, |presence| presence.info.slots);
            let there = farm.batches_on(first.node);
            let busy = there.filter(|(id, held)| farm.unrendered(*id, held) > 0).count();
            busy >= slots as usize
        };
        let jobs = self.jobs.iter().flatten().enumerate();
        let firsts = jobs.filter_map(|(index, open)| {
            let only = given.remove(&open.id).filter(|given| given.len() == 1)?;
            let first = only.into_iter().next().filter(waits)?;
            Some((index, open.id, first))
        });
        firsts.collect()
    }

    fn was_patient(&self, id: JobId) -> bool {
        let since = self.farm.seen.handed_out.get(&id);
        let patience = self.farm.policy().target * PATIENCE;
        since.is_none_or(|since| self.now.since_start.saturating_sub(*since) >= patience)
    }

    /// Slots that work at what this job may go before.
    fn slots_for(&self, index: usize, id: JobId, is_starved: bool) -> Vec<Slot> {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return Vec::new();
        };
        let farm = self.farm;
        let begun = farm.seen.begun.iter();
        let at_work = begun.filter_map(|batch| Some((*batch, farm.batches.get(*batch)?)));
        let mut slots_of: BTreeMap<JobId, usize> = BTreeMap::new();
        for (_, held) in at_work.clone() {
            *slots_of.entry(held.job).or_default() += 1;
        }
        // Whether a job has something to give: more than one slot, or the only one there is.
        let can_give =
            |job: &JobId| self.power.slots <= 1.0 || slots_of.get(job).is_some_and(|slots| *slots > 1);
        let slots = at_work.filter_map(|(batch, held)| {
            let other = farm.job(held.job).filter(|_| held.job != id)?;
            let goes_before = other.priority < open.job.priority
                || (is_starved && other.priority == open.job.priority && can_give(&held.job));
            let presence = farm.presence(held.node).filter(|_| goes_before)?;
            let can = farm.unrendered(batch, held) > 0
                && unfit(farm, self.now, held.node, presence).is_none()
                && unfit_for(farm, self.now, open.job, held.node, open.version).is_none()
                && !farm.batches_on(held.node).any(|(_, there)| there.job == id)
                && !self.was_given(held.node, id);
            if !can {
                return None;
            }
            let rendering = farm
                .seen
                .rendering
                .get(&batch)
                .and_then(|frames| frames.iter().next());
            // Between two frames, or while it loads its scene, a slot has a whole frame before it.
            let (frame, since) = match rendering {
                Some((frame, since)) => (*frame, *since),
                None => (held.open.first()?, self.now.since_start),
            };
            let usual = other
                .pace
                .seconds(&farm.speeds, held.node, other.frames.place(frame));
            Some(Slot {
                seconds: usual.map(|usual| rest_of(usual, self.now, since)),
                node: held.node,
                batch,
                priority: other.priority,
            })
        });
        slots.collect()
    }

    /// Whether this plan has given the node a batch of this job.
    fn was_given(&self, node: NodeId, id: JobId) -> bool {
        self.rooms.get(&node).is_some_and(|room| room.holds(id))
    }

    fn take_slot(&mut self, index: usize, slot: &Slot, is_urgent: bool) -> Option<First> {
        let farm = self.farm;
        let open = self.jobs.as_ref()?.get(index)?;
        if !self.suits(open, slot.node, None) {
            return None;
        }
        let size = self.size(index, slot.node);
        let frames = self.take(index, slot.node, size);
        if frames.is_empty() {
            return None;
        }
        for (id, held) in farm.batches_on(slot.node) {
            let is_lower = is_urgent
                && farm
                    .job(held.job)
                    .is_some_and(|job| job.priority <= slot.priority);
            if id == slot.batch || (is_lower && !farm.seen.begun.contains(&id)) {
                self.revoke_rest(slot.node, id);
            }
        }
        let why = if is_urgent {
            "goes before work of a lower priority".to_owned()
        } else {
            match slot.seconds {
                Some(seconds) => {
                    format!("had no node yet; this one is done with its frame in about {seconds:.0} s")
                }
                None => "had no node yet; this one goes over to it after its frame".to_owned(),
            }
        };
        let assignment = Assignment {
            frames: frames.clone(),
            why,
            copy_of: None,
            before: self.first_unbegun(slot.node),
        };
        let batch = self.assign(index, slot.node, assignment)?;
        let node = slot.node;
        Some(First { node, batch, frames })
    }

    /// Lets the first batch of a job wait on more nodes than the one that should be done first.
    fn wait_elsewhere_too(&mut self, index: usize, first: &First, slots: &[Slot]) {
        let mut nodes = BTreeSet::from([first.node]);
        for slot in slots {
            if nodes.len() >= CONTENDERS {
                break;
            }
            let open = self.jobs.as_ref().and_then(|jobs| jobs.get(index));
            let suits = open.is_some_and(|open| self.suits(open, slot.node, first.frames.first()));
            if !suits || !nodes.insert(slot.node) {
                continue;
            }
            let assignment = Assignment {
                frames: first.frames.clone(),
                why: "had no node yet; whichever is done with its frame first begins it".to_owned(),
                copy_of: Some(first.batch),
                before: self.first_unbegun(slot.node),
            };
            self.assign(index, slot.node, assignment);
        }
        for slot in slots {
            if nodes.contains(&slot.node) {
                self.revoke_rest(slot.node, slot.batch);
            }
        }
        if nodes.len() > 1 {
            let contested = Sighting::Contested { batch: first.batch };
            self.decision.sightings.push(contested);
        }
    }

    /// The first batch in a node's queue.
    fn first_unbegun(&self, node: NodeId) -> Option<BatchId> {
        let begun = &self.farm.seen.begun;
        let mut waiting = self.farm.batches_on(node).filter(|(id, _)| !begun.contains(id));
        waiting.next().map(|(id, _)| id)
    }

    /// Takes back what has not begun of a batch.
    fn revoke_rest(&mut self, node: NodeId, batch: BatchId) {
        let held = self.farm.batches.get(batch);
        let rest = held.map(|held| unbegun(self.farm, batch, held));
        let is_done =
            |sighting: &Sighting| matches!(sighting, Sighting::Revoking { batch: of, .. } if *of == batch);
        if let Some(rest) = rest.filter(|rest| !rest.is_empty())
            && !self.decision.sightings.iter().any(is_done)
        {
            self.revoke(node, batch, rest);
        }
    }
}
