//! Nodes as they are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::{EngineInfo, Hardware, Load, Progress};
use crate::{BatchId, FrameSet, JobId, NodeId};

/// How a node stands for the farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its address is known, its agent was never reached since the start.
    Connecting,
    /// Ready and without work.
    Idle,
    /// Renders.
    Rendering,
    /// Finishes what it has and gets nothing new.
    Draining,
    /// Gets nothing until resumed.
    Drained,
    /// Reached, but cannot render; the problem says why.
    Unfit,
    /// Not heard from for a lease; its frames went elsewhere.
    Lost,
}

impl NodeState {
    /// It in one word, as on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Idle => "idle",
            Self::Rendering => "rendering",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Unfit => "unfit",
            Self::Lost => "lost",
        }
    }
}

/// A node as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeView {
    /// Its id, once its agent was reached for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<NodeId>,
    /// Its name, or its address while the name is not known.
    pub name: String,
    /// Its agent's base address.
    pub address: String,
    /// How it stands.
    pub state: NodeState,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// Why it is lost, unfit or unreachable, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Milliseconds since its last sign of life; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    /// Blenders that may run at a time.
    pub slots: u32,
    /// The agent's version.
    #[serde(default)]
    pub version: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its Blenders.
    #[serde(default)]
    pub engines: Vec<EngineInfo>,
    /// What it runs on.
    #[serde(default)]
    pub hardware: Hardware,
    /// How busy it is.
    #[serde(default)]
    pub load: Load,
    /// What its slots do at the moment, busy ones only.
    #[serde(default)]
    pub running: Vec<SlotView>,
    /// Bytes of scenes that it was sent since the orchestrator's start.
    #[serde(default)]
    pub sent_bytes: u64,
    /// Bytes of scenes that it got from other nodes meanwhile.
    #[serde(default)]
    pub pulled_bytes: u64,
    /// Frames delivered by it in the last five minutes, for each minute.
    #[serde(default)]
    pub frames_per_minute: f32,
    /// Where the frames went that a lost node had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedFrames>,
}

/// Frames that were taken back from a lost node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MovedFrames {
    /// Of which job.
    pub job: JobId,
    /// The batch that was lost.
    pub batch: BatchId,
    /// Which frames.
    pub frames: FrameSet,
    /// Name of the node that has them now; absent while they wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What one slot of a node renders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlotView {
    /// For which job of this farm; absent for another farm's or the agent's own work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// What Blender reports.
    #[serde(flatten)]
    pub progress: Progress,
}
