//! What a farm tells those who asked to be told: the body of a webhook, and what a command hook reads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::FarmId;
use crate::farm::{JobView, NodeView};

/// Something that people away from their screens want to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Of this notice: the same one sent again has the same.
    pub id: Uuid,
    /// What happened.
    pub event: NoticeKind,
    /// When.
    pub at: Timestamp,
    /// In which farm.
    pub farm: FarmId,
    /// The job as it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<JobView>>,
    /// The node as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Box<NodeView>>,
}

/// Kinds of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NoticeKind {
    /// Every frame of a job is delivered.
    #[serde(rename = "job.completed")]
    JobCompleted,
    /// A job ended, and a frame failed.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A job ended, and a frame was cancelled.
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    /// A node was not heard from for a lease.
    #[serde(rename = "node.lost")]
    NodeLost,
    /// A lost node is heard from again.
    #[serde(rename = "node.back")]
    NodeBack,
    /// A kind of a newer version.
    #[serde(other)]
    Unknown,
}

impl NoticeKind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobCompleted => "job.completed",
            Self::JobFailed => "job.failed",
            Self::JobCancelled => "job.cancelled",
            Self::NodeLost => "node.lost",
            Self::NodeBack => "node.back",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_keeps_its_wire_form() {
        let text = concat!(
            r#"{"id":"00000000-0000-0000-0000-000000000007","event":"node.lost","at":"2026-11-24T12:00:00Z","#,
            r#""farm":"00000000-0000-0000-0000-000000000001"}"#
        );
        let notice: Notice = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&notice).unwrap(), text);
        assert_eq!(notice.event.name(), "node.lost");
    }
}
