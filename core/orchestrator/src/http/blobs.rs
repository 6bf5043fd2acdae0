//! Uploading the files of scenes.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use farmhand_http::{Part, Path, RECEIVED_HEADER, Reject};
use farmhand_protocol::BlobHash;
use futures_util::TryStreamExt;

use super::refuse::refuse_blob;
use crate::front::Front;
use crate::metrics::Way;

/// Where it is not whole, the 404 says how much of it has arrived.
pub(super) async fn has(State(front): State<Front>, Path(hash): Path<BlobHash>) -> Response {
    if front.blobs().claim(hash).await {
        return StatusCode::OK.into_response();
    }
    let received = [(RECEIVED_HEADER, front.blobs().received(hash).to_string())];
    (StatusCode::NOT_FOUND, received).into_response()
}

pub(super) async fn put(
    State(front): State<Front>,
    Path(hash): Path<BlobHash>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Reject> {
    let part = Part::of(&headers)?;
    let metrics = front.metrics();
    let chunks = body.into_data_stream().inspect_ok(|chunk| {
        metrics.travelled(Way::FromClients, chunk.len() as u64);
    });
    let put = front.blobs().put(hash, part, chunks).await;
    put.map_err(refuse_blob)?;
    Ok(StatusCode::CREATED)
}
