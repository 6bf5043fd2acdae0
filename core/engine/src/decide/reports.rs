//! What agents report, and what the orchestrator's own deliveries report. A report about any batch that is
//! not running changes nothing, because a node that we declared lost may still answer.

use std::time::Duration;

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, NodeInfo};
use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, BatchKey, Blame, Failure, FailureKind, Frame, FrameSet, JobId, NodeId};

use super::Decision;
use super::people::take_back;
use crate::effect::Effect;
use crate::event::Report;
use crate::fact::{Fact, Sighting};
use crate::farm::{Farm, Now};
use crate::job::{Batch, Job};
use crate::table::Durable;

/// A node that refused a batch gets no other for so long.
const REST: Duration = Duration::from_secs(5);

/// Frames that a node fails one after the other, while other nodes render, before it is banned for the job.
const STREAK: u32 = 2;

/// The first ban; each further one for the same job is twice as long, up to an hour.
const FIRST_BAN: Duration = Duration::from_secs(30);
/// A node whose disk is full gets nothing for so long.
const REST_FOR_SPACE: Duration = Duration::from_secs(15);

pub(super) fn decide(farm: &Farm, now: Now, report: Report) -> Decision {
    let nothing = Decision::default;
    match report {
        Report::NodeSeen { address, info } => seen(farm, address, info),
        Report::NodeHeard(node) => nothing().see(Sighting::NodeHeard { node }),
        Report::BatchesListed { node, batches } => listed(farm, now, node, &batches),
        Report::BatchAccepted(batch) => nothing().see(Sighting::Dispatched { batch }),
        Report::BatchRefused { batch, failure } => refused(farm, now, batch, failure),
        Report::BatchUnclear(batch) => {
            let list = farm
                .batches
                .get(batch)
                .map(|batch| Effect::List { node: batch.node });
            list.into_iter()
                .fold(nothing().see(Sighting::Dispatched { batch }), Decision::effect)
        }
        Report::BatchBegun(batch) => begun(farm, batch),
        Report::FrameStarted { batch, frame } => match open_frame(farm, batch, frame) {
            Some(_) => begun(farm, batch).see(Sighting::FrameStarted { batch, frame }),
            None => nothing(),
        },
        Report::FrameFinished { batch, finished } => begun(farm, batch).and(finish(farm, batch, finished)),
        Report::FrameFailed { batch, failed } => match open_frame(farm, batch, failed.frame) {
            // Where it waits on other nodes too, these try it next.
            Some(held) => fail(farm, now, batch, held, failed).and(close_if_done(batch, held, 1)),
            None => nothing(),
        },
        Report::BatchEnded { batch, phase } => match farm.batches.get(batch) {
            // Everything was reported and is on its way: the last delivery closes the batch.
            Some(held) if phase == BatchPhase::Completed && farm.unrendered(batch, held) == 0 => nothing(),
            // Events may have been lost, or frames were left: the list has the truth.
            Some(held) => nothing().effect(Effect::List { node: held.node }),
            None => nothing(),
        },
        Report::Revoked { batch, frames } => match farm.batches.get(batch) {
            Some(held) => return_frames(batch, held, &frames).see(Sighting::RevokeEnded { batch }),
            None => nothing(),
        },
        Report::Fetched { batch, finished } => fetched(farm, batch, finished),
        Report::FilmsMade { job, films } => {
            let seen = nothing().see(Sighting::FilmingEnded { job });
            match farm.job(job).and_then(Job::film_to_make) {
                Some(_) => seen.fact(Fact::FilmsMade { job, films }),
                None => seen, // Its frames are rendered again: this film is an old one.
            }
        }
        Report::FetchFailed {
            batch,
            frame,
            failure,
        } => match open_frame(farm, batch, frame) {
            Some(held) => fail(farm, now, batch, held, FailedFrame { frame, failure })
                .see(Sighting::FetchEnded { batch, frame })
                .and(close_if_done(batch, held, 1))
                .and(ask_the_twins(farm, batch)),
            None => nothing().see(Sighting::FetchEnded { batch, frame }),
        },
    }
}

/// The batch, if the frame is open in it.
fn open_frame(farm: &Farm, batch: BatchId, frame: Frame) -> Option<&Batch> {
    farm.batches.get(batch).filter(|batch| batch.open.contains(frame))
}

fn seen(farm: &Farm, address: String, info: Box<NodeInfo>) -> Decision {
    let known = farm.nodes.get(&info.id);
    let same = known.is_some_and(|node| node.address == address && node.name == info.name);
    let decision = if same {
        Decision::default()
    } else {
        let moved = known.filter(|node| node.address != address);
        let joined = Fact::NodeJoined {
            node: info.id,
            name: info.name.clone(),
            address: address.clone(),
        };
        let decision = Decision::default().fact(joined);
        match moved {
            Some(before) => decision.and(move_away(farm, info.id, &before.address, address)),
            None => decision,
        }
    };
    decision.see(Sighting::NodeSeen { info })
}

/// A node was met under another address: nobody is to be waited for under the old one, unless another node
/// has it by now.
fn move_away(farm: &Farm, node: NodeId, from: &str, to: String) -> Decision {
    // A last answer from the old address may arrive late; then this brings the link back.
    let decision = Decision::default().effect(Effect::Connect { address: to });
    if farm.others_at(node, from).next().is_some() {
        return decision;
    }
    let address = from.to_owned();
    let decision = if farm.is_added(from) {
        decision.fact(Fact::AddressRemoved {
            address: address.clone(),
        })
    } else {
        decision
    };
    decision.effect(Effect::Release { address })
}

/// Compares an agent's list with what we think it has, and mends the difference.
fn listed(farm: &Farm, now: Now, node: NodeId, reports: &[BatchReport]) -> Decision {
    let ours = reports.iter().filter(|report| report.key.farm == farm.id());
    let mut decision = Decision::default().see(Sighting::NodeHeard { node });
    for report in ours.clone() {
        let batch = report.key.batch;
        decision = decision.and(match farm.batches.get(batch).filter(|held| held.node == node) {
            Some(held) => learn(farm, now, batch, held, report),
            None => Decision::default().effect(Effect::Drop { node, batch }),
        });
    }
    let there = |batch| {
        ours.clone().any(|report| {
            report.key
                == BatchKey {
                    farm: farm.id(),
                    batch,
                }
        })
    };
    for (batch, held) in farm.batches_on(node) {
        // A batch whose call is under way may not be in a list that was written before it arrived.
        if !there(batch) && !farm.seen.dispatching.contains(&batch) {
            let open = held.open.clone();
            decision = decision
                .fact(Fact::FramesReturned { batch, frames: open })
                .fact(Fact::BatchEnded {
                    batch,
                    state: BatchState::Ended,
                });
        }
    }
    decision
}

/// Takes everything from a report that we do not know yet.
fn learn(farm: &Farm, now: Now, batch: BatchId, held: &Batch, report: &BatchReport) -> Decision {
    // What was being taken back is in the list by now, or was never asked for.
    let revoking = farm.seen.revoking.contains_key(&batch);
    let ended = revoking.then_some(Sighting::RevokeEnded { batch });
    let decision = ended.into_iter().fold(Decision::default(), Decision::see);
    let renders = matches!(report.phase, BatchPhase::Loading | BatchPhase::Rendering);
    let has_begun = !report.finished.is_empty() || (renders && report.failed.is_empty());
    let mut decision = if has_begun {
        decision.and(begun(farm, batch))
    } else {
        decision
    };
    let mut accounted = FrameSet::default();
    for finished in &report.finished {
        accounted = accounted.union(&finished.frame.into());
        decision = decision.and(finish(farm, batch, finished.clone()));
    }
    let mut closed = 0;
    for failed in report
        .failed
        .iter()
        .filter(|failed| held.open.contains(failed.frame))
    {
        accounted = accounted.union(&failed.frame.into());
        decision = decision.and(fail(farm, now, batch, held, failed.clone()));
        closed += 1;
    }
    if let Some(frame) = report.rendering.filter(|frame| held.open.contains(*frame)) {
        decision = decision.see(Sighting::FrameStarted { batch, frame });
    }
    let open_there = if report.phase.has_ended() {
        FrameSet::default()
    } else {
        report.frames.clone()
    };
    let gone = held.open.difference(&accounted).difference(&open_there);
    if gone.is_empty() {
        return decision.and(close_if_done(batch, held, closed));
    }
    decision = decision.fact(Fact::FramesReturned {
        batch,
        frames: gone.clone(),
    });
    decision.and(close_if_done(batch, held, closed + gone.len()))
}

fn finish(farm: &Farm, batch: BatchId, finished: FinishedFrame) -> Decision {
    let frame = finished.frame;
    if farm.seen.fetching.contains(&(batch, frame)) {
        return Decision::default();
    }
    let Some(held) = farm.batches.get(batch) else {
        return Decision::default();
    };
    if held.delivered.contains(frame) {
        // The agent has not heard that we have it.
        return Decision::default().effect(Effect::Acknowledge {
            node: held.node,
            batch,
            frame,
        });
    }
    let Some(job) = farm.jobs.get(&held.job).filter(|_| held.open.contains(frame)) else {
        return Decision::default();
    };
    let mut twins = farm.batches.twins(batch);
    if twins.any(|(twin, _)| farm.seen.fetching.contains(&(twin, frame))) {
        return Decision::default(); // Both would be written to one place. If that fails, this one is asked.
    }
    let needs_more = farm
        .seen
        .memory
        .get(&held.job)
        .is_none_or(|most| *most < finished.peak_memory_bytes);
    let needs = needs_more.then_some(Sighting::MemoryNeeded {
        job: held.job,
        bytes: finished.peak_memory_bytes,
    });
    let fetch = Effect::Fetch {
        node: held.node,
        batch,
        job: held.job,
        folder: job.spec.output.clone(),
        stem: job.spec.name.clone(),
        finished: Box::new(finished),
    };
    let decision = needs.into_iter().fold(Decision::default(), Decision::see);
    decision.see(Sighting::Fetching { batch, frame }).effect(fetch)
}

/// Twins of a batch may have the frame that could not be had here: their lists tell.
fn ask_the_twins(farm: &Farm, batch: BatchId) -> Decision {
    let twins = farm.batches.twins(batch);
    let lists = twins.map(|(_, twin)| Effect::List { node: twin.node });
    lists.fold(Decision::default(), Decision::effect)
}

/// A slot has taken a batch. Copies of it that waited for that on other nodes are withdrawn; one that was taken in
/// the same moment is stopped, because a frame rendered for nothing costs more than a scene loaded for nothing.
fn begun(farm: &Farm, batch: BatchId) -> Decision {
    if farm.batches.get(batch).is_none() || farm.seen.begun.contains(&batch) {
        return Decision::default();
    }
    let decision = Decision::default().see(Sighting::BatchBegun { batch });
    if !farm.seen.contested.contains(&farm.batches.original(batch)) {
        return decision;
    }
    let twins = farm.batches.twins(batch);
    twins.fold(decision, |decision, (twin, held)| {
        let frames = held.open.clone();
        let returned = Fact::FramesReturned { batch: twin, frames };
        decision
            .fact(returned)
            .end_batch(twin, held.node, BatchState::Ended)
    })
}

fn fetched(farm: &Farm, batch: BatchId, finished: FinishedFrame) -> Decision {
    let frame = finished.frame;
    let ended = Decision::default().see(Sighting::FetchEnded { batch, frame });
    let Some(held) = open_frame(farm, batch, frame) else {
        return ended;
    };
    let Some(job) = farm.jobs.get(&held.job) else {
        return ended;
    };
    let delivered = Fact::FrameDelivered {
        job: held.job,
        frame,
        revision: job.frames.revision(frame),
        batch,
        node: held.node,
        files: finished.files,
        render_ms: finished.render_ms,
    };
    let learned = finished.film.filter(|_| job.film.is_none());
    let ended = learned.into_iter().fold(ended, |ended, film| {
        ended.fact(Fact::FilmLearned { job: held.job, film })
    });
    let decision = ended
        .fact(delivered)
        .effect(Effect::Acknowledge {
            node: held.node,
            batch,
            frame,
        })
        .and(close_if_done(batch, held, 1));
    // The others render for nothing now.
    let twins = farm.batches.twins(batch);
    twins
        .filter(|(_, other)| other.open.contains(frame))
        .fold(decision, |decision, (twin, other)| {
            decision.and(close_if_done(twin, other, 1))
        })
}

/// Ends a batch of whose open frames `closing` are closed by the facts before.
fn close_if_done(batch: BatchId, held: &Batch, closing: u32) -> Decision {
    if held.open.len() > closing {
        return Decision::default();
    }
    Decision::default().end_batch(batch, held.node, BatchState::Ended)
}

fn return_frames(batch: BatchId, held: &Batch, frames: &FrameSet) -> Decision {
    let back = held.open.intersection(frames);
    if back.is_empty() {
        return Decision::default();
    }
    let closing = back.len();
    let returned = Decision::default().fact(Fact::FramesReturned { batch, frames: back });
    returned.and(close_if_done(batch, held, closing))
}

fn refused(farm: &Farm, now: Now, batch: BatchId, failure: Failure) -> Decision {
    let Some(held) = farm.batches.get(batch) else {
        return Decision::default();
    };
    let node = held.node;
    let back = Decision::default()
        .fact(Fact::FramesReturned {
            batch,
            frames: held.open.clone(),
        })
        .fact(Fact::BatchEnded {
            batch,
            state: BatchState::Ended,
        });
    match failure.kind.blame() {
        Blame::Unknown => back.see(Sighting::NodeRests {
            node,
            until: now.since_start + REST,
            failure,
        }),
        Blame::Node | Blame::Scene => back.and(exclude(farm, held.job, node, &failure, None)),
    }
}

/// A failed attempt: the frame waits again, or has failed, or the whole job has.
fn fail(farm: &Farm, now: Now, batch: BatchId, held: &Batch, failed: FailedFrame) -> Decision {
    let FailedFrame { frame, failure } = failed;
    if failure.kind == FailureKind::DiskFull {
        return wait_for_space(farm, now, batch, held, frame, failure);
    }
    let Some(job) = farm.jobs.get(&held.job) else {
        return Decision::default();
    };
    let failures = job.frames.trouble(frame).map_or(0, |trouble| trouble.failures) + 1;
    let blame = failure.kind.blame();
    let renders_elsewhere = farm
        .batches
        .twins(batch)
        .any(|(_, twin)| twin.open.contains(frame));
    let attempt = Fact::AttemptFailed {
        job: held.job,
        frame,
        batch,
        node: held.node,
        failure: failure.clone(),
        last: blame == Blame::Unknown && failures >= farm.policy().attempts && !renders_elsewhere,
    };
    let decision = Decision::default().fact(attempt);
    let others_could = || could_try(farm, job, held.node).next().is_some();
    match (blame, failure.kind) {
        (Blame::Unknown, FailureKind::OutOfMemory) if others_could() => {
            decision.and(exclude(farm, held.job, held.node, &failure, Some(frame)))
        }
        (Blame::Unknown, _) => decision.and(ban(farm, now, held, &failure)),
        (Blame::Scene | Blame::Node, _) => {
            decision.and(exclude(farm, held.job, held.node, &failure, Some(frame)))
        }
    }
}

/// A node's disk is full, which is no frame's fault and uses up no attempt: what the node has not rendered
/// waits again, for another node, or for this one after a while. What it has finished is brought home, which
/// gives it room.
fn wait_for_space(
    farm: &Farm,
    now: Now,
    batch: BatchId,
    held: &Batch,
    frame: Frame,
    failure: Failure,
) -> Decision {
    let node = held.node;
    let back = Decision::default().fact(Fact::FramesReturned {
        batch,
        frames: frame.into(),
    });
    let back = back.and(take_back(farm, batch, held));
    back.see(Sighting::NodeRests {
        node,
        until: now.since_start + REST_FOR_SPACE,
        failure,
    })
}

/// Gives a node nothing of a job for a while when it fails one frame after the other, others render the
/// job's frames, and others are there to do so.
fn ban(farm: &Farm, now: Now, held: &Batch, failure: &Failure) -> Decision {
    let Some(job) = farm.jobs.get(&held.job) else {
        return Decision::default();
    };
    let streak = job.streaks.get(&held.node).copied().unwrap_or(0) + 1;
    let others_render = could_try(farm, job, held.node).any(|other| job.pace.was_on(other));
    if streak < STREAK || !others_render {
        return Decision::default();
    }
    let times = job.bans.get(&held.node).map_or(0, |ban| ban.times);
    let length = FIRST_BAN * 2_u32.pow(times.min(7));
    let banned = Fact::NodeBanned {
        job: held.job,
        node: held.node,
        until: now.wall + length.min(Duration::from_hours(1)),
        failure: failure.clone(),
    };
    let here = farm
        .batches_on(held.node)
        .filter(|(_, other)| other.job == held.job);
    here.fold(Decision::default().fact(banned), |decision, (id, other)| {
        decision.and(take_back(farm, id, other))
    })
}

/// Nodes other than this one that could render a job, busy or not.
fn could_try<'a>(farm: &'a Farm, job: &'a Job, but: NodeId) -> impl Iterator<Item = NodeId> + 'a {
    farm.node_ids().filter(move |other| {
        let live = farm
            .presence(*other)
            .is_some_and(|presence| !presence.silent && presence.info.problem.is_none());
        let drained = farm.node(*other).is_some_and(|node| node.drained);
        *other != but && live && !drained && !job.excluded.contains_key(other)
    })
}

/// Gives a node nothing more of a job, and takes back what it has of it. Where two nodes have shown that the
/// scene itself is at fault, or no node is left to try, the whole job fails: trying on would only take time
/// from others. `failed` is a frame that is dealt with already.
fn exclude(farm: &Farm, id: JobId, node: NodeId, failure: &Failure, failed: Option<Frame>) -> Decision {
    let Some(job) = farm.jobs.get(&id) else {
        return Decision::default();
    };
    let excluded = Fact::NodeExcluded {
        job: id,
        node,
        failure: failure.clone(),
    };
    let mut decision = Decision::default().fact(excluded);
    let failed = failed.map_or_else(FrameSet::default, FrameSet::from);
    for (batch, held) in farm.batches_on(node).filter(|(_, held)| held.job == id) {
        let rest = held.open.difference(&failed);
        if !rest.is_empty() {
            decision = decision.fact(Fact::FramesReturned { batch, frames: rest });
        }
        decision = decision.end_batch(batch, node, BatchState::Ended);
    }
    let blames_scene = |failure: &Failure| failure.kind.blame() == Blame::Scene;
    let mut elsewhere = job.excluded.iter().filter(|(other, _)| **other != node);
    let scene_is_at_fault = blames_scene(failure) && elsewhere.any(|(_, shown)| blames_scene(shown));
    if !scene_is_at_fault && could_try(farm, job, node).next().is_some() {
        return decision;
    }
    let open = job.frames.in_states(&[Durable::Pending, Durable::Leased]);
    let failed = Fact::FramesFailed {
        job: id,
        frames: open,
        failure: failure.clone(),
    };
    let over = decision.fact(failed);
    farm.batches_of(id).fold(over, |decision, (batch, held)| {
        decision.end_batch(batch, held.node, BatchState::Ended)
    })
}
