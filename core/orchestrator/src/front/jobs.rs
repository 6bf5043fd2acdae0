//! Jobs and their batches.

use std::sync::Arc;
use std::time::Duration;

use farmhand_engine::Command;
use farmhand_protocol::farm::{
    BatchView, ChangeJob, JobDetail, JobState, JobView, OutputView, Page, SubmitJob, Why,
};
use farmhand_protocol::{BatchId, Cause, Frame, FrameSet, JobId, NodeId};

use super::{Front, FrontError, LONGEST_PAGE, PAGE, off_thread, page, unknown_job};
use crate::submissions::SubmitError;

/// Which jobs a list shows.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
pub(crate) struct JobFilter {
    /// Only those after this one: the `next` of the page before.
    cursor: Option<JobId>,
    /// Entries of the page; 500 without it, 2000 at most.
    limit: Option<usize>,
    /// Only those in this state.
    state: Option<JobState>,
    /// Only those of this user.
    user: Option<String>,
    /// Part of the name, in any case.
    name: Option<String>,
}

/// Which batches a list shows.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
pub(crate) struct BatchFilter {
    /// Only older ones than this: the `next` of the page before.
    cursor: Option<BatchId>,
    /// Entries of the page; 500 without it, 2000 at most.
    limit: Option<usize>,
    /// Only those on this node.
    node: Option<NodeId>,
    /// Only those of this job.
    job: Option<JobId>,
}

/// Frames that are named of a job's output where the caller does not say.
const NEWEST: usize = 60;

/// A caller may wait so long for a job's end in one call.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

impl Front {
    pub(crate) async fn submit(
        &self,
        request: SubmitJob,
        key: Option<String>,
    ) -> Result<JobView, FrontError> {
        let job = self.0.submissions.submit(request, key).await?;
        self.job_view(job)
    }

    pub(crate) async fn render(&self, frames: FrameSet) -> Result<JobId, SubmitError> {
        self.0.submissions.render(frames).await
    }

    /// Jobs, newest first.
    pub(crate) fn jobs(&self, filter: &JobFilter) -> Page<JobView> {
        let views = self.views();
        let name = filter.name.as_deref().map(str::to_lowercase);
        let shown = views
            .jobs
            .iter()
            .rev()
            .filter(|(id, _)| filter.cursor.is_none_or(|cursor| **id < cursor))
            .map(|(_, job)| job)
            .filter(|job| filter.state.is_none_or(|state| job.state == state))
            .filter(|job| filter.user.as_ref().is_none_or(|user| job.user == *user))
            .filter(|job| {
                name.as_ref()
                    .is_none_or(|name| job.name.to_lowercase().contains(name))
            });
        page(
            shown,
            filter.limit,
            |job| JobView::clone(job),
            |job| job.id.to_string(),
        )
    }

    pub(crate) fn job_view(&self, id: JobId) -> Result<JobView, FrontError> {
        let view = self.views().jobs.get(&id).map(|job| (**job).clone());
        view.ok_or_else(|| unknown_job(id))
    }

    /// A job with everything about it; with `wait` only after its end, or when that time is over.
    pub(crate) async fn job(&self, id: JobId, wait: Option<Duration>) -> Result<JobDetail, FrontError> {
        if let Some(wait) = wait {
            let mut views = self.board().watch();
            let ended = views.wait_for(|views| views.jobs.get(&id).is_none_or(|job| job.state.has_ended()));
            let stopped = self.0.stop.run_until_cancelled(ended);
            let _shown_as_it_stands = tokio::time::timeout(wait.min(LONGEST_WAIT), stopped).await;
        }
        let detail = self
            .inbox()
            .ask(move |farm, now| farm.job_detail(id, now))
            .await?;
        detail.ok_or_else(|| unknown_job(id))
    }

    /// Why a job waits or failed; with `frame` that frame of it.
    pub(crate) async fn why(&self, id: JobId, frame: Option<Frame>) -> Result<Why, FrontError> {
        let Some(frame) = frame else {
            let why = self.inbox().ask(move |farm, now| farm.why(id, now)).await?;
            return why.ok_or_else(|| unknown_job(id));
        };
        self.job_view(id)?;
        let asked = self
            .inbox()
            .ask(move |farm, now| farm.causes_of_frame(id, frame, now));
        let causes = asked.await?;
        let causes = causes.ok_or_else(|| FrontError::Unknown(format!("frame {frame} in job {id}")))?;
        Ok(in_words(causes))
    }

    /// Why a batch went where it went, and how it ended.
    pub(crate) async fn why_batch(&self, id: BatchId) -> Result<Why, FrontError> {
        let causes = self.inbox().ask(move |farm, _| farm.causes_of_batch(id)).await?;
        let causes = causes.ok_or_else(|| FrontError::Unknown(format!("batch {id}")))?;
        Ok(in_words(causes))
    }

    /// Batches, newest first.
    pub(crate) async fn batches(&self, filter: BatchFilter) -> Result<Page<BatchView>, FrontError> {
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let asked = self.inbox().ask(move |farm, _| {
            farm.batch_views(filter.cursor, limit + 1, |batch| {
                filter.node.is_none_or(|node| batch.node == node)
                    && filter.job.is_none_or(|job| batch.job == job)
            })
        });
        let found = asked.await?;
        Ok(page(
            found.iter(),
            Some(limit),
            |batch| BatchView::clone(batch),
            |batch| batch.id.to_string(),
        ))
    }

    /// What has come of a job: its files together, and the frames that were delivered last.
    pub(crate) async fn output(&self, id: JobId, newest: Option<usize>) -> Result<OutputView, FrontError> {
        let job = self.job_view(id)?;
        let newest = newest.unwrap_or(NEWEST).min(PAGE);
        let deliveries = Arc::clone(&self.0.deliveries);
        off_thread(move || Ok(deliveries.summary(id, job.output, newest)?)).await
    }

    pub(crate) async fn change_job(&self, id: JobId, change: ChangeJob) -> Result<JobView, FrontError> {
        if let Some(priority) = change.priority {
            self.inbox()
                .command(Command::SetPriority { job: id, priority })
                .await?;
        }
        if let Some(name) = change.name {
            if name.len() > 500 {
                return Err(FrontError::Invalid("a name has at most 500 bytes".to_owned()));
            }
            self.inbox().command(Command::Rename { job: id, name }).await?;
        }
        self.job_view(id)
    }

    /// Carries a command about a job out and shows the job.
    pub(crate) async fn command_job(&self, id: JobId, command: Command) -> Result<JobView, FrontError> {
        self.inbox().command(command).await?;
        self.job_view(id)
    }

    pub(crate) async fn forget_job(&self, id: JobId) -> Result<(), FrontError> {
        self.inbox().command(Command::ForgetJob(id)).await?;
        let logs = std::sync::Arc::clone(&self.0.logs);
        off_thread(move || {
            logs.forget(id);
            Ok(())
        })
        .await
    }

    pub(crate) async fn retry_job(&self, id: JobId, frames: Option<FrameSet>) -> Result<JobView, FrontError> {
        let command = Command::RetryJob { job: id, frames };
        self.0.submissions.retry(command, Some(id)).await?;
        self.job_view(id)
    }

    /// Has a film for looking made of a job's pictures, and made again what films there were.
    pub(crate) async fn make_films(&self, id: JobId) -> Result<JobView, FrontError> {
        self.command_job(id, Command::MakeFilms(id)).await
    }

    pub(crate) async fn batch(&self, id: BatchId) -> Result<BatchView, FrontError> {
        let view = self.inbox().ask(move |farm, _| farm.batch_view(id)).await?;
        view.ok_or_else(|| FrontError::Unknown(format!("batch {id}")))
    }

    pub(crate) async fn cancel_batch(&self, id: BatchId) -> Result<BatchView, FrontError> {
        self.inbox().command(Command::CancelBatch(id)).await?;
        self.batch(id).await
    }

    pub(crate) async fn retry_batch(&self, id: BatchId) -> Result<BatchView, FrontError> {
        let job = self.batch(id).await?.job;
        self.0
            .submissions
            .retry(Command::RetryBatch(id), Some(job))
            .await?;
        self.batch(id).await
    }
}

/// Causes, and the same as lines of words.
pub(super) fn in_words(causes: Vec<Cause>) -> Why {
    Why {
        reasons: causes.iter().map(|cause| cause.title.clone()).collect(),
        causes,
    }
}
