//! Calls about blobs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use farmhand_http::{Path, Reject};
use farmhand_protocol::BlobHash;
use futures_util::TryStreamExt;
use tokio_util::io::ReaderStream;

use super::Shared;
use crate::agent::Agent;
use crate::metrics::Way;
use crate::store::PutError;

pub(super) async fn read(State(agent): Shared, Path(hash): Path<BlobHash>) -> Result<Response, Reject> {
    agent.blobs.touch(hash); // Who asks is about to rely on it.
    stream(&agent, &agent.blobs.path(hash)).await
}

/// 201 where it is new, 200 where it was here.
pub(super) async fn put(
    State(agent): Shared,
    Path(hash): Path<BlobHash>,
    body: Body,
) -> Result<StatusCode, Reject> {
    let chunks = body
        .into_data_stream()
        .inspect_ok(|chunk| agent.metrics.travelled(Way::In, chunk.len() as u64));
    let new = agent.blobs.put(hash, chunks).await?;
    if new && agent.blobs.is_over_full() {
        let agent = Arc::clone(&agent);
        tokio::task::spawn_blocking(move || agent.make_room());
    }
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK })
}

/// A file as a response; 404 where there is none.
pub(super) async fn stream(agent: &Arc<Agent>, path: &std::path::Path) -> Result<Response, Reject> {
    let missing = || Reject::new(StatusCode::NOT_FOUND, "not-found", "this node does not have that");
    let file = tokio::fs::File::open(path).await.map_err(|_| missing())?;
    let length = file.metadata().await.map_err(|_| missing())?.len();
    let headers = [
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    let agent = Arc::clone(agent);
    let chunks = ReaderStream::with_capacity(file, 64 * 1024)
        .inspect_ok(move |chunk| agent.metrics.travelled(Way::Out, chunk.len() as u64));
    let body = Body::from_stream(chunks);
    Ok((headers, body).into_response())
}

impl From<PutError> for Reject {
    fn from(error: PutError) -> Self {
        let (status, kind) = match &error {
            PutError::WrongHash { .. } => (StatusCode::BAD_REQUEST, "wrong-hash"),
            PutError::BrokenOff(_) => (StatusCode::BAD_REQUEST, "broken-off"),
            PutError::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
                (StatusCode::INSUFFICIENT_STORAGE, "disk-full")
            }
            PutError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, "storage"),
        };
        Self::new(status, kind, error.to_string())
    }
}
