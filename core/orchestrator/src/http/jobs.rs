//! Calls about jobs, their frames and their batches.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farmhand_engine::Command;
use farmhand_http::{Json, JsonOrDefault, Path, Query};
use farmhand_protocol::farm::{
    BatchView, ChangeJob, ChooseFrames, FrameView, JobDetail, JobView, OutputView, Page, SubmitJob,
    Verification, Why,
};
use farmhand_protocol::{BatchId, Frame, JobId, TreePath};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::front::{BatchFilter, FrameFilter, Front, FrontError, JobFilter, Picture};
use crate::metrics::Way;

pub(super) async fn list(State(front): State<Front>, Query(filter): Query<JobFilter>) -> Json<Page<JobView>> {
    Json(front.jobs(&filter))
}

pub(super) async fn submit(
    State(front): State<Front>,
    headers: HeaderMap,
    Json(request): Json<SubmitJob>,
) -> Result<Response, FrontError> {
    let job = front.submit(request, idempotency_key(&headers)?).await?;
    let location = [(header::LOCATION, format!("/v1/jobs/{}", job.id))];
    Ok((StatusCode::CREATED, location, Json(job)).into_response())
}

/// Longest key that is remembered, in bytes.
const LONGEST_KEY: usize = 200;

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, FrontError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(FrontError::Invalid(format!(
            "an Idempotency-Key has 1 to {LONGEST_KEY} plain characters"
        ))),
    }
}

/// Query of one job.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct Patience {
    /// Answer only when the job has ended, or after so many seconds, 300 at most.
    wait: Option<u32>,
}

pub(super) async fn show(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Query(Patience { wait }): Query<Patience>,
) -> Result<Json<JobDetail>, FrontError> {
    let wait = wait.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Json(front.job(id, wait).await?))
}

pub(super) async fn change(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Json(change): Json<ChangeJob>,
) -> Result<Json<JobView>, FrontError> {
    Ok(Json(front.change_job(id, change).await?))
}

pub(super) async fn forget(
    State(front): State<Front>,
    Path(id): Path<JobId>,
) -> Result<StatusCode, FrontError> {
    front.forget_job(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn cancel(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    JsonOrDefault(ChooseFrames { frames }): JsonOrDefault<ChooseFrames>,
) -> Result<Json<JobView>, FrontError> {
    let command = Command::CancelJob { job: id, frames };
    Ok(Json(front.command_job(id, command).await?))
}

pub(super) async fn retry(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    JsonOrDefault(ChooseFrames { frames }): JsonOrDefault<ChooseFrames>,
) -> Result<Json<JobView>, FrontError> {
    Ok(Json(front.retry_job(id, frames).await?))
}

pub(super) async fn pause(
    State(front): State<Front>,
    Path(id): Path<JobId>,
) -> Result<Json<JobView>, FrontError> {
    Ok(Json(front.command_job(id, Command::Pause(id)).await?))
}

pub(super) async fn resume(
    State(front): State<Front>,
    Path(id): Path<JobId>,
) -> Result<Json<JobView>, FrontError> {
    Ok(Json(front.command_job(id, Command::Resume(id)).await?))
}

/// Answered when every file was read, which takes as long as the disk takes.
pub(super) async fn verify(
    State(front): State<Front>,
    Path(id): Path<JobId>,
) -> Result<Json<Verification>, FrontError> {
    Ok(Json(front.verify(id).await?))
}

pub(super) async fn make_films(
    State(front): State<Front>,
    Path(id): Path<JobId>,
) -> Result<Json<JobView>, FrontError> {
    Ok(Json(front.make_films(id).await?))
}

/// Query of a reason.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct WhichFrame {
    /// Only this one.
    frame: Option<Frame>,
}

pub(super) async fn why(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Query(WhichFrame { frame }): Query<WhichFrame>,
) -> Result<Json<Why>, FrontError> {
    Ok(Json(front.why(id, frame).await?))
}

/// Query of a job's output.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct HowMany {
    /// How many of the frames that were delivered last are named.
    newest: Option<usize>,
}

pub(super) async fn output(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Query(HowMany { newest }): Query<HowMany>,
) -> Result<Json<OutputView>, FrontError> {
    Ok(Json(front.output(id, newest).await?))
}

pub(super) async fn batches(
    State(front): State<Front>,
    Query(filter): Query<BatchFilter>,
) -> Result<Json<Page<BatchView>>, FrontError> {
    Ok(Json(front.batches(filter).await?))
}

pub(super) async fn why_batch(
    State(front): State<Front>,
    Path(id): Path<BatchId>,
) -> Result<Json<Why>, FrontError> {
    Ok(Json(front.why_batch(id).await?))
}

pub(super) async fn frames(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Query(filter): Query<FrameFilter>,
) -> Result<Json<Page<FrameView>>, FrontError> {
    Ok(Json(front.frames(id, filter).await?))
}

/// Query of a frame's picture.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct WhichFile {
    /// Path relative to the job's folder; the picture itself without it.
    file: Option<TreePath>,
}

/// Query of a film.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct WhichFilm {
    /// Its path in the job's `film`.
    file: TreePath,
}

pub(super) async fn film(
    State(front): State<Front>,
    Path(id): Path<JobId>,
    Query(WhichFilm { file }): Query<WhichFilm>,
) -> Result<Response, FrontError> {
    let film = front.film(id, &file).await?;
    front.metrics().travelled(Way::ToClients, film.meta.size);
    Ok(stream(film))
}

pub(super) async fn image(
    State(front): State<Front>,
    Path((id, frame)): Path<(JobId, Frame)>,
    Query(WhichFile { file }): Query<WhichFile>,
) -> Result<Response, FrontError> {
    let picture = front.picture(id, frame, file).await?;
    front.metrics().travelled(Way::ToClients, picture.meta.size);
    Ok(stream(picture))
}

fn stream(picture: Picture) -> Response {
    let Picture { file, meta } = picture;
    let headers: [(HeaderName, String); 4] = [
        (header::CONTENT_TYPE, content_type(&meta.path).to_owned()),
        (header::CONTENT_LENGTH, meta.size.to_string()),
        (header::ETAG, format!("\"{}\"", meta.hash)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Body::from_stream(ReaderStream::new(file))).into_response()
}

fn content_type(path: &TreePath) -> &'static str {
    let extension = path
        .file_name()
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match extension.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("tif" | "tiff") => "image/tiff",
        Some("webp") => "image/webp",
        Some("bmp") => "image/bmp",
        Some("exr") => "image/x-exr",
        Some("hdr") => "image/vnd.radiance",
        Some("tga") => "image/x-tga",
        Some("jp2") => "image/jp2",
        _ => "application/octet-stream",
    }
}

pub(super) async fn log(
    State(front): State<Front>,
    Path((id, frame)): Path<(JobId, Frame)>,
) -> Result<String, FrontError> {
    front.frame_log(id, frame).await
}

pub(super) async fn batch(
    State(front): State<Front>,
    Path(id): Path<BatchId>,
) -> Result<Json<BatchView>, FrontError> {
    Ok(Json(front.batch(id).await?))
}

pub(super) async fn cancel_batch(
    State(front): State<Front>,
    Path(id): Path<BatchId>,
) -> Result<Json<BatchView>, FrontError> {
    Ok(Json(front.cancel_batch(id).await?))
}

pub(super) async fn retry_batch(
    State(front): State<Front>,
    Path(id): Path<BatchId>,
) -> Result<Json<BatchView>, FrontError> {
    Ok(Json(front.retry_batch(id).await?))
}
