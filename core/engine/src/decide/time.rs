//! What follows from time passing: leases run out, and films are made of jobs that have ended.

use farmhand_protocol::{BatchId, Failure, FailureKind, FrameSet, JobId, NodeId};

use super::Decision;
use crate::effect::Effect;
use crate::fact::{Fact, Sighting};
use crate::farm::{Farm, Now};
use crate::job::Batch;

pub(super) fn decide(farm: &Farm, now: Now) -> Decision {
    let silent: Vec<NodeId> = farm
        .nodes
        .keys()
        .copied()
        .filter(|node| lease_is_over(farm, *node, now))
        .collect();
    let forgotten = farm.seen.revoking.iter().filter(|(_, (_, since))| {
        // The answer is lost; the node's list will tell what became of it.
        now.since_start.saturating_sub(*since) > farm.policy().lease
    });
    let decision = forgotten.fold(films(farm), |decision, (batch, _)| {
        decision.see(Sighting::RevokeEnded { batch: *batch })
    });
    let decision = decision.see(Sighting::TimePassed);
    silent.iter().fold(decision, |decision, &node| {
        let lost = farm.batches_on(node).fold(decision, |decision, (id, batch)| {
            let elsewhere = held_elsewhere(farm, id, batch, &silent);
            let alone = batch.open.difference(&elsewhere);
            let decision = if elsewhere.is_empty() {
                decision
            } else {
                decision.fact(Fact::FramesReturned {
                    batch: id,
                    frames: elsewhere,
                })
            };
            let decision = decision.fact(Fact::BatchLost { batch: id });
            give_up_after_losses(farm, batch.job, &alone)
                .into_iter()
                .fold(decision, Decision::fact)
        });
        lost.see(Sighting::NodeSilent { node })
    })
}

/// Found at every tick anew, so that a crash before the end only delays them.
fn films(farm: &Farm) -> Decision {
    let due = farm.jobs.iter().filter(|(id, _)| !farm.seen.filming.contains(id));
    let due = due.filter_map(|(id, job)| Some((*id, job, job.film_to_make()?)));
    due.fold(Decision::default(), |decision, (id, job, film)| {
        let make = Effect::MakeFilms {
            job: id,
            folder: job.spec.output.clone(),
            stem: job.spec.name.clone(),
            frames: job.frames.frames().union(&job.spec.skipped),
            film: film.clone(),
            preview: job.video,
        };
        decision.see(Sighting::Filming { job: id }).effect(make)
    })
}

/// A node that was not heard since the start has had a lease from the start on.
fn lease_is_over(farm: &Farm, node: NodeId, now: Now) -> bool {
    match farm.presence(node) {
        Some(presence) => {
            !presence.silent && now.since_start.saturating_sub(presence.heard) > farm.policy().lease
        }
        None => now.since_start > farm.policy().lease && farm.batches_on(node).next().is_some(),
    }
}

/// Frames of a batch that a twin of it has on a node which is still heard: they are not lost.
fn held_elsewhere(farm: &Farm, id: BatchId, batch: &Batch, silent: &[NodeId]) -> FrameSet {
    let twins = farm.batches.twins(id);
    let heard = twins.filter(|(_, twin)| !silent.contains(&twin.node));
    heard.fold(FrameSet::default(), |elsewhere, (_, twin)| {
        elsewhere.union(&batch.open.intersection(&twin.open))
    })
}

/// Frames that have now lost as many nodes as is allowed.
fn give_up_after_losses(farm: &Farm, job: JobId, lost: &FrameSet) -> Option<Fact> {
    let table = &farm.jobs.get(&job)?.frames;
    let losses = |frame| table.trouble(frame).map_or(0, |trouble| trouble.losses) + 1;
    let frames: FrameSet = lost
        .iter()
        .filter(|frame| losses(*frame) >= farm.policy().losses)
        .collect();
    let message = format!(
        "{} nodes were lost while they had this frame",
        farm.policy().losses
    );
    let failure = Failure::new(FailureKind::NodeLost, message);
    (!frames.is_empty()).then_some(Fact::FramesFailed { job, frames, failure })
}
