//! The table of contents of the API.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, head, post};
use farmhand_http::{Access, AfterEvent, Json, Query, Reject, refuse_oversized};
use farmhand_protocol::farm::FarmView;
use futures_util::StreamExt;
use tower_http::catch_panic::CatchPanicLayer;

use super::{blobs, jobs, metrics, nodes, seed};
use crate::front::Front;

/// Longest body of a call that is no upload, in bytes. A frame set of a million lone frames fits.
const LARGEST_BODY: usize = 8 << 20;

/// All routes, behind the token rule.
pub(crate) fn router(front: Front, access: Access) -> Router {
    let uploads = Router::new()
        .route("/v1/blobs/{hash}", head(blobs::has).put(blobs::put))
        .layer(DefaultBodyLimit::disable()); // Streamed to disk, however large.
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/render", post(seed::render))
        .route("/status/{id}", get(seed::status))
        .route("/v1/farm", get(farm))
        .route("/v1/events", get(events))
        .route("/v1/jobs", get(jobs::list).post(jobs::submit))
        .route(
            "/v1/jobs/{id}",
            get(jobs::show).patch(jobs::change).delete(jobs::forget),
        )
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/v1/jobs/{id}/pause", post(jobs::pause))
        .route("/v1/jobs/{id}/resume", post(jobs::resume))
        .route("/v1/jobs/{id}/frames", get(jobs::frames))
        .route("/v1/jobs/{id}/frames/{frame}/image", get(jobs::image))
        .route("/v1/jobs/{id}/frames/{frame}/log", get(jobs::log))
        .route("/v1/jobs/{id}/why", get(jobs::why))
        .route("/v1/batches/{id}", get(jobs::batch))
        .route("/v1/batches/{id}/cancel", post(jobs::cancel_batch))
        .route("/v1/batches/{id}/retry", post(jobs::retry_batch))
        .route("/v1/nodes", get(nodes::list).post(nodes::add))
        .route("/v1/nodes/{id}", axum::routing::delete(nodes::remove))
        .route("/v1/nodes/{id}/drain", post(nodes::drain))
        .route("/v1/nodes/{id}/resume", post(nodes::resume))
        .route("/metrics", get(metrics::show))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(
            LARGEST_BODY as u64,
            refuse_oversized,
        ))
        .merge(uploads)
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(access, Access::check))
        .layer(CatchPanicLayer::new())
        .with_state(front)
}

async fn unknown() -> Reject {
    Reject::new(StatusCode::NOT_FOUND, "not-found", "there is no such call")
}

async fn not_allowed() -> Reject {
    let said = "this call does not exist with that method";
    Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", said)
}

async fn farm(State(front): State<Front>) -> Json<FarmView> {
    Json(front.farm())
}

async fn events(State(front): State<Front>, Query(after): Query<AfterEvent>) -> Response {
    let response = front.board().events.respond(after.after.as_deref());
    let stopping = front.stopping();
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stopping)))
}
