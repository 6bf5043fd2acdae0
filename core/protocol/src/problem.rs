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

    /// What an answer with this status says that is no success. Where its body is no problem, as a proxy's is, the body's
    /// first line, at most 300 characters of it; where that is empty, `otherwise`.
    pub fn of_answer(status: u16, body: &str, otherwise: &str) -> Self {
        serde_json::from_str(body).unwrap_or_else(|_| {
            let line: String = body
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect();
            let words = if line.is_empty() {
                otherwise.to_owned()
            } else {
                line
            };
            Self::new(status, "unknown", words)
        })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_problem_is_told_by_its_first_line_or_its_status() {
        let own = Problem::new(409, "scene-missing", "upload these first");
        let body = serde_json::to_string(&own).unwrap();
        assert_eq!(Problem::of_answer(409, &body, "409 Conflict"), own);
        let proxy = Problem::of_answer(502, "<html>\n<body>", "502 Bad Gateway");
        assert_eq!((proxy.status, proxy.detail.as_str()), (502, "<html>"));
        assert_eq!(
            Problem::of_answer(502, "", "502 Bad Gateway").detail,
            "502 Bad Gateway"
        );
    }
}
