//! Wire types of the orchestrator's API: what people ask for and what they are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::{EngineInfo, FrameFile, Hardware, Load, Progress};
use crate::{
    BatchId, BlenderVersion, Cause, Failure, FarmId, Frame, FrameSet, JobId, NodeId, RenderSettings,
    SceneHash, TreePath,
};

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

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

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
