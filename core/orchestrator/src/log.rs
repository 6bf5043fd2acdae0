//! Facts as log lines, each with the ids of what it is about: the diary's words where it has some.

use farmhand_engine::{Fact, Farm, Stamped};
use farmhand_protocol::farm::{Note, Weight};
use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};
use tracing::field::display;

/// What a fact is about.
#[derive(Debug, Default, PartialEq, Eq)]
struct About<'a> {
    job: Option<JobId>,
    batch: Option<BatchId>,
    frame: Option<Frame>,
    frames: Option<&'a FrameSet>,
    node: Option<NodeId>,
}

/// Writes a durable fact into the log, with what the diary says of it.
pub(crate) fn log(farm: &Farm, stamped: &Stamped, told: Option<&Note>) {
    let about = about(farm, &stamped.fact);
    let (job, batch, node) = (
        about.job.map(display),
        about.batch.map(display),
        about.node.map(display),
    );
    let (frame, frames) = (about.frame.map(Frame::get), about.frames.map(display));
    let words = match (told, &stamped.fact) {
        (Some(said), _) => said.text.as_str(),
        (None, Fact::BatchAssigned { why, .. }) => why,
        (None, Fact::FrameDelivered { .. }) => "frame delivered",
        (None, Fact::FramesReturned { .. }) => "frames wait again",
        (None, Fact::BatchEnded { .. }) => "batch ended",
        (None, _) => return,
    };
    match told.map_or(Weight::Info, |said| said.weight) {
        Weight::Info | Weight::Success => tracing::info!(job, batch, frame, frames, node, "{words}"),
        Weight::Warning => tracing::warn!(job, batch, frame, frames, node, "{words}"),
        Weight::Error => tracing::error!(job, batch, frame, frames, node, "{words}"),
    }
}

fn about<'a>(farm: &Farm, fact: &'a Fact) -> About<'a> {
    let none = About::default();
    let of_batch = |batch: BatchId| {
        let held = farm.batch(batch);
        About {
            job: held.map(|held| held.job),
            batch: Some(batch),
            node: held.map(|held| held.node),
            ..About::default()
        }
    };
    match fact {
        Fact::FrameDelivered { frame, batch, .. } | Fact::AttemptFailed { frame, batch, .. } => About {
            frame: Some(*frame),
            ..of_batch(*batch)
        },
        Fact::BatchAssigned { batch, frames, .. } | Fact::FramesReturned { batch, frames } => About {
            frames: Some(frames),
            ..of_batch(*batch)
        },
        Fact::BatchEnded { batch, .. } | Fact::BatchLost { batch } => of_batch(*batch),
        Fact::FramesFailed { job, frames, .. }
        | Fact::FramesCancelled { job, frames }
        | Fact::FramesRevised { job, frames, .. }
        | Fact::FramesRequeued { job, frames } => About {
            job: Some(*job),
            frames: Some(frames),
            ..none
        },
        Fact::NodeExcluded { job, node, .. } | Fact::NodeBanned { job, node, .. } => About {
            job: Some(*job),
            node: Some(*node),
            ..none
        },
        Fact::JobSubmitted { job, .. }
        | Fact::JobPaused { job }
        | Fact::JobResumed { job }
        | Fact::PriorityChanged { job, .. }
        | Fact::JobRenamed { job, .. }
        | Fact::JobForgotten { job }
        | Fact::FilmLearned { job, .. }
        | Fact::FilmsAsked { job }
        | Fact::FilmsMade { job, .. }
        | Fact::BlenderChosen { job, .. } => About {
            job: Some(*job),
            ..none
        },
        Fact::NodeJoined { node, .. }
        | Fact::NodeRemoved { node }
        | Fact::NodeDrained { node }
        | Fact::NodeResumed { node } => About {
            node: Some(*node),
            ..none
        },
        Fact::AddressAdded { .. } | Fact::AddressRemoved { .. } => none,
    }
}
