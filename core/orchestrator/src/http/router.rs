//! The table of contents of the API.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use farmhand_http::{
    Access, AfterEvent, Api, CallFigures, Json, Query, ReadOnly, Reject, call, refuse_oversized,
};
use farmhand_protocol::farm::{
    AddNode, BatchView, ChangeJob, ChooseFrames, DrainNode, FarmEvent, FarmView, FrameView, JobDetail,
    JobView, NodeView, OutputView, SubmitJob, Verification, Why,
};
use farmhand_protocol::{
    AuditEntry, BatchId, BlobHash, Frame, JobId, JoinFarm, Joined, NodeId, RenewCertificate,
};
use futures_util::StreamExt;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use super::{audit, blobs, jobs, join, nodes, seed};
use crate::front::{BatchFilter, FrameFilter, Front, JobFilter, NodeFilter};

/// Longest body of a call that is no upload, in bytes. A frame set of a million lone frames fits.
const LARGEST_BODY: usize = 8 << 20;

/// All routes, behind the token rule.
pub(crate) fn router(front: Front, access: Access) -> Router {
    let calls = front.metrics().calls.clone();
    let audit_log = Arc::clone(front.audit_log());
    table_of_contents()
        .finish("Farmhand orchestrator", env!("CARGO_PKG_VERSION"))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(audit_log, audit::record))
        .layer(middleware::from_fn_with_state(access, Access::check))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(calls, CallFigures::count))
        .with_state(front)
}

#[rustfmt::skip] // A table: one call, one line.
fn table_of_contents() -> Api<Front> {
    let uploads = Api::default()
        .head("/v1/blobs/{hash}", blobs::has, call("Whether a file of a scene is here.").path::<BlobHash>("hash").status(200))
        .put("/v1/blobs/{hash}", blobs::put, call("Upload a file of a scene, or its manifest, under its BLAKE3 hash.").path::<BlobHash>("hash").bytes_body().status(201))
        .around(|router| router.layer(DefaultBodyLimit::disable())); // Streamed to disk, however large.
    let job = |summary: &str| call(summary).path::<JobId>("id");
    let frame = |summary: &str| job(summary).path::<Frame>("frame");
    let batch = |summary: &str| call(summary).path::<BatchId>("id");
    let frames = json!({ "type": "object", "required": ["from", "to"], "properties": { "from": { "type": "integer" }, "to": { "type": "integer" } } });
    let rendering = json!({ "type": "object", "required": ["jobId"], "properties": { "jobId": { "type": "string" } } });
    Api::default()
        .get("/health", async || "ok", call("Whether the orchestrator answers.").text(200))
        .get("/metrics", metrics, call("Figures for Prometheus.").text(200))
        .post("/render", seed::render, call("Render frames of the default scene.").plain_body(&frames).answer(202, "application/json", &rendering))
        .get("/status/{id}", seed::status, call("How such a job stands: 202 while it runs, then 200.").text(200).text(202))
        .get("/v1/farm", farm, call("The farm in a few lines.").json::<FarmView>(200))
        .get("/v1/events", events, call("What changes, as it changes.").query::<AfterEvent>().events::<FarmEvent>())
        .get("/v1/audit", audit::list, call("Who changed what, newest first.").query::<audit::Part>().page::<AuditEntry>())
        .get("/v1/jobs", jobs::list, call("Jobs, newest first.").query::<JobFilter>().page::<JobView>())
        .post("/v1/jobs", jobs::submit, call("Submit a job whose scene was uploaded.").once_a_key().body::<SubmitJob>().json::<JobView>(201))
        .get("/v1/jobs/{id}", jobs::show, job("A job with its frames, batches and failed attempts.").query::<jobs::Patience>().json::<JobDetail>(200))
        .patch("/v1/jobs/{id}", jobs::change, job("Change a job's priority or name.").body::<ChangeJob>().json::<JobView>(200))
        .delete("/v1/jobs/{id}", jobs::forget, job("Take an ended job off the list; its pictures stay.").status(204))
        .post("/v1/jobs/{id}/cancel", jobs::cancel, job("Give up frames that are not delivered.").optional_body::<ChooseFrames>().json::<JobView>(200))
        .post("/v1/jobs/{id}/retry", jobs::retry, job("Render frames again.").optional_body::<ChooseFrames>().json::<JobView>(200))
        .post("/v1/jobs/{id}/pause", jobs::pause, job("Hand out nothing more of a job.").json::<JobView>(200))
        .post("/v1/jobs/{id}/resume", jobs::resume, job("Go on with a held job.").json::<JobView>(200))
        .post("/v1/jobs/{id}/verify", jobs::verify, job("Read every delivered file again; what is damaged or gone is rendered again.").json::<Verification>(200))
        .post("/v1/jobs/{id}/films", jobs::make_films, job("Make a film for looking of a job's pictures, and made again what films there were.").json::<JobView>(200))
        .get("/v1/jobs/{id}/film", jobs::film, job("A film of a job.").query::<jobs::WhichFilm>().bytes(200))
        .get("/v1/jobs/{id}/frames", jobs::frames, job("A job's frames, lowest first.").query::<FrameFilter>().page::<FrameView>())
        .get("/v1/jobs/{id}/frames/{frame}/image", jobs::image, frame("A file of a delivered frame.").query::<jobs::WhichFile>().bytes(200))
        .get("/v1/jobs/{id}/frames/{frame}/log", jobs::log, frame("The log of a frame's latest attempt.").text(200))
        .get("/v1/jobs/{id}/why", jobs::why, job("Why a job waits, failed, or goes where it goes.").query::<jobs::WhichFrame>().json::<Why>(200))
        .get("/v1/jobs/{id}/output", jobs::output, job("What has come of a job.").query::<jobs::HowMany>().json::<OutputView>(200))
        .get("/v1/batches", jobs::batches, call("Batches, newest first: running ones, and the newest ended ones of each job.").query::<BatchFilter>().page::<BatchView>())
        .get("/v1/batches/{id}/why", jobs::why_batch, batch("Why a batch went where it went, and how it ended.").json::<Why>(200))
        .get("/v1/batches/{id}", jobs::batch, batch("A batch.").json::<BatchView>(200))
        .post("/v1/batches/{id}/cancel", jobs::cancel_batch, batch("Give up what is left of a batch.").json::<BatchView>(200))
        .post("/v1/batches/{id}/retry", jobs::retry_batch, batch("Render the failed and cancelled frames of a batch again.").json::<BatchView>(200))
        .get("/v1/nodes", nodes::list, call("Nodes.").query::<NodeFilter>().page::<NodeView>())
        .post("/v1/nodes", nodes::add, call("Make an agent known by its address.").body::<AddNode>().status(201))
        .delete("/v1/nodes/{id}", nodes::remove, call("Forget a node, by its id, or an address that never answered.").status(204))
        .get("/v1/nodes/{id}/why", nodes::why, call("Why a node renders nothing, or what it renders.").path::<NodeId>("id").json::<Why>(200))
        .post("/v1/nodes/{id}/drain", nodes::drain, call("Give a node nothing new.").path::<NodeId>("id").optional_body::<DrainNode>().status(204))
        .post("/v1/nodes/{id}/resume", nodes::resume, call("Give a drained node work again.").path::<NodeId>("id").status(204))
        .post("/v1/join", join::join, call("Get a node's first certificate and the farm's token for a join token. Needs no other token.").body::<JoinFarm>().json::<Joined>(200))
        .post("/v1/certificates", join::renew, call("Get another certificate for a node of the farm.").body::<RenewCertificate>().json::<Joined>(200))
        .around(|router| {
            router
                .layer(DefaultBodyLimit::max(LARGEST_BODY))
                .layer(middleware::from_fn_with_state(LARGEST_BODY as u64, refuse_oversized))
        })
        .merge(uploads)
}

async fn unknown() -> Reject {
    Reject::new(StatusCode::NOT_FOUND, "not-found", "there is no such call")
}

async fn not_allowed() -> Reject {
    let said = "this call does not exist with that method";
    Reject::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", said)
}

async fn metrics(State(front): State<Front>) -> Response {
    front.metrics().respond(&front.board().views())
}

async fn farm(State(front): State<Front>, readonly: Option<Extension<ReadOnly>>) -> Json<FarmView> {
    Json(front.farm(readonly.is_some()))
}

async fn events(State(front): State<Front>, Query(after): Query<AfterEvent>) -> Response {
    let response = front.board().events.respond(after.after.as_deref());
    let stopping = front.stopping();
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stopping)))
}
