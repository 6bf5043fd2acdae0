//! The end of a job: idle slots get what slow ones have not begun, then a copy of what these render.

use std::collections::BTreeMap;

use farmhand_protocol::{BatchId, Frame, FrameSet, NodeId};

use super::assign::Assignment;
use super::room::{Place, Room, rest_of, unbegun};
use super::{Open, Plan, unfit_for};
use crate::batches::Batches;
use crate::farm::Farm;

/// Idle nodes that are helped in one plan; the others a moment later.
const HELPERS: usize = 1024;
/// Frames that are done in so many seconds are not worth a message.
const SOON: f64 = 0.5;
/// A copy must be done in this part of the time that the original still takes: it costs a node's work.
const WORTH_A_COPY: f64 = 0.75;

/// Frames that wait on a node while another idles.
struct Waiting {
    /// Seconds until the last of them is done there.
    seconds: f64,
    node: NodeId,
    batch: BatchId,
    frames: FrameSet,
}

/// A frame that is the last of its batch.
struct Last {
    /// Seconds until it is done, on the node that should be the first to be.
    seconds: f64,
    elapsed: f64,
    node: NodeId,
    /// All nodes that have it.
    having: Vec<NodeId>,
    original: BatchId,
    frame: Frame,
}

impl Plan<'_> {
    pub(super) fn mend_the_tail(&mut self) {
        let is_idle = |node: &&NodeId| {
            self.rooms
                .get(*node)
                .is_some_and(|room| room.place() == Place::Free)
        };
        let idle = self.planned.wanting.iter().filter(is_idle);
        let mut fastest: Vec<(f64, NodeId)> =
            idle.map(|node| (self.farm.speeds.factor(*node), *node)).collect();
        if fastest.is_empty() {
            return;
        }
        fastest.sort_by(|(a, this), (b, other)| b.total_cmp(a).then(this.cmp(other)));
        let mut idle: Vec<NodeId> = fastest.into_iter().map(|(_, node)| node).collect();
        idle.truncate(HELPERS);
        let jobs = self.jobs.as_ref().map_or(0, Vec::len);
        for index in 0..jobs {
            if idle.is_empty() {
                return;
            }
            self.begin_what_waits(index, &mut idle);
            self.take_back(index, &mut idle);
            self.copy(index, &mut idle);
        }
    }

    /// What waits on several busy nodes for the first of them goes to an idle one too.
    fn begin_what_waits(&mut self, index: usize, idle: &mut Vec<NodeId>) {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return;
        };
        let farm = self.farm;
        let mut copies = Vec::new();
        for original in &farm.seen.contested {
            let group = || farm.batches.members(*original);
            let Some((_, batch)) = group().next().filter(|(_, batch)| batch.job == open.id) else {
                continue;
            };
            let has_none = |node: &NodeId| group().all(|(_, member)| member.node != *node);
            let place = idle
                .iter()
                .position(|node| has_none(node) && self.suits(open, *node, batch.open.first()));
            if let Some(place) = place {
                copies.push((idle.remove(place), *original, batch.open.clone()));
            }
        }
        for (helper, original, frames) in copies {
            let why = "idle, and begins at once what waits on busy nodes".to_owned();
            let assignment = Assignment {
                frames,
                why,
                copy_of: Some(original),
                before: None,
            };
            self.assign(index, helper, assignment);
        }
    }

    /// Takes back half of what waits on the slowest nodes; it goes to idle ones once it is back. That may be the same
    /// node, where another slot of it has nothing to do.
    fn take_back(&mut self, index: usize, idle: &mut Vec<NodeId>) {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return;
        };
        let mut waiting = self.waiting_of(open);
        waiting.sort_by(|a, b| a.seconds.total_cmp(&b.seconds)); // The longest wait is taken from the end.
        let mut revoked = Vec::new();
        idle.retain(|helper| {
            let Some(longest) = waiting.last() else {
                return true;
            };
            let suits = self.suits(open, *helper, longest.frames.last());
            if !suits || self.seconds_on(open, *helper) + SOON >= longest.seconds * 0.9 {
                return true;
            }
            if let Some(longest) = waiting.pop() {
                revoked.push(longest);
            }
            false
        });
        for Waiting {
            node, batch, frames, ..
        } in revoked
        {
            let keep = frames.len() / 2;
            let back = (keep..frames.len()).filter_map(|n| frames.nth(n)).collect();
            self.revoke(node, batch, back);
        }
    }

    fn waiting_of(&self, open: &Open<'_>) -> Vec<Waiting> {
        let farm = self.farm;
        let mut seconds_of: BTreeMap<NodeId, f64> = BTreeMap::new();
        let batches = farm.batches_of(open.id).filter_map(|(id, held)| {
            // At a job's end most batches are of this kind, and there may be tens of thousands.
            if held.open.len() == 1
                && held
                    .open
                    .first()
                    .is_some_and(|frame| is_rendering(farm, id, frame))
            {
                return None;
            }
            // Before a node has accepted it, or while it takes others back, it is left alone.
            if farm.seen.dispatching.contains(&id) || farm.seen.revoking.contains_key(&id) {
                return None;
            }
            if farm.seen.contested.contains(&farm.batches.original(id)) {
                return None; // It waits on other nodes too.
            }
            let frames = unbegun(farm, id, held);
            let presence = farm.presence(held.node).filter(|_| !frames.is_empty())?;
            let seconds = seconds_of
                .entry(held.node)
                .or_insert_with(|| Room::of(farm, self.now, held.node, presence).seconds_for_all());
            Some(Waiting {
                seconds: *seconds,
                node: held.node,
                batch: id,
                frames,
            })
        });
        batches.collect()
    }

    /// Gives idle nodes copies of the frames that take longest.
    fn copy(&mut self, index: usize, idle: &mut Vec<NodeId>) {
        let Some(open) = self.jobs.as_ref().and_then(|jobs| jobs.get(index)) else {
            return;
        };
        if !open.source.is_empty() || open.job.paused {
            return;
        }
        let mut last = self.last_of(open);
        last.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let mut copies = Vec::new();
        idle.retain(|helper| {
            let Some(longest) = last.last() else { return true };
            let place = open.job.frames.place(longest.frame);
            let seconds = open.job.pace.seconds(&self.farm.speeds, *helper, place);
            let is_worth_it = seconds.is_some_and(|seconds| seconds + SOON < longest.seconds * WORTH_A_COPY);
            let suits = !longest.having.contains(helper) && self.suits(open, *helper, Some(longest.frame));
            if !is_worth_it || !suits || !open.job.pace.was_on(*helper) {
                return true;
            }
            if let Some(longest) = last.pop() {
                copies.push((*helper, longest));
            }
            false
        });
        for (helper, last) in copies {
            let name = self
                .farm
                .node(last.node)
                .map_or_else(String::new, |node| node.name.clone());
            let why = format!(
                "idle, and should be done before {name}, which has rendered it for {:.0} s",
                last.elapsed
            );
            let assignment = Assignment {
                frames: last.frame.into(),
                why,
                copy_of: Some(last.original),
                before: None,
            };
            self.assign(index, helper, assignment);
        }
    }

    fn last_of(&self, open: &Open<'_>) -> Vec<Last> {
        let farm = self.farm;
        let alone = farm.batches_of(open.id).filter_map(|(id, held)| {
            let frame = *farm.seen.rendering.get(&id)?.keys().next()?;
            let is_alone = held.open.len() == 1 && held.open.contains(frame);
            is_alone.then_some((farm.batches.original(id), frame))
        });
        let frames: BTreeMap<BatchId, Frame> = alone.collect();
        let last = frames.into_iter().filter_map(|(original, frame)| {
            if farm.batches.count_of_copies(original) >= Batches::MOST_TO_BE_SOONER {
                return None;
            }
            let place = open.job.frames.place(frame);
            let ends = farm.batches.members(original).filter_map(|(id, held)| {
                let usual = open.job.pace.seconds(&farm.speeds, held.node, place)?;
                let frames = farm.seen.rendering.get(&id);
                let since = frames.and_then(|frames| frames.get(&frame)).copied();
                let since = since.unwrap_or(self.now.since_start); // Not begun yet, or not heard of.
                Some((rest_of(usual, self.now, since), since, held.node))
            });
            let ends: Vec<_> = ends.collect();
            let (seconds, since, node) = *ends.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
            Some(Last {
                seconds,
                elapsed: self.now.since_start.saturating_sub(since).as_secs_f64(),
                node,
                having: ends.iter().map(|(.., node)| *node).collect(),
                original,
                frame,
            })
        });
        last.collect()
    }

    pub(super) fn suits(&self, open: &Open<'_>, node: NodeId, frame: Option<Frame>) -> bool {
        let trouble = frame.and_then(|frame| open.job.frames.trouble(frame));
        let crowded = open.nodes.as_ref().zip(open.job.spec.max_nodes);
        !trouble.is_some_and(|trouble| trouble.nodes.contains(&node))
            && !crowded.is_some_and(|(nodes, most)| !nodes.contains(&node) && nodes.len() >= most as usize)
            && unfit_for(self.farm, self.now, open.job, node, open.version).is_none()
    }
}

fn is_rendering(farm: &Farm, batch: BatchId, frame: Frame) -> bool {
    let frames = farm.seen.rendering.get(&batch);
    frames.is_some_and(|frames| frames.contains_key(&frame))
}
