//! Calls about the node itself.

use axum::extract::State;
use axum::response::Response;
use farmhand_http::{AfterEvent, Json, Query};
use farmhand_protocol::agent::NodeInfo;

use super::Shared;
use crate::metrics::Standing;

pub(super) async fn health() -> &'static str {
    "ok"
}

pub(super) async fn node(State(agent): Shared) -> Json<NodeInfo> {
    Json(agent.node())
}

pub(super) async fn events(State(agent): Shared, Query(from): Query<AfterEvent>) -> Response {
    agent.events.respond(from.after.as_deref())
}

pub(super) async fn metrics(State(agent): Shared) -> Response {
    let (slots, (queued, running, _)) = {
        let batches = agent.batches();
        (batches.slots(), batches.counts())
    };
    let standing = Standing {
        slots,
        queued,
        running,
        engines: agent.engines().found.len(),
        disk_free_bytes: crate::hardware::disk_free(agent.folder.path()),
    };
    agent.metrics.respond(standing)
}
