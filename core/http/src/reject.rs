//! A version 1 error as a response: problem details with the right content type.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farmhand_protocol::{BlobHash, Problem};

/// A refused call. Each operation's error enum maps itself to one of these in its server's HTTP module.
#[derive(Debug)]
pub struct Reject {
    problem: Problem,
    retry_after_seconds: Option<u32>,
}

impl Reject {
    /// A refusal of this kind: a short name for programs, and words for people.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            problem: Problem::new(status.as_u16(), kind, detail),
            retry_after_seconds: None,
        }
    }

    /// The same with a hint when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..self
        }
    }

    /// The same with the blobs that must be uploaded first.
    #[must_use]
    pub fn missing(mut self, blobs: Vec<BlobHash>) -> Self {
        self.problem.missing = blobs;
        self
    }
}

impl IntoResponse for Reject {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
