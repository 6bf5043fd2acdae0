//! Uploading the files of scenes.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use farmhand_http::Path;
use farmhand_protocol::BlobHash;

use crate::blobs::PutError;
use crate::front::Front;

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
    front.blobs().put(hash, body.into_data_stream()).await?;
    Ok(StatusCode::CREATED)
}
