//! Hearing an agent's events.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_engine::Report;
use farmhand_http::Received;
use farmhand_protocol::BatchKey;
use farmhand_protocol::agent::{AgentEvent, BatchPhase};
use futures_util::StreamExt;

use super::{Call, Link};
use crate::telemetry::Signs;

/// An agent is asked for its list so often even when nothing seems lost.
const LIST_EVERY: Duration = Duration::from_secs(20);

impl Link {
    pub(super) async fn hear(self: Arc<Self>) {
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
        let signs = |change: &dyn Fn(&mut Signs)| {
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
            AgentEvent::BatchPhase {
                key,
                phase: BatchPhase::Loading,
            } => ours(key).map(Report::BatchBegun),
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
            // A batch's other phases show in its frames, and events of newer versions are not for us.
            _ => None,
        };
        if let Some(report) = report {
            self.report(report).await;
        }
    }

    pub(super) async fn list_now_and_then(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LIST_EVERY).await;
            if self.state().is_open {
                self.list();
            }
        }
    }
}
