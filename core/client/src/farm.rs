//! The calls of the orchestrator's API, one method each.

use std::time::Duration;

use farmhand_http::{Part, RECEIVED_HEADER, Tokens, client};
use farmhand_protocol::farm::{
    AddNode, BatchView, ChangeJob, ChooseFrames, DrainNode, FarmView, FrameState, FrameView, JobDetail,
    JobView, NodeView, OutputView, Page, SubmitJob, Verification, Why,
};
use farmhand_protocol::{
    AuditEntry, BatchId, BlobHash, Frame, FrameSet, JobId, NodeId, PROTOCOL, PROTOCOL_HEADER, USER_HEADER,
};
use farmhand_tls::{Anchor, Role, Trust};
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{self, CallError};
use crate::{FarmAddress, pack};

/// Time within which an ordinary call must be answered. Blobs and pictures have no such limit.
const PATIENCE: Duration = Duration::from_secs(20);

/// A farm as its clients see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FarmClient {
    http: reqwest::Client,
    address: FarmAddress,
    token: Option<Tokens>,
    user: String,
}

fn http_client(trust: &Trust) -> reqwest::Client {
    client(trust)
        .connect_timeout(Duration::from_secs(5))
        .build()
        .expect("a client with fixed options can always be built")
}

impl FarmClient {
    /// A client of the orchestrator at `address`. Connects at the first call.
    pub fn new(address: FarmAddress, token: Option<Tokens>) -> Self {
        Self {
            http: http_client(&Trust::Nobody),
            address,
            token,
            user: String::new(),
        }
    }

    /// The same client, which speaks https to the farm of this authority.
    #[must_use]
    pub fn trusting(mut self, authority: Anchor) -> Self {
        self.http = http_client(&Trust::Farm(authority, Role::Farm));
        self
    }

    /// The same client, with the name of whoever uses it: the farm's audit log shows it.
    #[must_use]
    pub fn used_by(mut self, user: String) -> Self {
        self.user = user;
        self
    }

    /// Where the farm is.
    pub fn address(&self) -> &FarmAddress {
        &self.address
    }

    /// `GET /health`: whether an orchestrator answers there.
    pub async fn health(&self) -> Result<(), CallError> {
        self.done(self.get("/health")).await
    }

    /// `GET /v1/farm`.
    pub async fn farm(&self) -> Result<FarmView, CallError> {
        self.read(self.get("/v1/farm")).await
    }

    /// Who changed what: the newest so many calls, newest first; 2000 at most.
    pub async fn audit(&self, newest: usize) -> Result<Vec<AuditEntry>, CallError> {
        let request = self.get("/v1/audit").query(&[("limit", newest)]);
        let page: Page<AuditEntry> = self.read(request).await?;
        Ok(page.items)
    }

    /// Every job that the farm still lists.
    pub async fn jobs(&self) -> Result<Vec<JobView>, CallError> {
        self.pages("/v1/jobs").await
    }

    /// `GET /v1/jobs/{id}`.
    pub async fn job(&self, id: JobId) -> Result<JobDetail, CallError> {
        self.read(self.get(&format!("/v1/jobs/{id}"))).await
    }

    /// Every frame of a job.
    pub async fn frames(&self, id: JobId) -> Result<Vec<FrameView>, CallError> {
        self.pages(&format!("/v1/jobs/{id}/frames")).await
    }

    /// One page of a job's frames.
    pub async fn frames_page(&self, id: JobId, cursor: Option<&str>) -> Result<Page<FrameView>, CallError> {
        self.page(&format!("/v1/jobs/{id}/frames"), cursor).await
    }

    /// A frame of a job; nothing where the job has no such frame.
    pub async fn frame(&self, id: JobId, frame: Frame) -> Result<Option<FrameView>, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/frames"));
        let request = request.query(&[("frames", frame.get())]);
        let mut page: Page<FrameView> = self.read(request).await?;
        Ok(page.items.pop())
    }

    /// At most `count` frames of a job, lowest first: those behind `frame`, else from the first on; only those
    /// in `state` where that is given.
    pub async fn frames_behind(
        &self,
        id: JobId,
        frame: Option<Frame>,
        state: Option<FrameState>,
        count: usize,
    ) -> Result<Vec<FrameView>, CallError> {
        let request = self
            .get(&format!("/v1/jobs/{id}/frames"))
            .query(&[("limit", count)]);
        let request = match frame {
            Some(frame) => request.query(&[("cursor", frame.get())]),
            None => request,
        };
        let request = match state {
            Some(state) => request.query(&[("state", state)]),
            None => request,
        };
        let page: Page<FrameView> = self.read(request).await?;
        Ok(page.items)
    }

    /// What Blender printed for a frame, in all of its attempts.
    pub async fn frame_log(&self, id: JobId, frame: Frame) -> Result<String, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/frames/{frame}/log"));
        let response = call::send(&self.address, request.timeout(PATIENCE)).await?;
        let text = response.text().await;
        text.map_err(|error| CallError::unreachable(&self.address, &error))
    }

    /// A file of a delivered frame, as a response to read from; its first file where `path` is not given.
    pub async fn frame_file(
        &self,
        id: JobId,
        frame: Frame,
        path: Option<&str>,
    ) -> Result<Response, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/frames/{frame}/image"));
        let request = match path {
            Some(path) => request.query(&[("file", path)]),
            None => request,
        };
        call::send(&self.address, request).await
    }

    /// A film of a job, by its path in the job's view.
    pub async fn film_file(&self, id: JobId, path: &str) -> Result<Response, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/film")).query(&[("file", path)]);
        call::send(&self.address, request).await
    }

    /// `GET /v1/jobs/{id}/why`.
    pub async fn why(&self, id: JobId) -> Result<Why, CallError> {
        self.read(self.get(&format!("/v1/jobs/{id}/why"))).await
    }

    /// Why a frame of a job is not delivered, or how it was.
    pub async fn why_frame(&self, id: JobId, frame: Frame) -> Result<Why, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/why"));
        self.read(request.query(&[("frame", frame.get())])).await
    }

    /// `GET /v1/batches/{id}/why`.
    pub async fn why_batch(&self, id: BatchId) -> Result<Why, CallError> {
        self.read(self.get(&format!("/v1/batches/{id}/why"))).await
    }

    /// `GET /v1/nodes/{id}/why`.
    pub async fn why_node(&self, id: NodeId) -> Result<Why, CallError> {
        self.read(self.get(&format!("/v1/nodes/{id}/why"))).await
    }

    /// `GET /v1/jobs/{id}/output`: what has come of a job, and its last `newest` frames.
    pub async fn output(&self, id: JobId, newest: usize) -> Result<OutputView, CallError> {
        let request = self.get(&format!("/v1/jobs/{id}/output"));
        self.read(request.query(&[("newest", newest)])).await
    }

    /// The newest batches of a node, or those before the batch `cursor`.
    pub async fn node_batches(
        &self,
        node: NodeId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<BatchView>, CallError> {
        let request = self.get("/v1/batches").query(&[("node", node.to_string())]);
        let request = request.query(&[("limit", limit)]);
        let request = match cursor {
            Some(cursor) => request.query(&[("cursor", cursor)]),
            None => request,
        };
        self.read(request).await
    }

    /// `POST /v1/jobs`. The same `key` submits the same job once, however often it is sent.
    pub async fn submit(&self, job: &SubmitJob, key: &str) -> Result<JobView, CallError> {
        let request = self.post("/v1/jobs", job).header("Idempotency-Key", key);
        self.read(request).await
    }

    /// `PATCH /v1/jobs/{id}`.
    pub async fn change_job(&self, id: JobId, change: &ChangeJob) -> Result<(), CallError> {
        let request = self
            .request(Method::PATCH, &format!("/v1/jobs/{id}"))
            .json(change);
        self.done(request).await
    }

    /// `DELETE /v1/jobs/{id}`: takes an ended job off the list; its pictures stay.
    pub async fn delete_job(&self, id: JobId) -> Result<(), CallError> {
        self.done(self.request(Method::DELETE, &format!("/v1/jobs/{id}")))
            .await
    }

    /// Cancels a job's frames; without `frames` all that are not delivered.
    pub async fn cancel_job(&self, id: JobId, frames: Option<FrameSet>) -> Result<JobView, CallError> {
        let body = ChooseFrames { frames };
        self.read(self.post(&format!("/v1/jobs/{id}/cancel"), &body))
            .await
    }

    /// Renders frames again; without `frames` all failed and cancelled ones.
    pub async fn retry_job(&self, id: JobId, frames: Option<FrameSet>) -> Result<JobView, CallError> {
        let body = ChooseFrames { frames };
        self.read(self.post(&format!("/v1/jobs/{id}/retry"), &body)).await
    }

    /// Reads every delivered file of a job again; what is damaged or gone is rendered again. Takes as long as
    /// the farm's disk takes.
    pub async fn verify_job(&self, id: JobId) -> Result<Verification, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/jobs/{id}/verify")))
            .await
    }

    /// Has a film for looking made of a job's pictures.
    pub async fn make_films(&self, id: JobId) -> Result<JobView, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/jobs/{id}/films")))
            .await
    }

    /// Holds a job: what nodes have is finished.
    pub async fn pause_job(&self, id: JobId) -> Result<JobView, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/jobs/{id}/pause")))
            .await
    }

    /// Lets a held job go on.
    pub async fn resume_job(&self, id: JobId) -> Result<JobView, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/jobs/{id}/resume")))
            .await
    }

    /// `GET /v1/batches/{id}`.
    pub async fn batch(&self, id: BatchId) -> Result<BatchView, CallError> {
        self.read(self.get(&format!("/v1/batches/{id}"))).await
    }

    /// Cancels what a batch has not delivered.
    pub async fn cancel_batch(&self, id: BatchId) -> Result<BatchView, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/batches/{id}/cancel")))
            .await
    }

    /// Renders a batch's failed and cancelled frames again, in new batches.
    pub async fn retry_batch(&self, id: BatchId) -> Result<BatchView, CallError> {
        self.read(self.request(Method::POST, &format!("/v1/batches/{id}/retry")))
            .await
    }

    /// Every node.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, CallError> {
        self.pages("/v1/nodes").await
    }

    /// `POST /v1/nodes`: makes a node known by its agent's address.
    pub async fn add_node(&self, address: &str) -> Result<(), CallError> {
        let body = AddNode {
            address: address.to_owned(),
        };
        self.done(self.post("/v1/nodes", &body)).await
    }

    /// `DELETE /v1/nodes/{id}`.
    pub async fn remove_node(&self, id: NodeId) -> Result<(), CallError> {
        self.done(self.request(Method::DELETE, &format!("/v1/nodes/{id}")))
            .await
    }

    /// Gives a node nothing new; with `now` stops what it renders too.
    /// With `until` it gets work again at that time.
    pub async fn drain_node(&self, id: NodeId, now: bool, until: Option<Timestamp>) -> Result<(), CallError> {
        let request = self.post(&format!("/v1/nodes/{id}/drain"), &DrainNode { now, until });
        self.done(request).await
    }

    /// Gives a drained node work again.
    pub async fn undrain_node(&self, id: NodeId) -> Result<(), CallError> {
        self.done(self.request(Method::POST, &format!("/v1/nodes/{id}/resume")))
            .await
    }

    /// Whether the orchestrator holds a blob.
    pub async fn has_blob(&self, hash: BlobHash) -> Result<bool, CallError> {
        let request = self.request(Method::HEAD, &format!("/v1/blobs/{hash}"));
        match self.done(request.timeout(PATIENCE)).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Bytes of a blob that have arrived there; nothing where the orchestrator has all of it.
    pub(crate) async fn lacks_from(&self, hash: BlobHash) -> Result<Option<u64>, CallError> {
        let request = self.request(Method::HEAD, &format!("/v1/blobs/{hash}"));
        let sent = request.timeout(PATIENCE).send().await;
        let response = sent.map_err(|error| CallError::unreachable(&self.address, &error))?;
        if response.status() == StatusCode::NOT_FOUND {
            let received = response.headers().get(RECEIVED_HEADER);
            let received = received.and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(Some(received.unwrap_or(0)));
        }
        call::accepted(response).await.map(|_| None)
    }

    /// Sends the rest of a blob, from `from` on. The orchestrator checks the whole against its hash.
    pub(crate) async fn put_blob(
        &self,
        hash: BlobHash,
        from: u64,
        size: u64,
        body: reqwest::Body,
    ) -> Result<(), CallError> {
        let mut request = self
            .request(Method::PUT, &format!("/v1/blobs/{hash}"))
            .header(reqwest::header::CONTENT_LENGTH, size - from);
        if let Some(range) = Part::header(from, size) {
            request = request.header(reqwest::header::CONTENT_RANGE, range);
        }
        call::send(&self.address, request.body(body)).await.map(drop)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str, body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, self.address.join(path))
            .header(PROTOCOL_HEADER, PROTOCOL.to_string());
        let request = match HeaderValue::from_bytes(self.user.as_bytes()) {
            Ok(user) if !user.is_empty() => request.header(USER_HEADER, user),
            Ok(_) | Err(_) => request,
        };
        match &self.token {
            Some(tokens) => request.bearer_auth(tokens.first()),
            None => request,
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        call::fetch(&self.address, request.timeout(PATIENCE)).await
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), CallError> {
        call::send(&self.address, request.timeout(PATIENCE))
            .await
            .map(drop)
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        cursor: Option<&str>,
    ) -> Result<Page<T>, CallError> {
        let request = self.get(path);
        let request = match cursor {
            Some(cursor) => request.query(&[("cursor", cursor)]),
            None => request,
        };
        self.read(request).await
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, CallError> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let mut page: Page<T> = self.page(path, cursor.as_deref()).await?;
            items.append(&mut page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// Uploads what the farm lacks of a scene. See [`crate::Upload`].
    pub async fn upload(
        &self,
        scene: &pack::PackedScene,
        progress: impl Fn(crate::Upload) + Sync,
    ) -> Result<crate::Upload, crate::UploadError> {
        crate::upload::upload(self, scene, &progress).await
    }
}
