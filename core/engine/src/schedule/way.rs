//! Making way: a job that has no node yet, or a higher priority than what renders, takes the next slot that
//! finishes its frame, before what has not begun there.

use std::collections::BTreeMap;

use farmhand_protocol::{BatchId, JobId, NodeId};

use super::assign::Assignment;
use super::room::{rest_of, unbegun};
use super::{Plan, unfit, unfit_for};

/// A job that had a node this many target times ago, and none since, is as one that never had any.
const PATIENCE: u32 = 4;

/// A slot that could be had.
struct Slot {
    /// Seconds until its frame is done; nothing while no frame of its job was measured.
    seconds: Option<f64>,
    node: NodeId,
    batch: BatchId,
    priority: i32,
}

impl Slot {
    /// To be put in an order: what was not measured comes behind what ends soon.
    fn or_a_minute(&self) -> f64 {
        self.seconds.unwrap_or(60.0)
    }
}

impl Plan<'_> {
    pub(super) fn make_way(&mut self) {
        self.find_jobs();
        let wishes: Vec<(usize, JobId, bool)> = {
            let jobs = self.jobs.iter().flatten().enumerate();
            let waiting = jobs.filter(|(_, open)| !open.source.is_empty() && open.version.is_some());
            let wishes =
                waiting.map(|(index, open)| (index, open.id, open.held == 0 && self.was_patient(open.id)));
            wishes.collect()
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
            for slot in slots {
                let is_urgent = slot.priority < priority;
                let has_any = self.jobs.as_ref().is_some_and(|jobs| jobs[index].held > 0);
                if !is_urgent && has_any {
                    continue; // Of one priority it gets one slot this way, and its share as batches end.
                }
                self.take_slot(index, &slot, is_urgent);
            }
        }
    }

    fn was_patient(&self, id: JobId) -> bool {
        let since = self.farm.seen.handed_out.get(&id);
        let patience = self.farm.policy().target * PATIENCE;
        since.is_none_or(|since| self.now.since_start.saturating_sub(*since) >= patience)
    }

    /// Slots that render what this job may go before.
    fn slots_for(&self, index: usize, id: JobId, is_starved: bool) -> Vec<Slot> {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return Vec::new();
        };
        let farm = self.farm;
        let rendering = farm
            .seen
            .rendering
            .iter()
            .filter(|(_, frames)| !frames.is_empty());
        let mut at_work: BTreeMap<JobId, usize> = BTreeMap::new();
        for held in rendering
            .clone()
            .filter_map(|(batch, _)| farm.batches.get(*batch))
        {
            *at_work.entry(held.job).or_default() += 1;
        }
        // Whether a job has something to give: more than one slot, or the only one there is.
        let can_give =
            |job: &JobId| self.power.slots <= 1.0 || at_work.get(job).is_some_and(|slots| *slots > 1);
        let slots = rendering.filter_map(|(batch, frames)| {
            let held = farm.batches.get(*batch).filter(|held| held.job != id)?;
            let other = farm.job(held.job)?;
            let goes_before = other.priority < open.job.priority
                || (is_starved && other.priority == open.job.priority && can_give(&held.job));
            let presence = farm.presence(held.node).filter(|_| goes_before)?;
            let can = unfit(farm, self.now, held.node, presence).is_none()
                && unfit_for(farm, self.now, open.job, held.node, open.version).is_none()
                && !farm.batches_on(held.node).any(|(_, there)| there.job == id)
                && !self.was_given(held.node, id);
            if !can {
                return None;
            }
            let (frame, since) = frames.iter().next()?;
            let usual = other
                .pace
                .seconds(&farm.speeds, held.node, other.frames.place(*frame));
            Some(Slot {
                seconds: usual.map(|usual| rest_of(usual, self.now, *since)),
                node: held.node,
                batch: *batch,
                priority: other.priority,
            })
        });
        slots.collect()
    }

    /// Whether this plan has given the node a batch of this job.
    fn was_given(&self, node: NodeId, id: JobId) -> bool {
        self.rooms.get(&node).is_some_and(|room| room.holds(id))
    }

    fn take_slot(&mut self, index: usize, slot: &Slot, is_urgent: bool) {
        let farm = self.farm;
        let size = self.size(index, slot.node);
        let frames = self.take(index, slot.node, size);
        if frames.is_empty() {
            return;
        }
        let mut before = None;
        for (id, held) in farm.batches_on(slot.node) {
            let begun = farm
                .seen
                .rendering
                .get(&id)
                .is_some_and(|frames| !frames.is_empty());
            if !begun && before.is_none() {
                before = Some(id);
            }
            let is_lower = is_urgent
                && farm
                    .job(held.job)
                    .is_some_and(|job| job.priority <= slot.priority);
            if id == slot.batch || (is_lower && !begun) {
                let rest = unbegun(farm, id, held);
                if !rest.is_empty() {
                    self.revoke(slot.node, id, rest);
                }
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
            frames,
            why,
            copy_of: None,
            before,
        };
        self.assign(index, slot.node, assignment);
    }
}
