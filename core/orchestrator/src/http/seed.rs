//! The two seed calls, kept word for word.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use farmhand_http::seed::{self, Outcome};
use farmhand_protocol::farm::{JobState, JobView};
use serde_json::json;

use crate::front::Front;

pub(super) async fn render(State(front): State<Front>, body: Bytes) -> Response {
    let frames = match seed::frames(&body) {
        Ok(frames) => frames,
        Err(line) => return seed::refused(line),
    };
    match front.render(frames).await {
        Ok(job) => {
            let body = axum::Json(json!({ "jobId": job }));
            seed::accepted(&format!("/status/{job}"), body)
        }
        Err(error) => seed::unavailable(error.to_string()),
    }
}

pub(super) async fn status(
    State(front): State<Front>,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> Response {
    match id.parse().ok().and_then(|id| front.job_view(id).ok()) {
        Some(job) => seed::status(&outcome(&job), &format!("/status/{id}")),
        None => (StatusCode::NOT_FOUND, "Job not found").into_response(),
    }
}

fn outcome(job: &JobView) -> Outcome {
    match job.state {
        JobState::Waiting | JobState::Running | JobState::Paused => Outcome::Running,
        JobState::Completed => Outcome::Completed,
        JobState::Cancelled => Outcome::Cancelled,
        JobState::Failed => Outcome::Failed(
            job.reason
                .clone()
                .unwrap_or_else(|| "no reason is known".to_owned()),
        ),
    }
}
