//! What is told as it happens.

use serde::{Deserialize, Serialize};

use super::{BatchView, FramesInState, JobView, NodeView, Note};
use crate::JobId;

/// One message of the orchestrator's `GET /v1/events`. Views replace what was known of the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FarmEvent {
    /// Events are missing between the asked place and this one: read the lists, then go on.
    Reset,
    /// A job is new or has changed.
    Job {
        /// The job now.
        job: Box<JobView>,
    },
    /// A job is gone from the list.
    JobGone {
        /// Which job.
        id: JobId,
    },
    /// Frames of a job changed state.
    Frames {
        /// Of which job.
        job: JobId,
        /// The new states, of changed frames only.
        states: Vec<FramesInState>,
    },
    /// A batch is new or has changed.
    Batch {
        /// The batch now.
        batch: Box<BatchView>,
    },
    /// A node is new or has changed; sent at least every two seconds while it renders.
    Node {
        /// The node now.
        node: Box<NodeView>,
    },
    /// A node is gone from the list.
    NodeGone {
        /// Its address.
        address: String,
    },
    /// A line of the diary.
    Note {
        /// The line.
        note: Note,
    },
    /// A kind of a newer version.
    #[serde(other)]
    Unknown,
}
