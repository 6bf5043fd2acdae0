//! One agent's link: hears its events, makes its calls, and reports to the loop. Must not know what a report
//! leads to.
//!
//! Calls that start, stop or list batches go through one queue, strictly in order, so that a list never
//! overtakes the start of a batch. Scenes travel before that, in an order of their own; frames are fetched and
//! acknowledged beside it, a few at a time.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farmhand_engine::Report;
use farmhand_http::Received;
use farmhand_protocol::agent::{AgentEvent, NodeInfo, StartBatch};
use farmhand_protocol::farm::Weight;
use farmhand_protocol::{
    BatchId, BatchKey, BlobHash, Failure, FailureKind, FarmId, Frame, FrameSet, JobId, NodeId, PROTOCOL,
    Problem, SceneHash,
};
use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::agent::{AgentLink, CallError};
use crate::blobs::{Blobs, SceneError};
use crate::delivery::{DeliveryError, Parcel, bring_home};
use crate::inbox::Inbox;
use crate::telemetry::Telemetry;
use crate::upload::{UploadError, bring_blobs, bring_scene};

/// Frames fetched from one node at a time.
const FETCHED_AT_A_TIME: usize = 4;

/// An agent is asked for its list so often even when nothing seems lost.
const LIST_EVERY: Duration = Duration::from_secs(20);

/// What all links have in common.
pub(crate) struct Means {
    pub(crate) farm: FarmId,
    pub(crate) inbox: Inbox,
    pub(crate) blobs: Blobs,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Where each node was reached last.
    pub(crate) routes: Mutex<HashMap<NodeId, String>>,
}

/// A call of the ordered queue.
enum Call {
    /// Ask who is there, then for its batches.
    Greet,
    /// Ask who is there.
    Info,
    List,
    Start(Order),
    Revoke(BatchId, FrameSet),
    Drop(BatchId),
    /// Close the link behind the calls before this one.
    Close,
}

/// A batch to be started, as long as it is wanted.
#[derive(Clone)]
struct Order {
    start: Arc<StartBatch>,
    wanted: CancellationToken,
}

/// One agent's link. Everything it has begun ends when it is closed.
pub(crate) struct Link {
    agent: AgentLink,
    means: Arc<Means>,
    calls: mpsc::UnboundedSender<Call>,
    dispatches: mpsc::UnboundedSender<Order>,
    state: Mutex<State>,
    fetch_slots: Semaphore,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    node: Option<NodeId>,
    is_open: bool,
    /// A list is waiting in the queue already: it will be as fresh as another one.
    list_waits: bool,
    /// Scenes that the agent has been sent since it was last greeted.
    scenes: HashSet<SceneHash>,
    /// What is under way for a batch ends when nobody wants the batch any more.
    wanted: HashMap<BatchId, CancellationToken>,
    fetching: HashSet<(BatchId, Frame)>,
    /// Batches that were refused once for a missing scene.
    tried: HashSet<BatchId>,
}

impl Link {
    /// Opens a link and keeps it open until [`Self::close`].
    pub(crate) fn open(agent: AgentLink, means: Arc<Means>) -> Arc<Self> {
        let (calls, waiting_calls) = mpsc::unbounded_channel();
        let (dispatches, waiting_dispatches) = mpsc::unbounded_channel();
        let link = Arc::new(Self {
            agent,
            means,
            calls,
            dispatches,
            state: Mutex::default(),
            fetch_slots: Semaphore::new(FETCHED_AT_A_TIME),
            stop: CancellationToken::new(),
        });
        link.means.telemetry.note(link.agent.address(), |signs| {
            signs.problem.get_or_insert_with(|| "not reached yet".to_owned());
        });
        link.spawn(link.clone().hear());
        link.spawn(link.clone().call_in_order(waiting_calls));
        link.spawn(link.clone().dispatch_in_order(waiting_dispatches));
        link.spawn(link.clone().list_now_and_then());
        link
    }

    /// Closes it at once.
    pub(crate) fn close(&self) {
        self.stop.cancel();
        self.means.telemetry.forget(self.agent.address());
    }

    /// Closes it once the calls that wait have been made, or after a few seconds.
    pub(crate) fn close_gently(self: &Arc<Self>) {
        self.call(Call::Close);
        let link = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            link.close();
        });
        self.means.telemetry.forget(self.agent.address());
    }

    pub(crate) fn agent(&self) -> &AgentLink {
        &self.agent
    }

    /// Asks the agent who it is and what it has.
    pub(crate) fn greet(&self) {
        self.call(Call::Greet);
    }

    pub(crate) fn list(&self) {
        if !std::mem::replace(&mut self.state().list_waits, true) {
            self.call(Call::List);
        }
    }

    pub(crate) fn dispatch(&self, start: StartBatch) {
        let wanted = self.wanted(start.batch);
        let start = Arc::new(start);
        let _closed = self.dispatches.send(Order { start, wanted });
    }

    pub(crate) fn revoke(&self, batch: BatchId, frames: FrameSet) {
        self.call(Call::Revoke(batch, frames));
    }

    pub(crate) fn drop_batch(&self, batch: BatchId) {
        self.forget(batch);
        self.call(Call::Drop(batch));
    }

    /// Nothing of a batch is wanted any more: what is under way for it ends.
    pub(crate) fn forget(&self, batch: BatchId) {
        let mut state = self.state();
        state.tried.remove(&batch);
        if let Some(wanted) = state.wanted.remove(&batch) {
            wanted.cancel();
        }
    }

    pub(crate) fn fetch(self: &Arc<Self>, parcel: Parcel, job: JobId) {
        let place = (parcel.key.batch, parcel.finished.frame);
        let wanted = self.wanted(place.0);
        if !self.state().fetching.insert(place) {
            return;
        }
        let link = Arc::clone(self);
        self.spawn(async move {
            wanted.run_until_cancelled(link.bring(parcel, job)).await;
            link.state().fetching.remove(&place);
        });
    }

    pub(crate) fn acknowledge(self: &Arc<Self>, batch: BatchId, frame: Frame) {
        let link = Arc::clone(self);
        self.spawn(async move {
            let Ok(_slot) = link.fetch_slots.acquire().await else {
                return;
            };
            if let Err(error) = link.agent.acknowledge(link.key(batch), frame).await {
                // Its list will show the frame as finished, and it is told again.
                tracing::debug!(%error, %batch, %frame, "acknowledgement not heard");
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(work).await });
    }

    fn call(&self, call: Call) {
        let _closed = self.calls.send(call);
    }

    fn key(&self, batch: BatchId) -> BatchKey {
        BatchKey {
            farm: self.means.farm,
            batch,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self, batch: BatchId) -> CancellationToken {
        self.state().wanted.entry(batch).or_default().clone()
    }

    async fn report(&self, report: Report) {
        self.means.inbox.report(report).await;
    }

    // Hearing.

    async fn hear(self: Arc<Self>) {
        let mut last_heard: Option<Instant> = None;
        let mut events = pin!(self.agent.events());
        while let Some(received) = events.next().await {
            match received {
                Received::Connected => {
                    self.state().is_open = true;
                    self.greet();
                }
                Received::Lost { error, .. } => {
                    {
                        let mut state = self.state();
                        state.is_open = false;
                        state.node = None; // Whoever answers next says first who it is.
                    }
                    self.means.telemetry.note(self.agent.address(), |signs| {
                        signs.problem = Some(error);
                        signs.slots.clear();
                    });
                }
                Received::Event(event) => {
                    let node = self.state().node;
                    let is_due = last_heard.is_none_or(|at| at.elapsed() >= Duration::from_secs(1));
                    if let Some(node) = node.filter(|_| is_due) {
                        last_heard = Some(Instant::now());
                        self.report(Report::NodeHeard(node)).await;
                    }
                    self.heard(event).await;
                }
            }
        }
    }

    async fn heard(&self, event: AgentEvent) {
        let ours = |key: BatchKey| (key.farm == self.means.farm).then_some(key.batch);
        let signs = |change: &dyn Fn(&mut crate::telemetry::Signs)| {
            self.means.telemetry.note(self.agent.address(), change);
        };
        let report = match event {
            AgentEvent::Reset => {
                self.list();
                None
            }
            AgentEvent::NodeChanged => {
                self.call(Call::Info);
                None
            }
            AgentEvent::Beat { load } => {
                signs(&|signs| signs.load = Some(load));
                None
            }
            AgentEvent::Progress(progress) => {
                signs(&|signs| signs.progress(progress.clone()));
                None
            }
            AgentEvent::FrameStarted { key, frame } => {
                ours(key).map(|batch| Report::FrameStarted { batch, frame })
            }
            AgentEvent::FrameFinished { key, finished } => {
                ours(key).map(|batch| Report::FrameFinished { batch, finished })
            }
            AgentEvent::FrameFailed { key, failed } => {
                ours(key).map(|batch| Report::FrameFailed { batch, failed })
            }
            AgentEvent::BatchEnded { key, phase } => {
                signs(&|signs| signs.batch_over(key));
                ours(key).map(|batch| Report::BatchEnded { batch, phase })
            }
            // A batch's phase shows in its frames, and events of newer versions are not for us.
            _ => None,
        };
        if let Some(report) = report {
            self.report(report).await;
        }
    }

    async fn list_now_and_then(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LIST_EVERY).await;
            if self.state().is_open {
                self.list();
            }
        }
    }

    // Calling, in order.

    async fn call_in_order(self: Arc<Self>, mut waiting: mpsc::UnboundedReceiver<Call>) {
        while let Some(call) = waiting.recv().await {
            match call {
                Call::Greet => {
                    if self.ask_who().await {
                        self.ask_for_batches().await;
                    }
                }
                Call::Info => {
                    self.ask_who().await;
                }
                Call::List => self.ask_for_batches().await,
                Call::Start(order) => self.start(order).await,
                Call::Revoke(batch, frames) => self.take_frames_back(batch, frames).await,
                Call::Drop(batch) => {
                    if let Err(error) = self.agent.drop_batch(self.key(batch)).await {
                        // Its next list shows the batch, and it is told again.
                        tracing::debug!(%error, %batch, "batch not dropped");
                    }
                }
                Call::Close => self.close(),
            }
        }
    }

    async fn ask_who(self: &Arc<Self>) -> bool {
        let problem = match self.agent.node().await {
            Ok(info) if PROTOCOL.works_with(info.protocol) => {
                self.is_reached(info).await;
                return true;
            }
            Ok(info) => format!(
                "{} speaks protocol {}, this orchestrator {PROTOCOL}: bring both to one version",
                info.name, info.protocol
            ),
            Err(error) => error.to_string(),
        };
        self.means
            .telemetry
            .note(self.agent.address(), |signs| signs.problem = Some(problem));
        self.later(Duration::from_secs(2), Self::greet);
        false
    }

    async fn is_reached(&self, info: NodeInfo) {
        self.means.telemetry.note(self.agent.address(), |signs| {
            signs.node = Some(info.id);
            signs.problem = None;
            signs.load = Some(info.load);
        });
        {
            let mut routes = self.means.routes.lock().unwrap_or_else(PoisonError::into_inner);
            routes.insert(info.id, self.agent.address().to_owned());
            let mut state = self.state();
            state.node = Some(info.id);
            state.scenes.clear(); // It may be a new agent with an empty cache.
        }
        let address = self.agent.address().to_owned();
        let info = Box::new(info);
        self.report(Report::NodeSeen { address, info }).await;
    }

    async fn ask_for_batches(self: &Arc<Self>) {
        let node = {
            let mut state = self.state();
            state.list_waits = false;
            state.node
        };
        let Some(node) = node else { return };
        match self.agent.batches().await {
            Ok(batches) => {
                let running: HashSet<BatchKey> = batches
                    .iter()
                    .filter(|report| !report.phase.has_ended())
                    .map(|report| report.key)
                    .collect();
                self.means.telemetry.note(self.agent.address(), |signs| {
                    signs.slots.retain(|_, progress| running.contains(&progress.key));
                });
                let batches = batches
                    .into_iter()
                    .filter(|report| report.key.farm == self.means.farm)
                    .collect();
                self.report(Report::BatchesListed { node, batches }).await;
            }
            Err(error) => {
                tracing::debug!(%error, "no list of batches");
                self.later(Duration::from_secs(1), Self::list);
            }
        }
    }

    /// Does something after a while, if the event stream is open then; if not, it is done on its opening.
    fn later(self: &Arc<Self>, wait: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let link = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(wait).await;
            if link.state().is_open {
                act(&link);
            }
        });
    }

    async fn take_frames_back(&self, batch: BatchId, frames: FrameSet) {
        match self.agent.revoke(self.key(batch), frames).await {
            Ok(frames) if frames.is_empty() => {}
            Ok(frames) => self.report(Report::Revoked { batch, frames }).await,
            Err(error) => {
                tracing::debug!(%error, %batch, "frames not taken back");
                self.list();
            }
        }
    }

    // Starting batches.

    async fn dispatch_in_order(self: Arc<Self>, mut waiting: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = waiting.recv().await {
            let upload = self.bring_scene(&order.start);
            match order.wanted.run_until_cancelled(upload).await {
                None => {} // Cancelled on its way.
                Some(Ok(())) => self.call(Call::Start(order)),
                Some(Err(error)) => self.not_uploaded(order.start.batch, error).await,
            }
        }
    }

    async fn bring_scene(&self, start: &StartBatch) -> Result<(), UploadError> {
        if self.state().scenes.contains(&start.scene) {
            return Ok(());
        }
        let bytes = bring_scene(&self.agent, &self.means.blobs, start.scene).await?;
        if bytes > 0 {
            tracing::info!(agent = self.agent.address(), scene = %start.scene, bytes, "scene uploaded");
        }
        self.state().scenes.insert(start.scene);
        Ok(())
    }

    async fn not_uploaded(&self, batch: BatchId, error: UploadError) {
        let kind = match &error {
            UploadError::Call(CallError::Unreachable { .. } | CallError::Unreadable { .. }) => {
                return self.report(Report::BatchUnclear(batch)).await;
            }
            UploadError::Call(CallError::Refused(problem)) => kind_of(problem),
            UploadError::Scene(SceneError::Missing(_) | SceneError::Unusable(_)) => {
                FailureKind::SceneUnreadable
            }
            UploadError::Scene(SceneError::Disk(_)) => FailureKind::Other,
        };
        let failure = Failure::new(kind, error.to_string());
        self.report(Report::BatchRefused { batch, failure }).await;
    }

    async fn start(self: &Arc<Self>, order: Order) {
        let batch = order.start.batch;
        if order.wanted.is_cancelled() {
            return;
        }
        let refused = match self.agent.start(&order.start).await {
            Ok(()) => return self.report(Report::BatchAccepted(batch)).await,
            Err(CallError::Refused(problem)) if problem.status < 500 || problem.status == 503 => problem,
            Err(error) => {
                tracing::debug!(%error, %batch, "not known whether the batch was taken");
                return self.report(Report::BatchUnclear(batch)).await;
            }
        };
        if refused.kind == "scene-missing" && self.state().tried.insert(batch) {
            self.state().scenes.remove(&order.start.scene);
            let link = Arc::clone(self);
            let missing = refused.missing.clone();
            self.spawn(async move {
                let wanted = order.wanted.clone();
                wanted.run_until_cancelled(link.complete(order, missing)).await;
            });
            return;
        }
        let failure = Failure::new(kind_of(&refused), refused.detail.clone());
        self.report(Report::BatchRefused { batch, failure }).await;
    }

    /// Sends an agent what it says it lacks, and starts the batch again.
    async fn complete(&self, order: Order, mut missing: Vec<BlobHash>) {
        let scene = order.start.scene;
        if missing.is_empty() {
            let manifest = self.means.blobs.whole_scene(scene).await;
            let files = manifest.map(|manifest| manifest.files().values().map(|file| file.hash).collect());
            missing = files.unwrap_or_default();
            missing.push(scene.into());
        }
        match bring_blobs(&self.agent, &self.means.blobs, missing).await {
            Ok(_) => self.call(Call::Start(order)),
            Err(error) => self.not_uploaded(order.start.batch, error).await,
        }
    }

    // Bringing frames home.

    async fn bring(&self, parcel: Parcel, job: JobId) {
        let (batch, frame) = (parcel.key.batch, parcel.finished.frame);
        let mut wait = Duration::from_millis(250);
        let mut told = false;
        loop {
            let Ok(slot) = self.fetch_slots.acquire().await else {
                return;
            };
            let error = match bring_home(&self.agent, &parcel).await {
                Ok(finished) => return self.report(Report::Fetched { batch, finished }).await,
                Err(error) => error,
            };
            drop(slot);
            match error {
                DeliveryError::NotAsPromised(words) => {
                    let failure = Failure::new(FailureKind::NotDelivered, words);
                    return self
                        .report(Report::FetchFailed {
                            batch,
                            frame,
                            failure,
                        })
                        .await;
                }
                DeliveryError::Way(error) => {
                    tracing::debug!(%error, %batch, %frame, "frame not fetched yet");
                }
                DeliveryError::Disk { .. } | DeliveryError::Folder(_) => {
                    tracing::warn!(%error, %batch, %frame, "frame cannot be written");
                    if !std::mem::replace(&mut told, true) {
                        let text = format!("frame {frame} of {job} waits to be written: {error}");
                        self.means.inbox.note(Weight::Error, text, Some(job)).await;
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }
}

/// The kind of failure that a refusal stands for: refusals are named as failures are, with dashes.
fn kind_of(problem: &Problem) -> FailureKind {
    let name = serde_json::Value::String(problem.kind.replace('-', "_"));
    serde_json::from_value(name).unwrap_or(FailureKind::Other)
}
