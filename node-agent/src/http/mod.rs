//! The agent's HTTP API. Handlers take apart, ask, and put together; what anything means is decided elsewhere.

mod batches;
mod blobs;
mod node;
mod seed;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, middleware};
use farmhand_http::{Access, Reject, refuse_oversized};
use tower_http::catch_panic::CatchPanicLayer;

use crate::agent::Agent;

/// Largest body of a call that is not an upload, in bytes.
const LARGEST_BODY: usize = 1 << 20;

type Shared = axum::extract::State<Arc<Agent>>;

/// Every call that an agent answers.
pub(crate) fn router(agent: Arc<Agent>, access: Access) -> Router {
    let uploads = Router::new().route("/v1/blobs/{hash}", get(blobs::read).put(blobs::put)); // Streamed to disk.
    Router::new()
        .route("/health", get(node::health))
        .route("/metrics", get(node::metrics))
        .route("/v1/node", get(node::node))
        .route("/v1/events", get(node::events))
        .route("/v1/batches", get(batches::list).post(batches::start))
        .route("/v1/batches/{key}", get(batches::one).delete(batches::cancel))
        .route("/v1/batches/{key}/revoke", post(batches::revoke))
        .route("/v1/batches/{key}/log", get(batches::log))
        .route("/v1/batches/{key}/frames/{frame}/ack", post(batches::acknowledge))
        .route("/v1/batches/{key}/frames/{frame}/{*file}", get(batches::file))
        .route("/job", post(seed::start))
        .route("/job/{pid}", get(seed::status))
        .layer(middleware::from_fn_with_state(
            LARGEST_BODY as u64,
            refuse_oversized,
        ))
        .merge(uploads)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(access, Access::check))
        .layer(CatchPanicLayer::new())
        .with_state(agent)
}

async fn unknown() -> Reject {
    Reject::new(StatusCode::NOT_FOUND, "not-found", "there is no such call")
}

async fn wrong_method() -> Reject {
    let said = "this call has another method";
    Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", said)
}
