//! Errors of the version 1 API: problem details, RFC 9457.

use serde::{Deserialize, Serialize};

/// Body of every version 1 error, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// What programs decide by: a short name such as `scene-missing`. A relative reference, as RFC 9457
    /// allows.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What went wrong and what to do, in words.
    pub detail: String,
    /// Blobs that must be uploaded first, for `scene-missing`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<crate::BlobHash>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(status: u16, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            status,
            detail: detail.into(),
            missing: Vec::new(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}
