//! Jobs as they are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AttemptView, BatchView, FrameCounts, FramesInState};
use crate::agent::FrameFile;
use crate::{BlenderVersion, Frame, FrameSet, JobId, NodeId, RenderSettings, SceneHash, TreePath};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// No frame of it is on a node; `why` tells the reason.
    Waiting,
    /// Frames of it are on nodes.
    Running,
    /// A person held it; frames on nodes are finished.
    Paused,
    /// Every frame is delivered.
    Completed,
    /// Ended, and a frame failed.
    Failed,
    /// Ended, and a frame was cancelled.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen unless a person asks.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word that is shown and sent.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job as it is shown in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobView {
    /// Which job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Who submitted it.
    pub user: String,
    /// Where it stands.
    pub state: JobState,
    /// Why it waits or failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// Its frames, without skipped ones.
    pub frames: FrameSet,
    /// Frames that were not rendered because their pictures were there.
    #[serde(default)]
    pub skipped: FrameSet,
    /// How its frames stand.
    pub counts: FrameCounts,
    /// The scene it renders.
    pub scene: SceneHash,
    /// How.
    pub settings: RenderSettings,
    /// The Blender that all its frames use, once chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blender: Option<BlenderVersion>,
    /// Absolute folder of its pictures on the orchestrator's machine.
    pub output: String,
    /// Its films, where there are to be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmView>,
    /// When it was submitted.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub submitted: Timestamp,
    /// When its first frame was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended: Option<Timestamp>,
    /// Mean render time of a delivered frame in milliseconds, from the third one on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_frame_ms: Option<u64>,
    /// Expected time to its end in milliseconds, from the third delivered frame on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// It hardly ends before that, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_early_ms: Option<u64>,
    /// It hardly takes longer than that, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_late_ms: Option<u64>,
    /// Render time of all delivered frames together, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_ms: Option<u64>,
    /// The job that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<JobId>,
    /// Nodes that may work on it at one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<u32>,
}

/// How far the films of a job are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilmState {
    /// Its pictures are not all there.
    Waiting,
    /// Being made of them.
    Making,
    /// In the job's folder.
    Made,
    /// None could be made; the problem says why, and the pictures stay.
    Failed,
}

/// The films of a job: what its scene asks for, and one for looking where that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilmView {
    /// How far they are.
    pub state: FilmState,
    /// Films that were made, relative to the job's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FrameFile>,
    /// What kept one from being made, or what it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Answer of `POST /v1/jobs/{id}/verify`: what was read of the delivered files, and found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verification {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are damaged or gone, at most 1000 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedFile>,
    /// Their frames, all of them: they are rendered again.
    #[serde(default)]
    pub requeued: FrameSet,
}

/// A delivered file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DamagedFile {
    /// Of which frame.
    pub frame: Frame,
    /// Its path relative to the job's folder.
    pub path: TreePath,
    /// What is wrong with it, in words that follow its name.
    pub problem: String,
}

/// Answer of `GET /v1/jobs/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: JobView,
    /// The state of every frame, as sets of equal state.
    pub states: Vec<FramesInState>,
    /// Batches, newest first, at most 500.
    pub batches: Vec<BatchView>,
    /// Failed attempts, newest first, at most 100.
    pub attempts: Vec<AttemptView>,
}

/// Answer of `GET /v1/jobs/{id}/output`: what has come of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputView {
    /// Absolute folder of the pictures on the orchestrator's machine.
    pub folder: String,
    /// Delivered files.
    pub files: u64,
    /// Their length together, in bytes.
    pub bytes: u64,
    /// The frames that were delivered last, newest first, as many as were asked for and at most 500.
    pub newest: Vec<DeliveredView>,
}

/// A delivered frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveredView {
    /// Which frame.
    pub frame: Frame,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// By which node.
    pub node: NodeId,
    /// How long it rendered, in milliseconds.
    pub render_ms: u64,
    /// Its first file, relative to the job's folder.
    pub path: TreePath,
}
