//! Calls of the ordered queue: who is there, what it has, start, take back, drop.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use farmhand_engine::Report;
use farmhand_protocol::agent::NodeInfo;
use farmhand_protocol::{BatchId, BatchKey, FrameSet, PROTOCOL};
use tokio::sync::mpsc;

use super::{Call, Link};
use crate::kept_logs::LogLabel;

impl Link {
    pub(super) async fn call_in_order(self: Arc<Self>, mut waiting: mpsc::UnboundedReceiver<Call>) {
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
                Call::Drop(batch, label) => {
                    if let Some(label) = label {
                        self.keep_log(label).await;
                    }
                    if let Err(error) = self.agent.drop_batch(self.key(batch)).await {
                        // Its next list shows the batch, and it is told again.
                        tracing::debug!(%error, %batch, "batch not dropped");
                    }
                }
                Call::Close => self.close(),
            }
        }
    }

    pub(super) async fn ask_who(self: &Arc<Self>) -> bool {
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
        self.means.homes.forget(self.agent.address());
        let address = self.agent.address().to_owned();
        let info = Box::new(info);
        self.report(Report::NodeSeen { address, info }).await;
    }

    pub(super) async fn ask_for_batches(self: &Arc<Self>) {
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

    /// Keeps what Blender printed for a batch, before the agent forgets it.
    async fn keep_log(&self, label: LogLabel) {
        let batch = label.batch;
        let log = match self.agent.log(self.key(batch)).await {
            Ok(log) if log.is_empty() => return,
            Ok(log) => log,
            Err(error) => return tracing::debug!(%error, %batch, "its log is lost"),
        };
        let logs = Arc::clone(&self.means.logs);
        let kept = tokio::task::spawn_blocking(move || logs.keep(&label, &log)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, %batch, "its log cannot be kept");
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
            Ok(frames) => self.report(Report::Revoked { batch, frames }).await,
            Err(error) => {
                tracing::debug!(%error, %batch, "frames not taken back");
                self.list();
            }
        }
    }
}
