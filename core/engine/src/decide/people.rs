//! What people ask for.

use std::collections::BTreeMap;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};

use super::{Decision, Refusal};
use crate::effect::Effect;
use crate::event::Command;
use crate::fact::Fact;
use crate::farm::Farm;
use crate::job::{Batch, Job};
use crate::node::Node;
use crate::table::Durable;

const OPEN: [Durable; 2] = [Durable::Pending, Durable::Leased];
const GIVEN_UP: [Durable; 2] = [Durable::Failed, Durable::Cancelled];

pub(super) fn decide(farm: &Farm, command: Command) -> Result<Decision, Refusal> {
    match command {
        Command::Submit(spec) => {
            if let Some(before) = spec.after.filter(|before| !farm.jobs.contains_key(before)) {
                return Err(Refusal::Invalid(format!("there is no job {before} to wait for")));
            }
            let job = farm.next_job();
            Ok(Decision::default().fact(Fact::JobSubmitted { job, spec }))
        }
        Command::CancelJob { job, frames } => {
            let open = find_job(farm, job)?.frames.in_states(&OPEN);
            let wanted = frames.map_or_else(|| open.clone(), |frames| frames.intersection(&open));
            Ok(cancel(farm, job, &wanted))
        }
        Command::CancelBatch(id) => cancel_batch(farm, id),
        Command::RetryJob { job, frames } => retry_job(farm, job, frames),
        Command::RetryBatch(id) => retry_batch(farm, id),
        Command::Revise { job, frames, why } => revise(farm, job, &frames, why),
        Command::MakeFilms(job) => {
            find_job(farm, job)?;
            Ok(Decision::default().fact(Fact::FilmsAsked { job }))
        }
        Command::Pause(job) => pause(farm, job),
        Command::Resume(job) => {
            let paused = find_job(farm, job)?.paused;
            Ok(fact_if(paused, Fact::JobResumed { job }))
        }
        Command::SetPriority { job, priority } => {
            if !(-100..=100).contains(&priority) {
                return Err(Refusal::Invalid(format!(
                    "priority {priority} is not between -100 and 100"
                )));
            }
            let differs = find_job(farm, job)?.priority != priority;
            Ok(fact_if(differs, Fact::PriorityChanged { job, priority }))
        }
        Command::Rename { job, name } => {
            if name.trim().is_empty() {
                return Err(Refusal::Invalid("a job's name is not empty".to_owned()));
            }
            let differs = find_job(farm, job)?.name != name;
            Ok(fact_if(differs, Fact::JobRenamed { job, name }))
        }
        Command::ForgetJob(job) => {
            if !find_job(farm, job)?.frames.is_settled() {
                return Err(Refusal::Conflict(format!(
                    "job {job} has not ended: cancel it first"
                )));
            }
            Ok(Decision::default().fact(Fact::JobForgotten { job }))
        }
        Command::AddNode { address } => Ok(add_node(farm, address)),
        Command::RemoveNode(node) => remove_node(farm, node),
        Command::RemoveAddress(address) => remove_address(farm, address),
        Command::Drain { node, now } => drain(farm, node, now),
        Command::Undrain(node) => {
            let drained = find_node(farm, node)?.drained;
            Ok(fact_if(drained, Fact::NodeResumed { node }))
        }
    }
}

fn cancel_batch(farm: &Farm, id: BatchId) -> Result<Decision, Refusal> {
    match farm.batches.get(id) {
        Some(batch) => Ok(cancel(farm, batch.job, &batch.open)),
        // It has ended by itself or was cancelled before: nothing of it is left to give up.
        None => farm
            .batch(id)
            .map(|_| Decision::default())
            .ok_or_else(|| Refusal::Unknown(format!("batch {id}"))),
    }
}

fn retry_job(farm: &Farm, job: JobId, frames: Option<FrameSet>) -> Result<Decision, Refusal> {
    let table = &find_job(farm, job)?.frames;
    let Some(frames) = frames else {
        return requeue(job, table.in_states(&GIVEN_UP), "no frame is failed or cancelled");
    };
    let foreign = frames.difference(table.frames());
    if !foreign.is_empty() {
        let has = table.frames();
        return Err(Refusal::Invalid(format!(
            "job {job} has no frames {foreign}: it has {has}"
        )));
    }
    requeue(
        job,
        frames.difference(&table.in_states(&OPEN)),
        "these frames are still to be rendered",
    )
}

fn retry_batch(farm: &Farm, id: BatchId) -> Result<Decision, Refusal> {
    let batch = farm
        .batch(id)
        .ok_or_else(|| Refusal::Unknown(format!("batch {id}")))?;
    let given_up = find_job(farm, batch.job)?.frames.in_states(&GIVEN_UP);
    requeue(
        batch.job,
        batch.frames.intersection(&given_up),
        "none of the batch's frames is failed or cancelled",
    )
}

fn revise(farm: &Farm, job: JobId, frames: &[(Frame, u32)], why: String) -> Result<Decision, Refusal> {
    let table = &find_job(farm, job)?.frames;
    let as_they_were_seen = |(frame, revision): &&(Frame, u32)| {
        table.state(*frame) == Some(Durable::Delivered) && table.revision(*frame) == *revision
    };
    let seen = frames.iter().filter(as_they_were_seen);
    let frames: FrameSet = seen.map(|(frame, _)| *frame).collect();
    let revised = Fact::FramesRevised {
        job,
        frames: frames.clone(),
        why,
    };
    Ok(fact_if(!frames.is_empty(), revised))
}

fn pause(farm: &Farm, job: JobId) -> Result<Decision, Refusal> {
    let held = find_job(farm, job)?;
    if held.frames.is_settled() {
        return Err(Refusal::Conflict(format!("job {job} has ended")));
    }
    let decision = fact_if(!held.paused, Fact::JobPaused { job });
    Ok(farm.batches_of(job).fold(decision, |decision, (id, batch)| {
        decision.and(take_back(farm, id, batch))
    }))
}

fn add_node(farm: &Farm, address: String) -> Decision {
    if farm.addresses().contains(&address) {
        return Decision::default();
    }
    Decision::default()
        .fact(Fact::AddressAdded {
            address: address.clone(),
        })
        .effect(Effect::Connect { address })
}

fn remove_node(farm: &Farm, node: NodeId) -> Result<Decision, Refusal> {
    let address = find_node(farm, node)?.address.clone();
    let mut decision = take_everything_back(farm, node);
    if farm.others_at(node, &address).next().is_some() {
        return Ok(decision.fact(Fact::NodeRemoved { node })); // Its address is another's now.
    }
    if farm.addresses.contains(&address) {
        decision = decision.fact(Fact::AddressRemoved {
            address: address.clone(),
        });
    }
    Ok(decision
        .fact(Fact::NodeRemoved { node })
        .effect(Effect::Disconnect { address }))
}

fn remove_address(farm: &Farm, address: String) -> Result<Decision, Refusal> {
    if !farm.addresses.contains(&address) {
        return Err(Refusal::Unknown(format!("node at {address}")));
    }
    let removed = Fact::AddressRemoved {
        address: address.clone(),
    };
    Ok(Decision::default()
        .fact(removed)
        .effect(Effect::Disconnect { address }))
}

fn drain(farm: &Farm, node: NodeId, now: bool) -> Result<Decision, Refusal> {
    let drained = find_node(farm, node)?.drained;
    let decision = fact_if(!drained, Fact::NodeDrained { node });
    if now {
        return Ok(decision.and(take_everything_back(farm, node)));
    }
    Ok(farm.batches_on(node).fold(decision, |decision, (id, batch)| {
        decision.and(take_back(farm, id, batch))
    }))
}

/// The fact, where it would change something: the same command twice is no error.
fn fact_if(changes: bool, fact: Fact) -> Decision {
    if changes {
        Decision::default().fact(fact)
    } else {
        Decision::default()
    }
}

fn find_job(farm: &Farm, id: JobId) -> Result<&Job, Refusal> {
    farm.jobs
        .get(&id)
        .ok_or_else(|| Refusal::Unknown(format!("job {id}")))
}

fn find_node(farm: &Farm, id: NodeId) -> Result<&Node, Refusal> {
    farm.nodes
        .get(&id)
        .ok_or_else(|| Refusal::Unknown(format!("node {id}")))
}

fn requeue(job: JobId, frames: FrameSet, nothing: &str) -> Result<Decision, Refusal> {
    if frames.is_empty() {
        return Err(Refusal::Conflict(format!("nothing to retry: {nothing}")));
    }
    Ok(Decision::default().fact(Fact::FramesRequeued { job, frames }))
}

/// Gives up open frames. A batch that is rendering one of them is stopped; what else it held waits again.
fn cancel(farm: &Farm, job: JobId, frames: &FrameSet) -> Decision {
    if frames.is_empty() {
        return Decision::default();
    }
    let mut decision = Decision::default();
    let mut ended = BTreeMap::new();
    for (id, batch) in farm.batches_of(job) {
        let given_up = batch.open.intersection(frames);
        if given_up.is_empty() {
            continue;
        }
        let kept = batch.open.difference(frames);
        let rendering = farm
            .seen
            .rendering
            .get(&id)
            .is_some_and(|now| now.keys().any(|f| frames.contains(*f)));
        if kept.is_empty() || rendering {
            if !kept.is_empty() {
                decision = decision.fact(Fact::FramesReturned {
                    batch: id,
                    frames: kept,
                });
            }
            ended.insert(id, batch.node);
        } else {
            decision = decision.effect(Effect::Revoke {
                node: batch.node,
                batch: id,
                frames: given_up,
            });
        }
    }
    decision = decision.fact(Fact::FramesCancelled {
        job,
        frames: frames.clone(),
    });
    ended.into_iter().fold(decision, |decision, (batch, node)| {
        decision.end_batch(batch, node, BatchState::Cancelled)
    })
}

/// Takes back what a batch has not started.
pub(super) fn take_back(farm: &Farm, id: BatchId, batch: &Batch) -> Decision {
    let rendering: FrameSet = farm
        .seen
        .rendering
        .get(&id)
        .into_iter()
        .flat_map(|frames| frames.keys().copied())
        .collect();
    let frames = batch.open.difference(&rendering);
    if frames.is_empty() {
        return Decision::default();
    }
    Decision::default().effect(Effect::Revoke {
        node: batch.node,
        batch: id,
        frames,
    })
}

/// Takes back all batches of a node, what it renders included.
fn take_everything_back(farm: &Farm, node: NodeId) -> Decision {
    farm.batches_on(node)
        .fold(Decision::default(), |decision, (id, batch)| {
            decision
                .fact(Fact::FramesReturned {
                    batch: id,
                    frames: batch.open.clone(),
                })
                .end_batch(id, node, BatchState::Ended)
        })
}
