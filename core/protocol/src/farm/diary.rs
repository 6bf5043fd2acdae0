//! The farm as a whole: its diary, and why things are as they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Cause, FarmId, JobId, NodeId};

/// How much a line of the farm's diary matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Good to know.
    Info,
    /// Something ended well.
    Success,
    /// Something a person may want to look at.
    Warning,
    /// Something failed.
    Error,
}

/// A line of the farm's diary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Note {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// How much it matters.
    pub weight: Weight,
    /// What happened, in words.
    pub text: String,
    /// To which job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// On which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
}

/// Answer of `GET /v1/farm`: the farm in a few lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FarmView {
    /// Which farm.
    pub id: FarmId,
    /// The orchestrator's version.
    pub version: String,
    /// Absolute folder below which pictures go.
    pub output: String,
    /// Nodes that could render now, and all nodes.
    pub nodes_ready: u32,
    /// All nodes.
    pub nodes: u32,
    /// The newest lines of the diary, oldest first.
    pub notes: Vec<Note>,
    /// Whoever asked has a token that may only look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub readonly: bool,
}

/// Answer of `GET /v1/jobs/{id}/why`, `/v1/batches/{id}/why` and `/v1/nodes/{id}/why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// Why the job waits, or failed, or goes where it goes.
    pub reasons: Vec<String>,
    /// The same as causes: what shows each, and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}
