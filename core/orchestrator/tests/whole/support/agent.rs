//! An agent without Blender: speaks the agent's API, and can be told to misbehave.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use farmhand_http::{AfterEvent, EventLog, Json, Reject};
use farmhand_protocol::agent::{
    AgentEvent, BatchPhase, BatchReport, EngineInfo, FinishedFrame, FrameFile, FramesRevoked, Hardware, Load,
    NodeInfo, Proof, RevokeFrames, StartBatch,
};
use farmhand_protocol::{
    BatchKey, BlobHash, BootId, Device, Frame, FrameSet, Manifest, NodeId, PROTOCOL, frame_mark,
};

/// What the fake agent "renders" for a frame.
pub(crate) fn pixels(frame: Frame) -> Bytes {
    Bytes::from(format!("pixels of frame {frame}").repeat(500))
}

#[derive(Clone)]
pub(crate) struct FakeAgent(Arc<Inner>);

struct Inner {
    id: NodeId,
    /// It renders on while its listener is away.
    renders_on: tokio::runtime::Handle,
    events: EventLog,
    state: Mutex<AgentState>,
}

#[derive(Default)]
pub(crate) struct AgentState {
    batches: BTreeMap<BatchKey, BatchReport>,
    blobs: HashMap<BlobHash, Bytes>,
    /// Frames in the order in which they were rendered.
    pub(crate) rendered: Vec<Frame>,
    pub(crate) acknowledged: Vec<Frame>,
    pub(crate) dropped: Vec<BatchKey>,
    pub(crate) uploads: usize,
    /// Serve other bytes than promised for these, once each.
    pub(crate) corrupt: HashSet<Frame>,
    /// Send each event this often again.
    pub(crate) repeats: usize,
    /// Time for a frame.
    pub(crate) frame_time: Duration,
    /// Render nothing until this is false.
    pub(crate) is_held: bool,
    /// Find something unknown in every batch.
    pub(crate) is_of_another_version: bool,
}

/// An agent's listener and everything that came through it.
pub(crate) struct Listening(Option<tokio::runtime::Runtime>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

impl FakeAgent {
    /// Starts one on a port of its own; returns it and its base address.
    pub(crate) async fn start() -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let agent = Self::new();
        let address = agent.serve(listener);
        (agent, address)
    }

    /// One that nobody can reach yet.
    pub(crate) fn new() -> Self {
        let id = uuid::Uuid::new_v4();
        let agent = Self(Arc::new(Inner {
            id: NodeId(id),
            renders_on: tokio::runtime::Handle::current(),
            events: EventLog::new(BootId(id.as_u64_pair().0), 4096, &AgentEvent::Reset),
            state: Mutex::new(AgentState {
                frame_time: Duration::from_millis(5),
                ..AgentState::default()
            }),
        }));
        let beating = agent.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let beat = AgentEvent::Beat { load: load() };
                beating.0.events.publish_passing(&beat);
            }
        });
        agent
    }

    /// Answers here too from now on.
    pub(crate) fn serve(&self, listener: tokio::net::TcpListener) -> String {
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Answers here until what it returns is dropped; connections that stand are cut then.
    pub(crate) async fn serve_at(&self, at: SocketAddr) -> Listening {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router = self.router();
        let bind = async move { tokio::net::TcpListener::bind(at).await.unwrap() };
        let listener = runtime.spawn(bind).await.unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Listening(Some(runtime))
    }

    pub(crate) fn id(&self) -> NodeId {
        self.0.id
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/v1/node", get(node))
            .route("/v1/events", get(events))
            .route("/v1/blobs/{hash}", axum::routing::head(has_blob).put(put_blob))
            .route("/v1/batches", get(list).post(start))
            .route("/v1/batches/{key}", axum::routing::delete(drop_batch))
            .route("/v1/batches/{key}/revoke", post(revoke))
            .route("/v1/batches/{key}/log", get(log))
            .route("/v1/batches/{key}/frames/{frame}/ack", post(acknowledge))
            .route("/v1/batches/{key}/frames/{frame}/{*file}", get(file))
            .with_state(self.clone())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, AgentState> {
        self.0.state.lock().unwrap()
    }

    fn publish(&self, event: &AgentEvent) {
        let repeats = self.state().repeats;
        for _ in 0..=repeats {
            self.0.events.publish(event);
        }
    }

    async fn render(self, key: BatchKey, frames: FrameSet) {
        for frame in frames.iter() {
            while self.state().is_held {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let frame_time = {
                let mut state = self.state();
                let Some(report) = state.batches.get_mut(&key) else {
                    return;
                };
                if !report.waiting.contains(frame) {
                    continue;
                }
                report.waiting = report.waiting.difference(&frame.into());
                report.rendering = Some(frame);
                report.phase = BatchPhase::Rendering;
                state.frame_time
            };
            self.publish(&AgentEvent::FrameStarted { key, frame });
            tokio::time::sleep(frame_time).await;
            let finished = FinishedFrame {
                frame,
                files: vec![
                    promised(frame, &format!("{:04}.png", frame.get())),
                    promised(frame, &format!("depth/{:04}.exr", frame.get())),
                ],
                render_ms: 5,
                peak_memory_bytes: 0,
                device: Device::Cpu,
                film: None,
            };
            {
                let mut state = self.state();
                let Some(report) = state.batches.get_mut(&key) else {
                    return;
                };
                report.rendering = None;
                report.finished.push(finished.clone());
                state.rendered.push(frame);
            }
            self.publish(&AgentEvent::FrameFinished { key, finished });
        }
        if let Some(report) = self.state().batches.get_mut(&key) {
            report.phase = BatchPhase::Completed;
        }
        self.publish(&AgentEvent::BatchEnded {
            key,
            phase: BatchPhase::Completed,
        });
    }
}

fn promised(frame: Frame, path: &str) -> FrameFile {
    let bytes = pixels(frame);
    FrameFile {
        path: path.parse().unwrap(),
        hash: BlobHash::of(&bytes),
        size: bytes.len() as u64,
        proof: Proof::Decoded,
    }
}

fn load() -> Load {
    Load {
        cpu: 0.5,
        memory_bytes: 1,
        disk_free_bytes: 1,
    }
}

async fn node(State(agent): State<FakeAgent>) -> Json<NodeInfo> {
    Json(NodeInfo {
        id: agent.0.id,
        name: format!("fake-{}", &agent.0.id.to_string()[..4]),
        protocol: PROTOCOL,
        version: "0.0.0".to_owned(),
        last_event: agent.0.events.last(),
        slots: 1,
        threads: 1,
        tags: Vec::new(),
        probed: true,
        engines: vec![EngineInfo {
            version: "3.4.1".parse().unwrap(),
            path: "/usr/bin/true".to_owned(),
            devices: vec![Device::Cpu],
            denoiser: false,
        }],
        problem: None,
        joining: None,
        hardware: Hardware::default(),
        load: load(),
    })
}

async fn events(State(agent): State<FakeAgent>, Query(after): Query<AfterEvent>) -> Response {
    agent.0.events.respond(after.after.as_deref())
}

async fn has_blob(State(agent): State<FakeAgent>, Path(hash): Path<BlobHash>) -> StatusCode {
    if agent.state().blobs.contains_key(&hash) {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn put_blob(State(agent): State<FakeAgent>, Path(hash): Path<BlobHash>, body: Bytes) -> StatusCode {
    assert_eq!(BlobHash::of(&body), hash);
    let mut state = agent.state();
    state.uploads += 1;
    state.blobs.insert(hash, body);
    StatusCode::CREATED
}

async fn list(State(agent): State<FakeAgent>) -> Json<Vec<BatchReport>> {
    Json(agent.state().batches.values().cloned().collect())
}

async fn start(State(agent): State<FakeAgent>, Json(start): Json<StartBatch>) -> Response {
    let key = BatchKey {
        farm: start.farm,
        batch: start.batch,
    };
    {
        let mut state = agent.state();
        if state.is_of_another_version {
            let said = "unknown field `settings.colour`";
            return Reject::new(StatusCode::BAD_REQUEST, "bad-body", said).into_response();
        }
        if state.batches.contains_key(&key) {
            return StatusCode::ACCEPTED.into_response();
        }
        let scene_missing =
            |missing| Reject::new(StatusCode::CONFLICT, "scene-missing", "upload it").missing(missing);
        let Some(manifest) = state.blobs.get(&start.scene.into()) else {
            return scene_missing(vec![start.scene.into()]).into_response();
        };
        let manifest = Manifest::decode(manifest).unwrap();
        let files = manifest.files().values().map(|file| file.hash);
        let missing: Vec<BlobHash> = files.filter(|hash| !state.blobs.contains_key(hash)).collect();
        if !missing.is_empty() {
            return scene_missing(missing).into_response();
        }
        let report = BatchReport {
            key,
            epoch: start.epoch,
            job: start.job,
            scene: start.scene,
            phase: BatchPhase::Queued,
            frames: start.frames.clone(),
            waiting: start.frames.clone(),
            rendering: None,
            finished: Vec::new(),
            acknowledged: FrameSet::default(),
            failed: Vec::new(),
            blender: None,
        };
        state.batches.insert(key, report);
    }
    let renders_on = agent.0.renders_on.clone();
    renders_on.spawn(agent.render(key, start.frames));
    StatusCode::ACCEPTED.into_response()
}

async fn revoke(
    State(agent): State<FakeAgent>,
    Path(key): Path<BatchKey>,
    Json(request): Json<RevokeFrames>,
) -> Response {
    let mut state = agent.state();
    let Some(report) = state.batches.get_mut(&key) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let revoked = report.waiting.intersection(&request.frames);
    report.waiting = report.waiting.difference(&revoked);
    report.frames = report.frames.difference(&revoked);
    Json(FramesRevoked { revoked }).into_response()
}

async fn drop_batch(State(agent): State<FakeAgent>, Path(key): Path<BatchKey>) -> StatusCode {
    let mut state = agent.state();
    state.dropped.push(key);
    state.batches.remove(&key);
    StatusCode::NO_CONTENT
}

async fn log(State(agent): State<FakeAgent>, Path(key): Path<BatchKey>) -> Response {
    let state = agent.state();
    if state.dropped.contains(&key) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let frames = state.rendered.iter();
    let lines = frames.map(|frame| format!("{}\nSaved: {frame}\n", frame_mark(*frame)));
    let text = lines.fold(format!("log of {key}\n"), |text, line| text + &line);
    text.into_response()
}

async fn acknowledge(
    State(agent): State<FakeAgent>,
    Path((key, frame)): Path<(BatchKey, Frame)>,
) -> StatusCode {
    let mut state = agent.state();
    state.acknowledged.push(frame);
    if let Some(report) = state.batches.get_mut(&key) {
        report.finished.retain(|finished| finished.frame != frame);
        report.acknowledged = report.acknowledged.union(&frame.into());
    }
    StatusCode::NO_CONTENT
}

async fn file(
    State(agent): State<FakeAgent>,
    Path((key, frame, _file)): Path<(BatchKey, Frame, String)>,
) -> Response {
    let mut state = agent.state();
    let is_there = state
        .batches
        .get(&key)
        .is_some_and(|report| report.finished.iter().any(|finished| finished.frame == frame));
    if !is_there {
        return Reject::new(StatusCode::NOT_FOUND, "not-found", "no such frame").into_response();
    }
    if state.corrupt.remove(&frame) {
        return Bytes::from_static(b"other pixels").into_response();
    }
    pixels(frame).into_response()
}
