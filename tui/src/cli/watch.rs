//! Following one job to its end, across lost connections and restarts of the orchestrator.

use std::pin::pin;

use farmhand_client::{CallError, FarmClient, FarmSignal};
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{FarmEvent, JobView};
use futures_util::StreamExt;

/// What a watcher is told.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// The job, new or changed.
    Job(&'a JobView),
    /// The farm is out of reach for now, and why.
    Lost(&'a str),
}

/// Tells `see` about the job until it has ended, and returns it as it ended.
///
/// # Errors
/// When the farm says that there is no such job, or refuses us.
pub(crate) async fn watch(
    farm: &FarmClient,
    id: JobId,
    mut see: impl AsyncFnMut(Seen<'_>),
) -> Result<JobView, CallError> {
    let mut signals = pin!(farm.events());
    loop {
        let job = match signals.next().await {
            Some(FarmSignal::Event(FarmEvent::Job { job })) if job.id == id => *job,
            Some(FarmSignal::Event(FarmEvent::Reset) | FarmSignal::Connected) => match farm.job(id).await {
                Ok(detail) => detail.job,
                // The stream will say when it is back.
                Err(error) if error.is_passing() => continue,
                Err(error) => return Err(error),
            },
            Some(FarmSignal::Lost { error, .. }) => {
                see(Seen::Lost(&error)).await;
                continue;
            }
            Some(FarmSignal::Event(_)) => continue,
            None => unreachable!("the stream of events never ends"),
        };
        see(Seen::Job(&job)).await;
        if job.state.has_ended() {
            return Ok(job);
        }
    }
}
