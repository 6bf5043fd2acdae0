//! Frames and attempts at them as they are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::FrameFile;
use crate::{BatchId, Failure, Frame, FrameSet, NodeId};

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FrameState {
    /// Waits for a node.
    Pending,
    /// In a batch on a node, not started.
    Leased,
    /// Being rendered.
    Rendering,
    /// Its files are in the job's folder, verified and on disk.
    Delivered,
    /// Its attempts are used up.
    Failed,
    /// Cancelled by a person.
    Cancelled,
}

/// How many frames of a job are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrameCounts {
    /// See [`FrameState::Pending`].
    pub pending: u32,
    /// See [`FrameState::Leased`].
    pub leased: u32,
    /// See [`FrameState::Rendering`].
    pub rendering: u32,
    /// See [`FrameState::Delivered`].
    pub delivered: u32,
    /// See [`FrameState::Failed`].
    pub failed: u32,
    /// See [`FrameState::Cancelled`].
    pub cancelled: u32,
}

impl FrameCounts {
    /// All frames.
    pub fn total(&self) -> u32 {
        self.pending + self.leased + self.rendering + self.delivered + self.failed + self.cancelled
    }
}

/// Frames of one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FramesInState {
    /// The state.
    pub state: FrameState,
    /// The frames.
    pub frames: FrameSet,
}

/// A failed attempt at a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptView {
    /// Which frame.
    pub frame: Frame,
    /// In which batch.
    pub batch: BatchId,
    /// On which node.
    pub node: NodeId,
    /// That node's name.
    pub node_name: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Why.
    pub failure: Failure,
}

/// One entry of `GET /v1/jobs/{id}/frames`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrameView {
    /// Which frame.
    pub frame: Frame,
    /// Where it stands.
    pub state: FrameState,
    /// Failed attempts so far.
    pub attempts: u32,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Its files relative to the job's folder, once delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FrameFile>,
    /// The node that rendered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// How long it took there, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_ms: Option<u64>,
}
