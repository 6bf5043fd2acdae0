//! Bringing finished frames home, for as long as they are wanted.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use farmhand_engine::Report;
use farmhand_observe::Kind;
use farmhand_protocol::agent::FinishedFrame;
use farmhand_protocol::farm::Weight;
use farmhand_protocol::{Failure, FailureKind, JobId};
use tokio_util::sync::CancellationToken;

use super::Link;
use crate::agent::AgentLink;
use crate::delivery::{DeliveryError, Parcel, fetch_files, put_in_place};
use crate::metrics::Way;
use crate::spans::About;

impl Link {
    /// Brings a frame home, or forgets it when nobody wants its batch any more.
    ///
    /// Most frames only wait for their turn, all that an agent has finished of a batch. So whatever a call needs, many
    /// kilobytes, is in boxes that are made when it is made.
    pub(super) async fn bring_while_wanted(
        self: Arc<Self>,
        parcel: Box<Parcel>,
        job: JobId,
        wanted: CancellationToken,
    ) {
        let place = (parcel.key.batch, parcel.finished.frame);
        let bringing = Box::pin(self.bring(parcel, job));
        wanted.run_until_cancelled(bringing).await;
        self.state().fetching.remove(&place);
    }

    async fn bring(&self, parcel: Box<Parcel>, job: JobId) {
        let (batch, frame) = (parcel.key.batch, parcel.finished.frame);
        let mut wait = Duration::from_millis(250);
        let mut told = false;
        loop {
            let Ok(slot) = self.fetch_slots.acquire().await else {
                return;
            };
            let error = match Box::pin(self.bring_home(&parcel, job)).await {
                Ok(finished) => {
                    let bytes = finished.files.iter().map(|file| file.size).sum();
                    self.means.metrics.travelled(Way::FromNodes, bytes);
                    return Box::pin(self.report(Report::Fetched { batch, finished })).await;
                }
                Err(error) => error,
            };
            drop(slot);
            match error {
                DeliveryError::NotAsPromised(words) => {
                    let failure = Failure::new(FailureKind::NotDelivered, words);
                    let failed = Report::FetchFailed {
                        batch,
                        frame,
                        failure,
                    };
                    return Box::pin(self.report(failed)).await;
                }
                DeliveryError::Way(error) => {
                    tracing::debug!(%error, %job, %batch, %frame, node = %parcel.node, "frame not fetched yet");
                }
                DeliveryError::Disk { .. } | DeliveryError::Folder(_) => {
                    tracing::warn!(%error, %job, %batch, %frame, node = %parcel.node, "frame cannot be written");
                    if !std::mem::replace(&mut told, true) {
                        let text = format!("frame {frame} of {job} waits to be written: {error}");
                        Box::pin(self.means.inbox.note(Weight::Error, text, Some(job))).await;
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }

    async fn bring_home(&self, parcel: &Parcel, job: JobId) -> Result<FinishedFrame, DeliveryError> {
        let about = About {
            job,
            batch: parcel.key.batch,
            frame: Some(parcel.finished.frame),
            node: Some(parcel.node),
        };
        let tracer = &self.means.tracer;
        let stage = tracer.stage(about, "transfer", Kind::Client);
        let fetched = stage.ended(fetch_files(&self.way_to(parcel), parcel).await)?;
        let stage = tracer.stage(about, "deliver", Kind::Internal);
        stage.ended(put_in_place(parcel, fetched).await)
    }

    /// The agent, where it was reached last: it may have come back under another address.
    fn way_to(&self, parcel: &Parcel) -> AgentLink {
        let routes = self.means.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.get(&parcel.node) {
            Some(address) if address != self.agent.address() => self.agent.at(address.clone()),
            _ => self.agent.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<'a, F>(_: impl FnOnce(&'a Link, Box<Parcel>, JobId) -> F) -> usize {
        size_of::<F>()
    }

    fn size_with_task<F>(_: impl FnOnce(Arc<Link>, Box<Parcel>, JobId, CancellationToken) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_frame_that_waits_to_be_fetched_takes_little_memory() {
        let bytes = size(Link::bring) + size_with_task(Link::bring_while_wanted);
        assert!(
            bytes <= 1024,
            "{bytes} bytes for each frame that an agent has finished"
        );
    }
}
