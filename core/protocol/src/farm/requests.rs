//! What people ask of a farm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BlenderVersion, FrameSet, JobId, RenderSettings, SceneHash};

/// Body of `POST /v1/jobs`. The scene's manifest and files must have been uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitJob {
    /// Also the stem of the pictures' names: one path part, not empty.
    pub name: String,
    /// What to render.
    pub scene: SceneHash,
    /// Which frames; not empty.
    pub frames: FrameSet,
    /// How to render them.
    #[serde(default)]
    pub settings: RenderSettings,
    /// Higher goes first, -100 to 100.
    #[serde(default)]
    pub priority: i32,
    /// Folder for the pictures: relative to the output root, or absolute within an allowed root. Without it
    /// the job's name, with a number where that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What becomes of pictures that are already there.
    #[serde(default)]
    pub existing: Existing,
    /// The Blender that wrote the scene, where the submitter knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<BlenderVersion>,
    /// Nodes must have all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Frames of a batch; the scheduler's choice without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Nothing is rendered before this job is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<JobId>,
    /// Nodes that may work on it at one time, at least 1; any number without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<u32>,
    /// The first, the last and each so-manieth frame are rendered before the others; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<u32>,
    /// Who asks, for people to read.
    #[serde(default)]
    pub user: String,
    /// Make a film for looking of its pictures at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub video: bool,
}

/// What becomes of pictures that are already in a job's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// The job is refused.
    #[default]
    Refuse,
    /// Their frames are not rendered.
    Skip,
    /// They are replaced.
    Overwrite,
    /// The job gets a new folder with a number.
    New,
}

/// Body of `PATCH /v1/jobs/{id}`: what to change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeJob {
    /// A new priority, -100 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// A new name to show; pictures keep theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Body of `POST /v1/jobs/{id}/cancel` and `/retry`; may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChooseFrames {
    /// Only these. Without it: for cancel all that are not delivered, for retry all failed and cancelled.
    /// Retry renders delivered frames again only where they are named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<FrameSet>,
}

/// Body of `POST /v1/nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddNode {
    /// The agent's base address, `http://host:3000`.
    pub address: String,
}

/// Body of `POST /v1/nodes/{id}/drain`; may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct DrainNode {
    /// Stop running frames too, instead of finishing them.
    pub now: bool,
    /// Give the node work again at this time, unless it is drained or resumed anew before. The orchestrator
    /// keeps this in memory: after its restart the node stays drained until resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub until: Option<Timestamp>,
}
