//! The two seed calls, kept word for word.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use farmhand_http::seed;
use serde_json::json;

use super::Shared;
use crate::local;

pub(super) async fn start(State(agent): Shared, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    let frames = match seed::frames(&body) {
        Ok(frames) => frames,
        Err(line) => return seed::refused(line),
    };
    match local::start(&agent, frames) {
        Ok(pid) => seed::accepted(&format!("/job/{pid}"), Json(json!({ "pid": pid }))),
        Err(error) => seed::unavailable(error.to_string()),
    }
}

pub(super) async fn status(State(agent): Shared, Path(pid): Path<String>) -> Response {
    // Only the digits that we gave out: `+1` and `01` are other names, and name nothing.
    let number = pid.parse::<u64>().ok().filter(|number| number.to_string() == pid);
    let outcome = number.and_then(|number| local::outcome(&agent.batches(), number));
    match outcome {
        Some(outcome) => seed::status(&outcome, &format!("/job/{pid}")),
        None => seed::refused("Job not found"),
    }
}
