//! Wire types of a node agent's API.

use serde::{Deserialize, Serialize};

use crate::{
    BatchId, BatchKey, BlenderVersion, BlobHash, Device, Epoch, EventId, Failure, FarmId, Frame, FrameSet,
    JobId, NodeId, ProtocolVersion, RenderSettings, SceneHash, TreePath,
};

/// Body of `POST /v1/batches`. Sending the same batch twice starts it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartBatch {
    /// Whose batch.
    pub farm: FarmId,
    /// An agent refuses a lower one than it has seen of this farm.
    pub epoch: Epoch,
    /// Its name within the farm.
    pub batch: BatchId,
    /// The job it belongs to, for logs.
    pub job: JobId,
    /// A scene whose manifest and files the agent already holds.
    pub scene: SceneHash,
    /// Not empty. Rendered lowest first.
    pub frames: FrameSet,
    /// How to render them.
    #[serde(default)]
    pub settings: RenderSettings,
    /// The Blender to use, exactly; without it the agent's choice for the scene.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blender: Option<BlenderVersion>,
    /// A batch of this farm that has not started and shall wait for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<BatchId>,
    /// Base addresses where missing blobs can be had, `GET {source}/v1/blobs/{hash}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

/// Body of `POST /v1/blobs`: get blobs from where they are, rather than wait to be sent them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PullBlobs {
    /// Which; those that are here are left alone.
    pub blobs: Vec<BlobHash>,
    /// Base addresses where they may be had, `GET {source}/v1/blobs/{hash}`, the best first.
    pub sources: Vec<String>,
}

/// Answer to [`PullBlobs`], once nothing more can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlobsPulled {
    /// Those that no source gave: they must be sent.
    pub missing: Vec<BlobHash>,
    /// Bytes that came from the sources.
    pub bytes: u64,
}

/// Body of `POST /v1/batches/{key}/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeFrames {
    /// Frames to take back where they have not started.
    pub frames: FrameSet,
}

/// Answer to [`RevokeFrames`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FramesRevoked {
    /// Those that had not started and now never will in this batch.
    pub revoked: FrameSet,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BatchPhase {
    /// Waits for a slot.
    Queued,
    /// Blender starts or loads the scene.
    Loading,
    /// Frames are being rendered.
    Rendering,
    /// Every frame rendered, failed, or revoked.
    Completed,
    /// Ended on request; nothing of it is kept.
    Cancelled,
    /// Ended early by a failure that its other frames would share.
    Failed,
    /// The agent ended while it ran; what was finished is in the spool.
    Interrupted,
}

impl BatchPhase {
    /// Whether nothing more will be rendered for it.
    pub fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Cancelled | Self::Failed | Self::Interrupted
        )
    }
}

/// One entry of `GET /v1/batches`: the truth about a batch, whatever events were lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchReport {
    /// Which batch.
    pub key: BatchKey,
    /// The epoch it was started under.
    pub epoch: Epoch,
    /// The job it belongs to.
    pub job: JobId,
    /// Its scene.
    pub scene: SceneHash,
    /// Where it stands.
    pub phase: BatchPhase,
    /// Its frames, without revoked ones.
    pub frames: FrameSet,
    /// Frames that have not started.
    pub waiting: FrameSet,
    /// The frame being rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<Frame>,
    /// Frames finished and not acknowledged.
    #[serde(default)]
    pub finished: Vec<FinishedFrame>,
    /// Frames whose acknowledgement has arrived.
    #[serde(default)]
    pub acknowledged: FrameSet,
    /// Frames that failed.
    #[serde(default)]
    pub failed: Vec<FailedFrame>,
    /// The Blender that renders it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blender: Option<BlenderVersion>,
}

/// A frame whose files lie in the agent's spool, each decoded whole there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinishedFrame {
    /// Which frame.
    pub frame: Frame,
    /// Every file that Blender wrote for it, sorted by path; not empty.
    pub files: Vec<FrameFile>,
    /// Wall time from the frame's start to its last file, in milliseconds.
    pub render_ms: u64,
    /// Peak memory of the Blender so far, in bytes; 0 if not known.
    #[serde(default)]
    pub peak_memory_bytes: u64,
    /// What really rendered it.
    #[serde(default)]
    pub device: Device,
    /// How the scene's pictures become a film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<Film>,
}

/// How a scene's pictures become a film.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Film {
    /// Frames in so many seconds, numerator and denominator: `[24, 1]`, `[24000, 1001]`.
    pub rate: (u32, u32),
    /// What the scene asks for where its output is a film; its frames are rendered as PNG then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movie: Option<Movie>,
}

/// A film as a scene describes it, in Blender's own words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Movie {
    /// `MPEG4`, `MKV`, `QUICKTIME` ...
    pub container: String,
    /// `H264`, `FFV1`, `WEBM` ...
    pub codec: String,
    /// `LOSSLESS`, `HIGH`, `MEDIUM` ...; `NONE` where the bit rate decides.
    pub quality: String,
    /// Kilobits a second.
    #[serde(default)]
    pub bitrate_kbps: u32,
    /// Most frames between two that stand for themselves.
    #[serde(default)]
    pub gop: u32,
    /// Whether the scene asks for sound, which no picture carries.
    #[serde(default)]
    pub sound: bool,
}

/// How far a file was proved whole before its frame was called finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Every pixel was decoded.
    #[default]
    Decoded,
    /// Its format has no decoder here: its structure was walked to its end, and its size fits that.
    Structure,
    /// Nothing is known of its format but that it is not empty.
    NotEmpty,
}

impl Proof {
    /// Whether it was decoded, which goes without saying.
    pub fn is_decoded(&self) -> bool {
        *self == Self::Decoded
    }

    /// Its name on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::Structure => "structure",
            Self::NotEmpty => "not_empty",
        }
    }

    /// Reads [`Self::word`]; of a word that this version does not know only the least is believed.
    pub fn of_word(word: &str) -> Self {
        match word {
            "decoded" => Self::Decoded,
            "structure" => Self::Structure,
            _ => Self::NotEmpty,
        }
    }
}

/// One file of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrameFile {
    /// Path within the frame: `0007.png` for the picture itself (digits, then what Blender adds for views,
    /// then the extension), `folder/0007.exr` for what file-output nodes write.
    pub path: TreePath,
    /// Its content.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
    /// How far it was proved whole.
    #[serde(default, skip_serializing_if = "Proof::is_decoded")]
    pub proof: Proof,
}

/// A frame that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailedFrame {
    /// Which frame.
    pub frame: Frame,
    /// Why.
    pub failure: Failure,
}

/// Answer of `GET /v1/node`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeInfo {
    /// The node's id, kept in its data folder.
    pub id: NodeId,
    /// Its name: the host's, or what `--name` says.
    pub name: String,
    /// What it speaks.
    pub protocol: ProtocolVersion,
    /// The agent's version.
    pub version: String,
    /// Place in the event stream at the time of the answer.
    pub last_event: EventId,
    /// Blenders that may run at a time.
    pub slots: u32,
    /// Threads of each; 0: as many as the machine has.
    pub threads: u32,
    /// What it was tagged with.
    #[serde(default)]
    pub tags: Vec<String>,
    /// False while engines are still probed.
    pub probed: bool,
    /// Its Blenders, in the order of preference.
    #[serde(default)]
    pub engines: Vec<EngineInfo>,
    /// Why it can render nothing, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where it registers itself, if it was told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joining: Option<Joining>,
    /// What it runs on.
    pub hardware: Hardware,
    /// How busy it is.
    pub load: Load,
}

/// How an agent that registers itself stands with its orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joining {
    /// The orchestrator, as the agent calls it.
    pub farm: String,
    /// The agent's base address, as it says it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether the orchestrator has reached it there, or elsewhere.
    pub joined: bool,
    /// Why not, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One Blender of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EngineInfo {
    /// Its version.
    pub version: BlenderVersion,
    /// Where it is on the node: an executable, or `python:` and a Python with the `bpy` module.
    pub path: String,
    /// What it can render with; the CPU always.
    pub devices: Vec<Device>,
    /// Whether it can denoise.
    pub denoiser: bool,
}

/// What a node runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hardware {
    /// Operating system and its version, in words.
    pub os: String,
    /// The processor, in words.
    pub cpu: String,
    /// Hardware threads.
    pub threads: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Graphics devices, in words.
    #[serde(default)]
    pub gpus: Vec<String>,
}

/// How busy a node is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Load {
    /// Share of all processors in use, 0 to 1.
    pub cpu: f32,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Free space where the agent keeps its data, in bytes.
    pub disk_free_bytes: u64,
}

/// Progress within a frame: shown, never journalled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which of the node's slots, from 0.
    pub slot: u32,
    /// The batch it renders.
    pub key: BatchKey,
    /// The frame, once it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<Frame>,
    /// What is going on: `starting Blender`, `loading scene`, `rendering`.
    pub doing: String,
    /// Samples done, where Blender reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
    /// Samples to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// What Blender expects the frame still takes, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
    /// How long the frame has been rendered, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Memory of the Blender, in bytes; 0 if not known.
    #[serde(default)]
    pub memory_bytes: u64,
}

/// One message of `GET /v1/events`. Losing any of them costs only time: `GET /v1/batches` has the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentEvent {
    /// The asked place is not in this boot, or too long ago: read the lists, then go on from this event's id.
    Reset,
    /// A batch was accepted, started to load, or started to render.
    BatchPhase {
        /// Which batch.
        key: BatchKey,
        /// Where it stands now; never an end.
        phase: BatchPhase,
    },
    /// A frame started to render.
    FrameStarted {
        /// Of which batch.
        key: BatchKey,
        /// Which frame.
        frame: Frame,
    },
    /// A frame is in the spool.
    FrameFinished {
        /// Of which batch.
        key: BatchKey,
        /// The frame and its files.
        finished: FinishedFrame,
    },
    /// A frame failed.
    FrameFailed {
        /// Of which batch.
        key: BatchKey,
        /// The frame and why.
        failed: FailedFrame,
    },
    /// Nothing more will be rendered for a batch.
    BatchEnded {
        /// Which batch.
        key: BatchKey,
        /// How it ended.
        phase: BatchPhase,
    },
    /// Something in [`NodeInfo`] other than the load changed.
    NodeChanged,
    /// Progress within a frame, at most four a second for each slot. Has no id of its own and is not kept.
    Progress(Progress),
    /// Sent every two seconds whatever happens: who hears nothing for a lease takes its batches back. Has no
    /// id of its own.
    Beat {
        /// How busy the node is.
        load: Load,
    },
    /// A kind of a newer version.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_batch_keeps_its_wire_form() {
        let scene = SceneHash::of(b"");
        let body = format!(
            concat!(
                r#"{{"farm":"00000000-0000-0000-0000-000000000001","epoch":3,"batch":"b4","job":"j2","scene":"{}","#,
                r#""frames":"1-24","settings":{{"device":"auto","denoise":"scene","allow_missing":false,"#,
                r#""allow_blocked_scripts":false,"allow_cpu":false,"allow_older_blender":false}},"blender":"3.4.1"}}"#
            ),
            scene
        );
        let request: StartBatch = serde_json::from_str(&body).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
    }

    #[test]
    fn an_event_keeps_its_wire_form() {
        let text = r#"{"type":"frame_started","key":"00000000-0000-0000-0000-000000000001.b4","frame":7}"#;
        let event: AgentEvent = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
    }

    #[test]
    fn an_event_of_a_newer_version_is_read_as_unknown() {
        let event: AgentEvent = serde_json::from_str(r#"{"type":"eclipse","of":"the sun"}"#).unwrap();
        assert_eq!(event, AgentEvent::Unknown);
    }
}
