//! What people ask for.

use std::collections::BTreeMap;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, FrameSet, JobId, NodeId};

use super::{Decision, Refusal};
use crate::effect::Effect;
use crate::event::Command;
use crate::fact::Fact;
use crate::farm::Farm;
use crate::job::Job;
use crate::node::Node;
use crate::table::Durable;

const OPEN: [Durable; 2] = [Durable::Pending, Durable::Leased];
const GIVEN_UP: [Durable; 2] = [Durable::Failed, Durable::Cancelled];

pub(super) fn decide(farm: &Farm, command: Command) -> Result<Decision, Refusal> {
    let nothing = Decision::default;
    match command {
        Command::Submit(spec) => Ok(nothing().fact(Fact::JobSubmitted {
            job: farm.next_job(),
            spec,
        })),
        Command::CancelJob { job, frames } => {
            let table = &find_job(farm, job)?.frames;
            let open = table.in_states(&OPEN);
            let wanted = frames.map_or_else(|| open.clone(), |frames| frames.intersection(&open));
            Ok(cancel(farm, job, &wanted))
        }
        Command::CancelBatch(id) => {
            if let Some(batch) = farm.batches.get(&id) {
                return Ok(cancel(farm, batch.job, &batch.open));
            }
            // It has ended by itself or was cancelled before: nothing of it is left to give up.
            farm.batch(id)
                .map(|_| nothing())
                .ok_or_else(|| Refusal::Unknown(format!("batch {id}")))
        }
        Command::RetryJob { job, frames } => {
            let table = &find_job(farm, job)?.frames;
            let wanted = match frames {
                None => table.in_states(&GIVEN_UP),
                Some(frames) => {
                    let foreign = frames.difference(table.frames());
                    if !foreign.is_empty() {
                        let all = table.frames();
                        return Err(Refusal::Invalid(format!(
                            "job {job} has no frames {foreign}: it has {all}"
                        )));
                    }
                    frames.difference(&table.in_states(&OPEN))
                }
            };
            requeue(job, wanted, "no failed or cancelled frames")
        }
        Command::RetryBatch(id) => {
            let batch = farm
                .batch(id)
                .ok_or_else(|| Refusal::Unknown(format!("batch {id}")))?;
            let table = &find_job(farm, batch.job)?.frames;
            let wanted = batch.frames.intersection(&table.in_states(&GIVEN_UP));
            requeue(
                batch.job,
                wanted,
                "none of the batch's frames is failed or cancelled",
            )
        }
        Command::Pause(job) => {
            let held = find_job(farm, job)?;
            if held.frames.is_settled() {
                return Err(Refusal::Conflict(format!("job {job} has ended")));
            }
            let decision = if held.paused {
                nothing()
            } else {
                nothing().fact(Fact::JobPaused { job })
            };
            Ok(farm
                .batches_of(job)
                .fold(decision, |decision, (id, _)| decision.and(take_back(farm, id))))
        }
        Command::Resume(job) => {
            let paused = find_job(farm, job)?.paused;
            Ok(if paused {
                nothing().fact(Fact::JobResumed { job })
            } else {
                nothing()
            })
        }
        Command::SetPriority { job, priority } => {
            if !(-100..=100).contains(&priority) {
                return Err(Refusal::Invalid(format!(
                    "priority {priority} is not between -100 and 100"
                )));
            }
            let same = find_job(farm, job)?.priority == priority;
            Ok(if same {
                nothing()
            } else {
                nothing().fact(Fact::PriorityChanged { job, priority })
            })
        }
        Command::Rename { job, name } => {
            if name.trim().is_empty() {
                return Err(Refusal::Invalid("a job's name is not empty".to_owned()));
            }
            let same = find_job(farm, job)?.name == name;
            Ok(if same {
                nothing()
            } else {
                nothing().fact(Fact::JobRenamed { job, name })
            })
        }
        Command::AddNode { address } => {
            if farm.addresses().contains(&address) {
                return Ok(nothing());
            }
            Ok(nothing()
                .fact(Fact::AddressAdded {
                    address: address.clone(),
                })
                .effect(Effect::Connect { address }))
        }
        Command::RemoveNode(node) => {
            let address = find_node(farm, node)?.address.clone();
            let mut decision = take_everything_back(farm, node);
            if farm.addresses.contains(&address) {
                decision = decision.fact(Fact::AddressRemoved {
                    address: address.clone(),
                });
            }
            Ok(decision
                .fact(Fact::NodeRemoved { node })
                .effect(Effect::Disconnect { address }))
        }
        Command::RemoveAddress(address) => {
            if !farm.addresses.contains(&address) {
                return Err(Refusal::Unknown(format!("node at {address}")));
            }
            let removed = Fact::AddressRemoved {
                address: address.clone(),
            };
            Ok(nothing().fact(removed).effect(Effect::Disconnect { address }))
        }
        Command::Drain { node, now } => {
            let drained = find_node(farm, node)?.drained;
            let decision = if drained {
                nothing()
            } else {
                nothing().fact(Fact::NodeDrained { node })
            };
            if now {
                return Ok(decision.and(take_everything_back(farm, node)));
            }
            let batches = farm.batches_on(node);
            Ok(batches.fold(decision, |decision, (id, _)| decision.and(take_back(farm, id))))
        }
        Command::Undrain(node) => {
            let drained = find_node(farm, node)?.drained;
            Ok(if drained {
                nothing().fact(Fact::NodeResumed { node })
            } else {
                nothing()
            })
        }
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
            .is_some_and(|now| now.iter().any(|f| frames.contains(*f)));
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
fn take_back(farm: &Farm, id: BatchId) -> Decision {
    let Some(batch) = farm.batches.get(&id) else {
        return Decision::default();
    };
    let rendering: FrameSet = farm
        .seen
        .rendering
        .get(&id)
        .into_iter()
        .flatten()
        .copied()
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
