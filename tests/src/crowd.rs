//! Many agents without Blender in one process, for benchmarks of what deals with them: one listener, and an address of
//! loopback for each. They have every scene, take every batch, and say at once, or after a while, that its frames are
//! finished: each is the same small picture.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use farmhand_http::{AfterEvent, EventLog, Json};
use farmhand_protocol::agent::{
    AgentEvent, BatchPhase, BatchReport, FinishedFrame, FrameFile, FramesRevoked, Load, NodeInfo, Proof,
    RevokeFrames, StartBatch,
};
use farmhand_protocol::{BatchKey, BlobHash, BootId, Device, Frame, FrameSet, JobId, NodeId};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::made_up;

/// Events that an agent keeps for an orchestrator that reconnects.
const EVENTS_KEPT: usize = 512;

/// Agents give a sign of life so often.
const BEAT: Duration = Duration::from_secs(2);

/// Something that the crowd has seen, and when.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// On which of the agents, counted from 0.
    pub agent: usize,
    /// Of which job.
    pub job: JobId,
    /// What.
    pub what: Sight,
}

/// What may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A batch has arrived.
    Arrived,
    /// The agent has said that a batch has ended.
    Ended,
}

/// All of them. Cheap to clone.
#[derive(Clone)]
pub struct Crowd(Arc<Inner>);

struct Inner {
    agents: Vec<Agent>,
    port: u16,
    picture: Bytes,
    frame_time: Mutex<Duration>,
    seen: mpsc::UnboundedSender<Seen>,
}

struct Agent {
    number: usize,
    id: NodeId,
    events: EventLog,
    batches: Mutex<BTreeMap<BatchKey, BatchReport>>,
}

impl Crowd {
    /// Starts so many, and tells what they see.
    ///
    /// # Panics
    /// When loopback has no port.
    pub async fn start(count: usize) -> (Self, mpsc::UnboundedReceiver<Seen>) {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        let listener = listener.expect("there is a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (sender, seen) = mpsc::unbounded_channel();
        let crowd = Self(Arc::new(Inner {
            agents: (0..count).map(Agent::new).collect(),
            port,
            picture: picture(),
            frame_time: Mutex::default(),
            seen: sender,
        }));
        let router = crowd.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let beating = crowd.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                for agent in &beating.0.agents {
                    agent.events.publish_passing(&AgentEvent::Beat {
                        load: Load::default(),
                    });
                }
            }
        });
        (crowd, seen)
    }

    /// The base address of each.
    pub fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.0.agents.len()).map(|number| format!("http://{}:{}", address(number), self.0.port))
    }

    /// A frame takes so long from now on; at first it takes no time.
    pub fn take(&self, time: Duration) {
        *self.0.frame_time.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Bytes of a frame's file.
    pub fn bytes_a_frame(&self) -> usize {
        self.0.picture.len()
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/v1/node", get(node))
            .route("/v1/events", get(events))
            .route("/v1/blobs/{hash}", axum::routing::head(has_blob))
            .route("/v1/batches", get(list).post(start))
            .route("/v1/batches/{key}", axum::routing::delete(drop_batch))
            .route("/v1/batches/{key}/revoke", post(revoke))
            .route("/v1/batches/{key}/log", get(log))
            .route("/v1/batches/{key}/frames/{frame}/ack", post(acknowledge))
            .route("/v1/batches/{key}/frames/{frame}/{*file}", get(file))
            .with_state(self.clone())
    }

    fn frame_time(&self) -> Duration {
        *self.0.frame_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, agent: usize, job: JobId, what: Sight) {
        let _nobody_looks = self.0.seen.send(Seen {
            at: Instant::now(),
            agent,
            job,
            what,
        });
    }

    async fn render(self, number: usize, key: BatchKey, job: JobId, frames: FrameSet) {
        let agent = &self.0.agents[number];
        for frame in frames.iter() {
            let render = |report: &mut BatchReport| {
                let waits = report.waiting.contains(frame);
                report.waiting = report.waiting.difference(&frame.into());
                waits
            };
            match agent.batches().get_mut(&key).map(render) {
                Some(true) => {}
                Some(false) => continue,
                None => return,
            }
            agent.events.publish(&AgentEvent::FrameStarted { key, frame });
            let time = self.frame_time();
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            let finished = self.finished(frame, time);
            if let Some(report) = agent.batches().get_mut(&key) {
                report.finished.push(finished.clone());
            }
            agent.events.publish(&AgentEvent::FrameFinished { key, finished });
        }
        let phase = BatchPhase::Completed;
        if let Some(report) = agent.batches().get_mut(&key) {
            report.phase = phase;
        }
        self.see(number, job, Sight::Ended);
        agent.events.publish(&AgentEvent::BatchEnded { key, phase });
    }

    fn finished(&self, frame: Frame, time: Duration) -> FinishedFrame {
        let path = format!("{:04}.png", frame.get());
        FinishedFrame {
            frame,
            files: vec![FrameFile {
                path: path.parse().expect("it is a plain path"),
                hash: BlobHash::of(&self.0.picture),
                size: self.0.picture.len() as u64,
                proof: Proof::Decoded,
            }],
            render_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1),
            peak_memory_bytes: 0,
            device: Device::Cpu,
            film: None,
        }
    }
}

impl Agent {
    fn new(number: usize) -> Self {
        let boot = Uuid::new_v4().as_u64_pair().0;
        Self {
            number,
            id: NodeId(Uuid::new_v4()),
            events: EventLog::new(BootId(boot), EVENTS_KEPT, &AgentEvent::Reset),
            batches: Mutex::default(),
        }
    }

    fn batches(&self) -> MutexGuard<'_, BTreeMap<BatchKey, BatchReport>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each has a host of its own, so that a client keeps connections to it as to a machine of its own.
fn address(number: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

fn picture() -> Bytes {
    let pixels = image::RgbImage::from_fn(16, 9, |x, y| {
        let [x, y] = [x, y].map(|side| u8::try_from(side * 14).unwrap_or(u8::MAX));
        image::Rgb([x, y, 128])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = pixels.write_to(&mut bytes, image::ImageFormat::Png);
    written.expect("a picture can be written to memory");
    bytes.into_inner().into()
}

/// One agent of the crowd, as the request's host names it.
struct At(Crowd, usize);

impl At {
    fn agent(&self) -> &Agent {
        &self.0.0.agents[self.1]
    }
}

impl axum::extract::FromRequestParts<Crowd> for At {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        crowd: &Crowd,
    ) -> Result<Self, Self::Rejection> {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let address: Option<Ipv4Addr> = host.and_then(|host| host.split(':').next()?.parse().ok());
        let [.., high, low] = address.ok_or(StatusCode::NOT_FOUND)?.octets();
        let number = usize::from(u16::from_be_bytes([high, low]));
        if number >= crowd.0.agents.len() {
            return Err(StatusCode::NOT_FOUND);
        }
        Ok(Self(crowd.clone(), number))
    }
}

async fn node(at: At) -> Json<NodeInfo> {
    let agent = at.agent();
    let name = format!("node-{:04}", agent.number);
    Json(made_up::node(agent.id, name, agent.events.last()))
}

async fn events(at: At, Query(after): Query<AfterEvent>) -> Response {
    at.agent().events.respond(after.after.as_deref())
}

async fn has_blob() -> StatusCode {
    StatusCode::OK
}

async fn list(at: At) -> Json<Vec<BatchReport>> {
    Json(at.agent().batches().values().cloned().collect())
}

async fn start(at: At, Json(start): Json<StartBatch>) -> StatusCode {
    let key = BatchKey {
        farm: start.farm,
        batch: start.batch,
    };
    let At(crowd, number) = &at;
    let report = BatchReport {
        key,
        epoch: start.epoch,
        job: start.job,
        scene: start.scene,
        phase: BatchPhase::Rendering,
        frames: start.frames.clone(),
        waiting: start.frames.clone(),
        rendering: None,
        finished: Vec::new(),
        acknowledged: FrameSet::default(),
        failed: Vec::new(),
        blender: None,
    };
    let mut batches = at.agent().batches();
    if batches.contains_key(&key) {
        return StatusCode::ACCEPTED;
    }
    batches.insert(key, report);
    drop(batches);
    crowd.see(*number, start.job, Sight::Arrived);
    tokio::spawn(crowd.clone().render(*number, key, start.job, start.frames));
    StatusCode::ACCEPTED
}

async fn revoke(at: At, Path(key): Path<BatchKey>, Json(request): Json<RevokeFrames>) -> Response {
    let mut batches = at.agent().batches();
    let Some(report) = batches.get_mut(&key) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let revoked = report.waiting.intersection(&request.frames);
    report.waiting = report.waiting.difference(&revoked);
    report.frames = report.frames.difference(&revoked);
    axum::Json(FramesRevoked { revoked }).into_response()
}

async fn drop_batch(at: At, Path(key): Path<BatchKey>) -> StatusCode {
    at.agent().batches().remove(&key);
    StatusCode::NO_CONTENT
}

async fn log() -> &'static str {
    ""
}

async fn acknowledge(at: At, Path((key, frame)): Path<(BatchKey, Frame)>) -> StatusCode {
    if let Some(report) = at.agent().batches().get_mut(&key) {
        report.finished.retain(|finished| finished.frame != frame);
        report.acknowledged = report.acknowledged.union(&frame.into());
    }
    StatusCode::NO_CONTENT
}

async fn file(State(crowd): State<Crowd>, _request: Request) -> Bytes {
    crowd.0.picture.clone()
}
