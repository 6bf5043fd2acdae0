//! Calls about batches.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use farmhand_http::{Json, Path, Query, Reject};
use farmhand_protocol::agent::{BatchReport, FramesRevoked, RevokeFrames, StartBatch};
use farmhand_protocol::{BatchKey, Frame, SpanContext, TRACEPARENT_HEADER, TreePath};
use serde::Deserialize;

use super::{Shared, blobs};
use crate::agent::Agent;
use crate::batches::{Cancelled, Change, StartError};
use crate::store::SceneError;

/// 202 with the batch as it stands; the same again where it is here already.
pub(super) async fn start(
    State(agent): Shared,
    headers: HeaderMap,
    Json(request): Json<StartBatch>,
) -> Result<(StatusCode, Json<BatchReport>), Reject> {
    let key = BatchKey {
        farm: request.farm,
        batch: request.batch,
    };
    if agent.batches().phase(key).is_none() {
        can_render(&agent)?;
        let (scenes, scene) = (Arc::clone(&agent.scenes), request.scene);
        let found = tokio::task::spawn_blocking(move || scenes.find(scene)).await;
        found.map_err(|_| internal("looking for the scene failed"))??;
    }
    let report = agent.change(|batches| match batches.start(request) {
        Ok(changes) => {
            let is_new = changes.iter().any(|change| matches!(change, Change::Accepted(_)));
            // Before a slot can take it.
            if let Some(span) = trace_of(&headers).filter(|_| is_new) {
                agent.trace(key, span);
            }
            (Ok(batches.report(key)), changes)
        }
        Err(error) => (Err(error), Vec::new()),
    })?;
    let report = report.ok_or_else(|| internal("the batch was accepted and is not there"))?;
    Ok((StatusCode::ACCEPTED, Json(report)))
}

/// What a call is part of, if its caller says so. What cannot be read is passed over, as Trace Context asks.
fn trace_of(headers: &HeaderMap) -> Option<SpanContext> {
    headers.get(TRACEPARENT_HEADER)?.to_str().ok()?.parse().ok()
}

fn can_render(agent: &Agent) -> Result<(), Reject> {
    let unavailable = |kind: &str, said: String| {
        Err(Reject::new(StatusCode::SERVICE_UNAVAILABLE, kind, said).retry_after(30))
    };
    let engines = agent.engines();
    if agent.stopping.is_cancelled() {
        unavailable("stopping", "the node is shutting down".to_owned())
    } else if !engines.probed {
        unavailable(
            "still-probing",
            "the node still looks for its Blenders".to_owned(),
        )
    } else if let Some(problem) = &engines.problem {
        unavailable("blender-missing", problem.clone())
    } else {
        Ok(())
    }
}

pub(super) async fn list(State(agent): Shared) -> Json<Vec<BatchReport>> {
    Json(agent.batches().reports())
}

pub(super) async fn one(
    State(agent): Shared,
    Path(key): Path<BatchKey>,
) -> Result<Json<BatchReport>, Reject> {
    let report = agent.batches().report(key);
    report.map(Json).ok_or_else(|| unknown(key))
}

/// 202 while it is being stopped; 204 where nothing of it runs.
pub(super) async fn cancel(State(agent): Shared, Path(key): Path<BatchKey>) -> Result<StatusCode, Reject> {
    let cancelled = agent.change(|batches| match batches.cancel(key) {
        Some((cancelled, changes)) => (Some(cancelled), changes),
        None => (None, Vec::new()),
    });
    match cancelled.ok_or_else(|| unknown(key))? {
        Cancelled::Stopping => Ok(StatusCode::ACCEPTED),
        Cancelled::Ended | Cancelled::Forgotten => Ok(StatusCode::NO_CONTENT),
    }
}

pub(super) async fn revoke(
    State(agent): Shared,
    Path(key): Path<BatchKey>,
    Json(request): Json<RevokeFrames>,
) -> Result<Json<FramesRevoked>, Reject> {
    let revoked = agent.change(|batches| match batches.revoke(key, &request.frames) {
        Some((revoked, changes)) => (Some(revoked), changes),
        None => (None, Vec::new()),
    });
    revoked
        .map(|revoked| Json(FramesRevoked { revoked }))
        .ok_or_else(|| unknown(key))
}

pub(super) async fn file(
    State(agent): Shared,
    Path((key, frame, file)): Path<(BatchKey, i64, String)>,
) -> Result<Response, Reject> {
    let frame = frame_of(frame)?;
    let not_here = || {
        Reject::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "the frame has no such file here",
        )
    };
    let path: TreePath = file.parse().map_err(|_| not_here())?;
    let known = {
        let batches = agent.batches();
        let finished = batches.finished(key, frame).ok_or_else(not_here)?;
        finished.files.iter().any(|file| file.path == path)
    };
    if !known {
        return Err(not_here());
    }
    blobs::stream(&agent, &agent.spool.file(key, frame, &path), 0).await
}

/// 204, however often it is told.
pub(super) async fn acknowledge(
    State(agent): Shared,
    Path((key, frame)): Path<(BatchKey, i64)>,
) -> Result<StatusCode, Reject> {
    let frame = frame_of(frame)?;
    let known = agent.change(|batches| match batches.acknowledge(key, frame) {
        Some(changes) => (true, changes),
        None => (false, Vec::new()),
    });
    if known {
        Ok(StatusCode::NO_CONTENT)
    } else {
        let said = format!("the batch {key} has no finished frame {frame} here");
        Err(Reject::new(StatusCode::NOT_FOUND, "not-found", said))
    }
}

/// How much of a log is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct Tail {
    /// So many of the last lines; all without it.
    tail: Option<usize>,
}

pub(super) async fn log(
    State(agent): Shared,
    Path(key): Path<BatchKey>,
    Query(Tail { tail }): Query<Tail>,
) -> Result<Response, Reject> {
    if agent.batches().phase(key).is_none() {
        return Err(unknown(key));
    }
    let tail = tail.unwrap_or(usize::MAX);
    let text = if let Some(log) = agent.live_log(key) {
        log.tail(tail).join("\n")
    } else {
        let text = agent.spool.log(key).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(tail)..].join("\n")
    };
    Ok(if text.is_empty() { text } else { text + "\n" }.into_response())
}

fn frame_of(number: i64) -> Result<Frame, Reject> {
    Frame::try_from(number)
        .map_err(|error| Reject::new(StatusCode::BAD_REQUEST, "bad-path", error.to_string()))
}

fn unknown(key: BatchKey) -> Reject {
    let said = format!("the batch {key} is not on this node");
    Reject::new(StatusCode::NOT_FOUND, "not-found", said)
}

fn internal(said: &str) -> Reject {
    Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", said)
}

impl From<StartError> for Reject {
    fn from(error: StartError) -> Self {
        let (status, kind) = match &error {
            StartError::StaleEpoch { .. } => (StatusCode::CONFLICT, "stale-epoch"),
            StartError::Forgotten(_) => (StatusCode::GONE, "batch-forgotten"),
            StartError::Different(_) => (StatusCode::CONFLICT, "batch-differs"),
            StartError::NoFrames => (StatusCode::BAD_REQUEST, "no-frames"),
            StartError::QueueFull(_) => (StatusCode::SERVICE_UNAVAILABLE, "queue-full"),
            StartError::NoFreeSlot => (StatusCode::SERVICE_UNAVAILABLE, "no-free-slot"),
        };
        Self::new(status, kind, error.to_string())
    }
}

impl From<SceneError> for Reject {
    fn from(error: SceneError) -> Self {
        let said = error.to_string();
        match error {
            SceneError::Missing(blobs) => {
                Self::new(StatusCode::CONFLICT, "scene-missing", said).missing(blobs)
            }
            SceneError::BadManifest(_) | SceneError::SharedChanged(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "scene-unreadable", said)
            }
            SceneError::SharedMissing(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "shared-path-missing", said)
            }
            SceneError::Io(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", said),
        }
    }
}
