//! The farm's diary: facts in words for people.

use farmhand_protocol::farm::{BatchState, JobState, Note, Weight};
use farmhand_protocol::{JobId, NodeId};

use crate::fact::{Fact, Stamped};
use crate::farm::Farm;

/// What a fact means to a person, told after it was applied; nothing for facts that only programs care about.
#[expect(clippy::too_many_lines, reason = "a table: one fact, one line of words")]
pub fn narrate(farm: &Farm, stamped: &Stamped) -> Option<Note> {
    let job_name = |id: JobId| {
        farm.job(id)
            .map_or_else(|| id.to_string(), |job| format!("{id} {}", job.name))
    };
    let node_name = |id: NodeId| {
        farm.node(id)
            .map_or_else(|| id.to_string(), |node| node.name.clone())
    };
    let (weight, text, job, node) = match &stamped.fact {
        Fact::JobSubmitted { job, spec } => {
            let text = format!("{} submitted: {} frames", job_name(*job), spec.frames.len());
            (Weight::Info, text, Some(*job), None)
        }
        Fact::JobPaused { job } => (
            Weight::Info,
            format!("{} paused", job_name(*job)),
            Some(*job),
            None,
        ),
        Fact::JobResumed { job } => (
            Weight::Info,
            format!("{} resumed", job_name(*job)),
            Some(*job),
            None,
        ),
        Fact::PriorityChanged { job, priority } => (
            Weight::Info,
            format!("{} has priority {priority}", job_name(*job)),
            Some(*job),
            None,
        ),
        Fact::BlenderChosen { job, version } => {
            let text = format!("{} renders with Blender {version}", job_name(*job));
            (Weight::Info, text, Some(*job), None)
        }
        Fact::AttemptFailed {
            job,
            frame,
            node,
            failure,
            last,
            ..
        } => {
            let then = if *last { "given up" } else { "waits again" };
            let text = format!(
                "{job} frame {frame} failed on {}: {}, {then}",
                node_name(*node),
                failure.message
            );
            (
                if *last { Weight::Error } else { Weight::Warning },
                text,
                Some(*job),
                Some(*node),
            )
        }
        Fact::NodeExcluded { job, node, failure } => {
            let text = format!(
                "{} gets nothing more of {job}: {}",
                node_name(*node),
                failure.message
            );
            (Weight::Warning, text, Some(*job), Some(*node))
        }
        Fact::NodeBanned {
            job,
            node,
            until,
            failure,
        } => {
            let text = format!(
                "{} fails frames of {job} that others render; it gets nothing of it for {} s: {}",
                node_name(*node),
                until.duration_since(stamped.at).as_secs(),
                failure.message
            );
            (Weight::Warning, text, Some(*job), Some(*node))
        }
        Fact::BatchEnded {
            batch,
            state: BatchState::Cancelled,
        } => (Weight::Info, format!("batch {batch} cancelled"), None, None),
        Fact::BatchLost { batch } => {
            let held = farm.batch(*batch)?;
            let name = node_name(held.node);
            let waiting = held.frames.difference(&held.delivered).difference(&held.failed);
            let text = format!(
                "{name} lost with {batch}: frames {waiting} of {} wait again",
                held.job
            );
            (Weight::Warning, text, Some(held.job), Some(held.node))
        }
        Fact::FramesFailed { job, frames, failure } => {
            let text = format!("{} frames {frames} failed: {}", job_name(*job), failure.message);
            (Weight::Error, text, Some(*job), None)
        }
        Fact::FramesCancelled { job, frames } => (
            Weight::Info,
            format!("{} frames {frames} cancelled", job_name(*job)),
            Some(*job),
            None,
        ),
        Fact::FramesRequeued { job, frames } => (
            Weight::Info,
            format!("{} frames {frames} render again", job_name(*job)),
            Some(*job),
            None,
        ),
        Fact::FramesRevised { job, frames, why } => (
            Weight::Warning,
            format!(
                "{} frames {frames} are damaged and render again: {why}",
                job_name(*job)
            ),
            Some(*job),
            None,
        ),
        Fact::FilmsMade { job, films } => {
            let names: Vec<&str> = films.files.iter().map(|file| file.path.as_str()).collect();
            let made = (!names.is_empty()).then(|| format!("{} is made", names.join(", ")));
            let words: Vec<String> = made.into_iter().chain(films.problem.clone()).collect();
            let weight = match films.problem {
                Some(_) => Weight::Warning,
                None => Weight::Success,
            };
            let text = format!("{}: {}", job_name(*job), words.join("; "));
            (weight, text, Some(*job), None)
        }
        Fact::FrameDelivered { job, .. } => return ended(farm, stamped, *job),
        Fact::NodeJoined { node, name, address } => (
            Weight::Info,
            format!("node {name} joined at {address}"),
            None,
            Some(*node),
        ),
        Fact::NodeRemoved { node } => (Weight::Info, "a node was removed".to_owned(), None, Some(*node)),
        Fact::NodeDrained { node } => (
            Weight::Info,
            format!("{} is drained: it gets no new frames", node_name(*node)),
            None,
            Some(*node),
        ),
        Fact::NodeResumed { node } => (
            Weight::Info,
            format!("{} gets frames again", node_name(*node)),
            None,
            Some(*node),
        ),
        Fact::JobRenamed { .. }
        | Fact::JobForgotten { .. }
        | Fact::FilmLearned { .. }
        | Fact::FilmsAsked { .. }
        | Fact::BatchAssigned { .. }
        | Fact::FramesReturned { .. }
        | Fact::BatchEnded { .. }
        | Fact::AddressAdded { .. }
        | Fact::AddressRemoved { .. } => return None,
    };
    Some(Note {
        at: stamped.at,
        weight,
        text,
        job,
        node,
    })
}

/// A line when the delivery was a job's last.
fn ended(farm: &Farm, stamped: &Stamped, id: JobId) -> Option<Note> {
    let job = farm.job(id)?;
    let (state, counts) = (job.state(), job.frames.counts(0));
    if !state.has_ended() {
        return None;
    }
    let weight = if state == JobState::Completed {
        Weight::Success
    } else {
        Weight::Warning
    };
    let (done, total, folder) = (counts.delivered, counts.total(), &job.spec.output);
    let text = format!(
        "{id} {} {}: {done}/{total} frames in {folder}",
        job.name,
        state.word()
    );
    Some(Note {
        at: stamped.at,
        weight,
        text,
        job: Some(id),
        node: None,
    })
}
