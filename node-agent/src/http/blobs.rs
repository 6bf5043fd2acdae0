//! Calls about blobs.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farmhand_http::{IntakeError, Json, Part, Path, RECEIVED_HEADER, Reject};
use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::{BlobsPulled, PullBlobs};
use futures_util::TryStreamExt;
use tokio::io::AsyncSeekExt;
use tokio_util::io::ReaderStream;

use super::Shared;
use crate::agent::Agent;
use crate::metrics::Way;
use crate::pull;

/// Bytes read from the disk at a time.
const BLOCK: usize = 1 << 20;

/// The blob from `Range: bytes=FROM-` on. Where it is not whole, the 404 says how much of it is here.
pub(super) async fn read(
    State(agent): Shared,
    Path(hash): Path<BlobHash>,
    headers: HeaderMap,
) -> Result<Response, Reject> {
    agent.blobs.touch(hash); // Who asks is about to rely on it.
    match stream(&agent, &agent.blobs.path(hash), begin_of(&headers)).await {
        Ok(response) => Ok(response),
        Err(missing) => {
            let mut response = missing.into_response();
            let received = HeaderValue::from(agent.blobs.received(hash));
            response.headers_mut().insert(RECEIVED_HEADER, received);
            Ok(response)
        }
    }
}

/// 201 where it is new, 200 where it was here.
pub(super) async fn put(
    State(agent): Shared,
    Path(hash): Path<BlobHash>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Reject> {
    let part = Part::of(&headers)?;
    let size = part.size.unwrap_or(0);
    if agent.blobs.lacks_room_for(size) {
        let agent = Arc::clone(&agent);
        let _it_is_logged = tokio::task::spawn_blocking(move || agent.make_room(size)).await;
    }
    let chunks = body
        .into_data_stream()
        .inspect_ok(|chunk| agent.metrics.travelled(Way::In, chunk.len() as u64));
    let new = agent.blobs.put(hash, part, chunks).await.map_err(refuse)?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK })
}

/// Answered when everything is here that can be had.
pub(super) async fn pull(
    State(agent): Shared,
    Json(request): Json<PullBlobs>,
) -> Result<Json<BlobsPulled>, Reject> {
    Ok(Json(pull::pull(&agent, request).await))
}

fn begin_of(headers: &HeaderMap) -> u64 {
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    from.unwrap_or(0)
}

/// A file from a place on as a response; 404 where there is none.
pub(super) async fn stream(
    agent: &Arc<Agent>,
    path: &std::path::Path,
    from: u64,
) -> Result<Response, Reject> {
    let missing = || Reject::new(StatusCode::NOT_FOUND, "not-found", "this node does not have that");
    let mut file = tokio::fs::File::open(path).await.map_err(|_| missing())?;
    let length = file.metadata().await.map_err(|_| missing())?.len();
    let headers = |bytes: u64| {
        [
            (header::CONTENT_LENGTH, bytes.to_string()),
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        ]
    };
    let is_whole = from == 0 || from >= length;
    if !is_whole {
        file.seek(SeekFrom::Start(from)).await.map_err(|_| missing())?;
    }
    let agent = Arc::clone(agent);
    let chunks = ReaderStream::with_capacity(file, BLOCK)
        .inspect_ok(move |chunk| agent.metrics.travelled(Way::Out, chunk.len() as u64));
    let body = Body::from_stream(chunks);
    if is_whole {
        return Ok((headers(length), body).into_response());
    }
    let range = [(
        header::CONTENT_RANGE,
        format!("bytes {from}-{}/{length}", length - 1),
    )];
    Ok((StatusCode::PARTIAL_CONTENT, headers(length - from), range, body).into_response())
}

#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
fn refuse(error: IntakeError) -> Reject {
    let (status, kind) = match &error {
        IntakeError::WrongHash { .. } => (StatusCode::BAD_REQUEST, "wrong-hash"),
        IntakeError::WrongOffset { .. } => (StatusCode::CONFLICT, "wrong-offset"),
        IntakeError::BrokenOff(_) => (StatusCode::BAD_REQUEST, "broken-off"),
        IntakeError::OverQuota { room } => {
            let said = format!(
                "the node's cache is full of scenes in use, {room} bytes of its quota are left: wait for their jobs, or \
                 start the agent with a larger --cache"
            );
            return Reject::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", said);
        }
        IntakeError::Disk(io) if io.kind() == std::io::ErrorKind::StorageFull => {
            (StatusCode::INSUFFICIENT_STORAGE, "disk-full")
        }
        IntakeError::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "storage"),
    };
    Reject::new(status, kind, error.to_string())
}
