//! One agent's link: hears its events, makes its calls, and reports to the loop. Must not know what a report
//! leads to.
//!
//! Calls that start, stop or list batches go through one queue, strictly in order, so that a list never
//! overtakes the start of a batch. Scenes travel before that, in an order of their own; frames are fetched and
//! acknowledged beside it, a few at a time.

mod bring;
mod call;
mod hear;
mod start;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farmhand_engine::Report;
use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{BatchId, BatchKey, FarmId, Frame, FrameSet, JobId, NodeId, SceneHash};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::agent::AgentLink;
use crate::blobs::Blobs;
use crate::delivery::Parcel;
use crate::inbox::Inbox;
use crate::kept_logs::{KeptLogs, LogLabel};
use crate::metrics::Metrics;
use crate::spans::Tracer;
use crate::telemetry::Telemetry;
use crate::upload::Homes;

/// Frames fetched from one node at a time.
const FETCHED_AT_A_TIME: usize = 4;

/// What all links have in common.
pub(crate) struct Means {
    pub(crate) farm: FarmId,
    pub(crate) inbox: Inbox,
    pub(crate) blobs: Blobs,
    /// Which nodes have which scenes.
    pub(crate) homes: Homes,
    /// A folder for what is only needed for a moment.
    pub(crate) scratch: PathBuf,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tracer: Tracer,
    pub(crate) logs: Arc<KeptLogs>,
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
    /// Let it forget a batch, once the batch's log is kept.
    Drop(BatchId, Option<LogLabel>),
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

    pub(crate) fn drop_batch(&self, batch: BatchId, label: Option<LogLabel>) {
        self.forget(batch);
        self.call(Call::Drop(batch, label));
    }

    /// Nothing of a batch is wanted any more: what is under way for it ends.
    pub(crate) fn forget(&self, batch: BatchId) {
        let mut state = self.state();
        state.tried.remove(&batch);
        if let Some(wanted) = state.wanted.remove(&batch) {
            wanted.cancel();
        }
    }

    pub(crate) fn fetch(self: &Arc<Self>, parcel: Box<Parcel>, job: JobId) {
        let place = (parcel.key.batch, parcel.finished.frame);
        let wanted = self.wanted(place.0);
        if self.state().fetching.insert(place) {
            self.spawn(Arc::clone(self).bring_while_wanted(parcel, job, wanted));
        }
    }

    pub(crate) fn acknowledge(self: &Arc<Self>, batch: BatchId, frame: Frame) {
        let link = Arc::clone(self);
        self.spawn(async move {
            let Ok(_slot) = link.fetch_slots.acquire().await else {
                return;
            };
            // Boxed, so that one that waits for its turn is small.
            if let Err(error) = Box::pin(link.agent.acknowledge(link.key(batch), frame)).await {
                // Its list will show the frame as finished, and it is told again.
                tracing::debug!(%error, %batch, %frame, "acknowledgement not heard");
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(work));
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
}
