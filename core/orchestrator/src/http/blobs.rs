//! Uploading the files of scenes.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use farmhand_http::Path;
use farmhand_protocol::BlobHash;
use futures_util::TryStreamExt;

use crate::blobs::PutError;
use crate::front::Front;
use crate::metrics::Way;

pub(super) async fn has(State(front): State<Front>, Path(hash): Path<BlobHash>) -> StatusCode {
    if front.blobs().has(hash).await {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    }
}

pub(super) async fn put(
    State(front): State<Front>,
    Path(hash): Path<BlobHash>,
    body: Body,
) -> Result<StatusCode, PutError> {
    let metrics = front.metrics();
    let chunks = body.into_data_stream().inspect_ok(|chunk| {
        metrics.travelled(Way::FromClients, chunk.len() as u64);
    });
    front.blobs().put(hash, chunks).await?;
    Ok(StatusCode::CREATED)
}
