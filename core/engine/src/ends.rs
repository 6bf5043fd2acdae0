//! Which jobs a decision has ended.

use std::collections::BTreeSet;

use farmhand_protocol::JobId;

use crate::fact::{Fact, Stamped};
use crate::farm::Farm;

/// Jobs that ended with these facts of one decision, told after they were applied.
pub fn ended_jobs(farm: &Farm, facts: &[Stamped]) -> BTreeSet<JobId> {
    let touched = facts.iter().filter_map(|stamped| match &stamped.fact {
        Fact::JobSubmitted { job, .. }
        | Fact::FrameDelivered { job, .. }
        | Fact::AttemptFailed { job, .. }
        | Fact::FramesFailed { job, .. }
        | Fact::FramesCancelled { job, .. } => Some((*job, stamped.at)),
        _ => None,
    });
    touched
        .filter(|(id, at)| {
            let job = farm.job(*id);
            job.is_some_and(|job| job.ended == Some(*at) && job.state().has_ended())
        })
        .map(|(id, _)| id)
        .collect()
}
