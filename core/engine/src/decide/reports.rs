//! What agents report, and what the orchestrator's own deliveries report. A report about any batch that is
//! not running changes nothing, because a node that we declared lost may still answer.

use std::time::Duration;

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, NodeInfo};
use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, BatchKey, Blame, Failure, Frame, FrameSet, JobId, NodeId};

use super::Decision;
use crate::effect::Effect;
use crate::event::Report;
use crate::fact::{Fact, Sighting};
use crate::farm::{Farm, Now};
use crate::job::Batch;
use crate::table::Durable;

/// A node that refused a batch gets no other for so long.
const REST: Duration = Duration::from_secs(5);

pub(super) fn decide(farm: &Farm, now: Now, report: Report) -> Decision {
    let nothing = Decision::default;
    match report {
        Report::NodeSeen { address, info } => seen(farm, address, info),
        Report::NodeHeard(node) => nothing().see(Sighting::NodeHeard { node }),
        Report::BatchesListed { node, batches } => listed(farm, node, &batches),
        Report::BatchAccepted(batch) => nothing().see(Sighting::Dispatched { batch }),
        Report::BatchRefused { batch, failure } => refused(farm, now, batch, failure),
        Report::BatchUnclear(batch) => {
            let list = farm
                .batches
                .get(&batch)
                .map(|batch| Effect::List { node: batch.node });
            list.into_iter()
                .fold(nothing().see(Sighting::Dispatched { batch }), Decision::effect)
        }
        Report::FrameStarted { batch, frame } => match open_frame(farm, batch, frame) {
            Some(_) => nothing().see(Sighting::FrameStarted { batch, frame }),
            None => nothing(),
        },
        Report::FrameFinished { batch, finished } => finish(farm, batch, finished),
        Report::FrameFailed { batch, failed } => match open_frame(farm, batch, failed.frame) {
            Some(held) => fail(farm, batch, held, failed).and(close_if_done(batch, held, 1)),
            None => nothing(),
        },
        Report::BatchEnded { batch, phase } => match farm.batches.get(&batch) {
            // Everything was reported and is on its way: the last delivery closes the batch.
            Some(held) if phase == BatchPhase::Completed && farm.unrendered(batch, held) == 0 => nothing(),
            // Events may have been lost, or frames were left: the list has the truth.
            Some(held) => nothing().effect(Effect::List { node: held.node }),
            None => nothing(),
        },
        Report::Revoked { batch, frames } => match farm.batches.get(&batch) {
            Some(held) => return_frames(batch, held, &frames),
            None => nothing(),
        },
        Report::Fetched { batch, finished } => fetched(farm, batch, finished),
        Report::FetchFailed {
            batch,
            frame,
            failure,
        } => match open_frame(farm, batch, frame) {
            Some(held) => fail(farm, batch, held, FailedFrame { frame, failure })
                .see(Sighting::FetchEnded { batch, frame })
                .and(close_if_done(batch, held, 1)),
            None => nothing().see(Sighting::FetchEnded { batch, frame }),
        },
    }
}

/// The batch, if the frame is open in it.
fn open_frame(farm: &Farm, batch: BatchId, frame: Frame) -> Option<&Batch> {
    farm.batches
        .get(&batch)
        .filter(|batch| batch.open.contains(frame))
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
fn listed(farm: &Farm, node: NodeId, reports: &[BatchReport]) -> Decision {
    let ours = reports.iter().filter(|report| report.key.farm == farm.id());
    let mut decision = Decision::default().see(Sighting::NodeHeard { node });
    for report in ours.clone() {
        let batch = report.key.batch;
        decision = decision.and(match farm.batches.get(&batch).filter(|held| held.node == node) {
            Some(held) => learn(farm, batch, held, report),
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
fn learn(farm: &Farm, batch: BatchId, held: &Batch, report: &BatchReport) -> Decision {
    let mut decision = Decision::default();
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
        decision = decision.and(fail(farm, batch, held, failed.clone()));
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
    let Some(held) = farm.batches.get(&batch) else {
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
    let fetch = Effect::Fetch {
        node: held.node,
        batch,
        job: held.job,
        folder: job.spec.output.clone(),
        stem: job.spec.name.clone(),
        finished: Box::new(finished),
    };
    Decision::default()
        .see(Sighting::Fetching { batch, frame })
        .effect(fetch)
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
    ended
        .fact(delivered)
        .effect(Effect::Acknowledge {
            node: held.node,
            batch,
            frame,
        })
        .and(close_if_done(batch, held, 1))
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
    let Some(held) = farm.batches.get(&batch) else {
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
        Blame::Node | Blame::Scene => back.and(exclude(farm, held.job, node, &failure)),
    }
}

/// A failed attempt: the frame waits again, or has failed, or the whole job has.
fn fail(farm: &Farm, batch: BatchId, held: &Batch, failed: FailedFrame) -> Decision {
    let FailedFrame { frame, failure } = failed;
    let Some(job) = farm.jobs.get(&held.job) else {
        return Decision::default();
    };
    let failures = job.frames.trouble(frame).map_or(0, |trouble| trouble.failures) + 1;
    let blame = failure.kind.blame();
    let attempt = Fact::AttemptFailed {
        job: held.job,
        frame,
        batch,
        node: held.node,
        failure: failure.clone(),
        last: blame == Blame::Unknown && failures >= farm.policy().attempts,
    };
    let decision = Decision::default().fact(attempt);
    if blame == Blame::Unknown {
        decision
    } else {
        decision.and(exclude(farm, held.job, held.node, &failure))
    }
}

/// Gives a node nothing more of a job. Where two nodes have shown that the scene itself is at fault, or no
/// node is left to try, the whole job fails: trying on would only take time from others.
fn exclude(farm: &Farm, id: JobId, node: NodeId, failure: &Failure) -> Decision {
    let Some(job) = farm.jobs.get(&id) else {
        return Decision::default();
    };
    let excluded = Fact::NodeExcluded {
        job: id,
        node,
        failure: failure.clone(),
    };
    let decision = Decision::default().fact(excluded);
    let blames_scene = |failure: &Failure| failure.kind.blame() == Blame::Scene;
    let mut elsewhere = job.excluded.iter().filter(|(other, _)| **other != node);
    let scene_is_at_fault = blames_scene(failure) && elsewhere.any(|(_, shown)| blames_scene(shown));
    let could_try = |other: NodeId| {
        let live = farm
            .presence(other)
            .is_some_and(|presence| !presence.silent && presence.info.problem.is_none());
        let drained = farm.node(other).is_some_and(|node| node.drained);
        other != node && live && !drained && !job.excluded.contains_key(&other)
    };
    if !scene_is_at_fault && farm.node_ids().any(could_try) {
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
