//! What two versions of Farmhand agree on: ids, frame sets, manifests and wire types.
//!
//! Everything here is data and its parsing. This crate must not know HTTP, files, the clock, or what any of
//! it means to the farm.

pub mod agent;
mod audit;
mod blender;
mod cause;
mod digest;
mod failure;
pub mod farm;
mod frames;
mod ids;
mod join;
mod log;
mod manifest;
#[cfg(test)]
mod nasty_path;
mod notice;
mod problem;
mod settings;
mod shared_path;
mod trace;
mod tree_path;

pub use audit::{AuditEntry, USER_HEADER};
pub use blender::{BlenderVersion, BlenderVersionError};
pub use cause::Cause;
pub use digest::{BlobHash, DigestError, SceneHash};
pub use failure::{Blame, Failure, FailureKind};
pub use frames::{Frame, FrameError, FrameRange, FrameSet, FrameSetError};
pub use ids::{BatchId, BatchKey, BootId, Epoch, EventId, FarmId, IdError, JobId, NodeId};
pub use join::{JoinFarm, Joined, RenewCertificate};
pub use log::{frame_mark, log_of_frame, marked_frame};
pub use manifest::{FileEntry, Manifest, ManifestError, SharedFile, StoredPaths};
pub use notice::{Notice, NoticeKind};
pub use problem::Problem;
pub use settings::{Denoise, Device, RenderSettings, SettingsError};
pub use shared_path::{SharedPath, SharedPathError};
pub use trace::{SpanContext, SpanId, TRACEPARENT_HEADER, TraceId};
pub use tree_path::{TreePath, TreePathError};

/// Version of the wire forms in this crate: `(major, minor)`. One minor version apart works.
pub const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 1, minor: 0 };

/// Header in which a client names the [`ProtocolVersion`] it speaks, for example `1.0`.
pub const PROTOCOL_HEADER: &str = "farmhand-protocol";

/// The kind of service as which agents announce themselves on a local network.
pub const MDNS_SERVICE: &str = "_farmhand._tcp.local.";

/// A version of the wire forms. A new optional field or event is a minor version, anything else a major one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtocolVersion {
    /// Versions with different majors do not understand each other.
    pub major: u16,
    /// Versions whose minors differ by at most one understand each other.
    pub minor: u16,
}

impl ProtocolVersion {
    /// Whether a peer that speaks `other` can be worked with.
    pub fn works_with(self, other: Self) -> bool {
        self.major == other.major && self.minor.abs_diff(other.minor) <= 1
    }
}

impl std::fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for ProtocolVersion {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a protocol version such as 1.0", text);
        let (major, minor) = text.split_once('.').ok_or_else(error)?;
        let number = |part: &str| part.parse().map_err(|_| error());
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}
