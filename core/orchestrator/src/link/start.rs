//! Starting batches: the scene first, then the batch itself.

use std::sync::Arc;

use farmhand_engine::Report;
use farmhand_observe::Kind;
use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{BatchId, BlobHash, Failure, FailureKind, Problem};
use tokio::sync::mpsc;

use super::{Call, Link, Order};
use crate::agent::CallError;
use crate::blobs::SceneError;
use crate::metrics::Way;
use crate::spans::About;
use crate::upload::{Travelled, UploadError, bring_blobs, bring_scene};

impl Link {
    pub(super) async fn dispatch_in_order(self: Arc<Self>, mut waiting: mpsc::UnboundedReceiver<Order>) {
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
        let means = &self.means;
        let stage = means.tracer.stage(self.about(start), "bring scene", Kind::Client);
        let travelled = bring_scene(&self.agent, &means.blobs, &means.homes, start.scene).await;
        let travelled = stage.ended(travelled)?;
        self.count(travelled);
        if travelled != Travelled::default() {
            let Travelled { sent, pulled } = travelled;
            tracing::info!(agent = self.agent.address(), job = %start.job, batch = %start.batch,
                scene = %start.scene, sent, pulled, "scene uploaded");
        }
        self.state().scenes.insert(start.scene);
        means.homes.add(start.scene, self.agent.address());
        Ok(())
    }

    fn about(&self, start: &StartBatch) -> About {
        About {
            job: start.job,
            batch: start.batch,
            frame: None,
            node: self.state().node,
        }
    }

    fn count(&self, travelled: Travelled) {
        self.means.metrics.travelled(Way::ToNodes, travelled.sent);
        self.means.telemetry.note(self.agent.address(), |signs| {
            signs.sent_bytes += travelled.sent;
            signs.pulled_bytes += travelled.pulled;
        });
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

    pub(super) async fn start(self: &Arc<Self>, order: Order) {
        let batch = order.start.batch;
        if order.wanted.is_cancelled() {
            return;
        }
        let tracer = &self.means.tracer;
        let stage = tracer.stage(self.about(&order.start), "dispatch", Kind::Client);
        let trace = tracer.of_batch(order.start.job, batch);
        let refused = match stage.ended(self.agent.start(&order.start, trace).await) {
            Ok(()) => return self.report(Report::BatchAccepted(batch)).await,
            Err(CallError::Refused(problem)) if problem.status < 500 || problem.status == 503 => problem,
            Err(error) => {
                tracing::warn!(%error, %batch, "not known whether the agent took the batch");
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
        tracing::warn!(%batch, kind = refused.kind, reason = refused.detail, "the agent did not take the batch");
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
            Ok(travelled) => {
                self.count(travelled);
                self.call(Call::Start(order));
            }
            Err(error) => self.not_uploaded(order.start.batch, error).await,
        }
    }
}

/// The kind of failure that a refusal stands for: refusals are named as failures are, with dashes. A body that the
/// agent cannot read will not be read the next time either.
fn kind_of(problem: &Problem) -> FailureKind {
    if problem.kind == "bad-body" {
        return FailureKind::BatchNotUnderstood;
    }
    let name = serde_json::Value::String(problem.kind.replace('-', "_"));
    serde_json::from_value(name).unwrap_or(FailureKind::Other)
}
