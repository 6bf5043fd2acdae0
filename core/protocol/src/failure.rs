//! Why an attempt at a frame failed: a kind for programs, words for people, the log's end for both.

use serde::{Deserialize, Serialize};

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What programs decide by.
    pub kind: FailureKind,
    /// What happened, in words for the person who must act; no trailing stop.
    pub message: String,
    /// The last lines of Blender's log, oldest first; at most 40 lines of at most 500 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl Failure {
    /// A failure without a log.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            log: Vec::new(),
        }
    }

    /// The same failure with the end of a log.
    #[must_use]
    pub fn with_log(self, log: Vec<String>) -> Self {
        Self { log, ..self }
    }
}

/// Kinds of failure. A kind that this version does not know is read as [`FailureKind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The .blend is missing, truncated, damaged, or no .blend.
    SceneUnreadable,
    /// The scene has no camera to render through.
    NoCamera,
    /// Textures, libraries or other files that the scene names are not there.
    MissingFiles,
    /// The scene lies on shared storage that this node does not see.
    SharedPathMissing,
    /// Python drivers or scripts of the scene were not run, so its pixels would be wrong.
    BlockedScripts,
    /// The scene's render engine is not in this Blender.
    UnknownRenderEngine,
    /// The output format cannot be written frame by frame.
    UnsupportedOutput,
    /// The job's settings name a scene, view layer or engine that is not there, or samples that it cannot take.
    SettingsUnfit,
    /// The node's agent does not understand the batch: it is of another version than the orchestrator.
    BatchNotUnderstood,
    /// The node has no Blender that can read this scene.
    UnsupportedVersion,
    /// The node lacks the device that was asked for.
    DeviceMissing,
    /// The scene denoises and this Blender has no denoiser.
    DenoiserMissing,
    /// The node has no Blender, or could not start it.
    BlenderMissing,
    /// Blender ended with an exit code.
    BlenderExited,
    /// Blender was ended by a signal.
    BlenderKilled,
    /// No sign of progress within the frame timeout.
    TimedOut,
    /// More memory than the node's limit.
    OutOfMemory,
    /// No space left on the node's or the orchestrator's disk.
    DiskFull,
    /// Blender said why the render failed.
    RenderError,
    /// Blender called the frame finished and wrote no picture.
    NoPicture,
    /// A picture that does not decode whole, or has the wrong size.
    BadPicture,
    /// The driver inside Blender failed, or said what it must not.
    DriverError,
    /// The frame was finished and could not be brought home.
    NotDelivered,
    /// The frame's nodes were lost too often.
    NodeLost,
    /// A kind of a newer version.
    #[serde(other)]
    Other,
}

/// Whose fault a failure is, which decides what is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The scene's: it will fail on every node.
    Scene,
    /// This node's for this scene: another node may render it.
    Node,
    /// Unknown: trying again may help.
    Unknown,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::SceneUnreadable,
        Self::NoCamera,
        Self::MissingFiles,
        Self::SharedPathMissing,
        Self::BlockedScripts,
        Self::UnknownRenderEngine,
        Self::UnsupportedOutput,
        Self::SettingsUnfit,
        Self::BatchNotUnderstood,
        Self::UnsupportedVersion,
        Self::DeviceMissing,
        Self::DenoiserMissing,
        Self::BlenderMissing,
        Self::BlenderExited,
        Self::BlenderKilled,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::DiskFull,
        Self::RenderError,
        Self::NoPicture,
        Self::BadPicture,
        Self::DriverError,
        Self::NotDelivered,
        Self::NodeLost,
        Self::Other,
    ];

    /// Whose fault this kind of failure is.
    pub fn blame(self) -> Blame {
        match self {
            Self::SceneUnreadable
            | Self::NoCamera
            | Self::MissingFiles
            | Self::BlockedScripts
            | Self::UnknownRenderEngine
            | Self::UnsupportedOutput
            | Self::SettingsUnfit => Blame::Scene,
            Self::BatchNotUnderstood
            | Self::UnsupportedVersion
            | Self::SharedPathMissing
            | Self::DeviceMissing
            | Self::DenoiserMissing
            | Self::BlenderMissing => Blame::Node,
            Self::BlenderExited
            | Self::BlenderKilled
            | Self::TimedOut
            | Self::OutOfMemory
            | Self::DiskFull
            | Self::RenderError
            | Self::NoPicture
            | Self::BadPicture
            | Self::DriverError
            | Self::NotDelivered
            | Self::NodeLost
            | Self::Other => Blame::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_a_newer_version_is_read_as_other() {
        let failure: Failure =
            serde_json::from_str(r#"{"kind":"solar_flare","message":"m","new":1}"#).unwrap();
        assert_eq!(failure, Failure::new(FailureKind::Other, "m"));
    }
}
