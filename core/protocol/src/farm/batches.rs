//! Batches as they are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BatchId, FrameSet, JobId, NodeId};

/// How a batch stands for the farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// On its node, nothing rendering yet.
    Assigned,
    /// Its node renders one of its frames.
    Rendering,
    /// Nothing of it is left.
    Ended,
    /// A person cancelled it.
    Cancelled,
    /// Its node was not heard from for a lease.
    Lost,
}

/// A batch: frames handed to one node at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchView {
    /// Which batch.
    pub id: BatchId,
    /// Of which job.
    pub job: JobId,
    /// On which node.
    pub node: NodeId,
    /// That node's name.
    pub node_name: String,
    /// How it stands.
    pub state: BatchState,
    /// All its frames.
    pub frames: FrameSet,
    /// Those delivered by it.
    pub delivered: FrameSet,
    /// Those that failed in it.
    pub failed: FrameSet,
    /// Why it went to this node.
    pub why: String,
    /// When it was handed out.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub assigned: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended: Option<Timestamp>,
    /// Mean render time of the frames it delivered, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_frame_ms: Option<u64>,
    /// Why its first failed frame failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
