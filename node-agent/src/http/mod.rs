//! The agent's HTTP API. Handlers take apart, ask, and put together; what anything means is decided elsewhere.

mod batches;
mod blobs;
mod node;
mod seed;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Router, middleware};
use farmhand_http::{Access, AfterEvent, Api, CallFigures, Reject, call, refuse_oversized};
use farmhand_protocol::agent::{
    AgentEvent, BatchReport, BlobsPulled, FramesRevoked, NodeInfo, PullBlobs, RevokeFrames, StartBatch,
};
use farmhand_protocol::{BatchKey, BlobHash, Frame};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::agent::Agent;

/// Largest body of a call that is not an upload, in bytes.
const LARGEST_BODY: usize = 1 << 20;

type Shared = axum::extract::State<Arc<Agent>>;

/// Every call that an agent answers.
pub(crate) fn router(agent: Arc<Agent>, access: Access) -> Router {
    let calls = agent.metrics.calls.clone();
    table_of_contents()
        .finish("Farmhand agent", env!("CARGO_PKG_VERSION"))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(access, Access::check))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(calls, CallFigures::count))
        .with_state(agent)
}

#[rustfmt::skip] // A table: one call, one line.
fn table_of_contents() -> Api<Arc<Agent>> {
    let uploads = Api::default() // Streamed to disk.
        .get("/v1/blobs/{hash}", blobs::read, call("A file of a scene.").path::<BlobHash>("hash").bytes(200))
        .put("/v1/blobs/{hash}", blobs::put, call("Keep a file of a scene, or its manifest, under its BLAKE3 hash.").path::<BlobHash>("hash").bytes_body().status(200).status(201));
    let batch = |summary: &str| call(summary).path::<BatchKey>("key");
    let frame = |summary: &str| batch(summary).path::<Frame>("frame");
    let frames = json!({ "type": "object", "required": ["from", "to"], "properties": { "from": { "type": "integer" }, "to": { "type": "integer" } } });
    let started = json!({ "type": "object", "required": ["pid"], "properties": { "pid": { "type": "integer", "minimum": 1 } } });
    Api::default()
        .get("/health", node::health, call("Whether the agent answers.").text(200))
        .get("/metrics", node::metrics, call("Figures for Prometheus.").text(200))
        .get("/v1/node", node::node, call("What the node is, has, and does.").json::<NodeInfo>(200))
        .get("/v1/events", node::events, call("What happens, as it happens.").query::<AfterEvent>().events::<AgentEvent>())
        .get("/v1/batches", batches::list, call("All batches on the node, of whatever farm.").list::<BatchReport>())
        .post("/v1/batches", batches::start, call("Take a batch; the same batch is taken once.").body::<StartBatch>().json::<BatchReport>(202))
        .get("/v1/batches/{key}", batches::one, batch("A batch.").json::<BatchReport>(200))
        .delete("/v1/batches/{key}", batches::cancel, batch("Stop a batch, or forget one that has ended.").status(202).status(204))
        .post("/v1/batches/{key}/revoke", batches::revoke, batch("Take frames back that have not started.").body::<RevokeFrames>().json::<FramesRevoked>(200))
        .get("/v1/batches/{key}/log", batches::log, batch("Blender's log, as far as it is kept.").query::<batches::Tail>().text(200))
        .post("/v1/batches/{key}/frames/{frame}/ack", batches::acknowledge, frame("A finished frame is safe elsewhere and may be forgotten.").status(204))
        .get("/v1/batches/{key}/frames/{frame}/{*file}", batches::file, frame("A file of a finished frame.").bytes(200))
        .post("/v1/blobs", blobs::pull, call("Get files of a scene from other nodes that have them.").body::<PullBlobs>().json::<BlobsPulled>(200))
        .post("/job", seed::start, call("Render frames of the node's own scene.").plain_body(&frames).answer(202, "application/json", &started))
        .get("/job/{pid}", seed::status, call("How such a job stands: 202 while it runs, then 200.").text(200).text(202))
        .around(|router| router.layer(middleware::from_fn_with_state(LARGEST_BODY as u64, refuse_oversized)))
        .merge(uploads)
}

async fn unknown() -> Reject {
    Reject::new(StatusCode::NOT_FOUND, "not-found", "there is no such call")
}

async fn wrong_method() -> Reject {
    let said = "this call has another method";
    Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", said)
}
