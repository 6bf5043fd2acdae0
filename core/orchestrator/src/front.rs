//! What callers can have from the orchestrator, whatever they call through: reads from published views, from
//! the loop and from the store, and commands to the loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_engine::Command;
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{
    BatchView, ChangeJob, FarmView, FrameState, FrameView, JobDetail, JobState, JobView, NodeState, NodeView,
    Page, SubmitJob, Why,
};
use farmhand_protocol::{BatchId, BatchKey, FarmId, Frame, FrameSet, JobId, NodeId, TreePath};
use tokio_util::sync::CancellationToken;

use crate::address::{AddressError, agent_address};
use crate::blobs::Blobs;
use crate::board::{Board, Views};
use crate::inbox::{CommandError, Inbox};
use crate::journal::{DeliveredFrame, JournalError};
use crate::links::Links;
use crate::sqlite::Deliveries;
use crate::submissions::{Submissions, SubmitError};

/// Everything behind the API. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Front(Arc<Inner>);

struct Inner {
    farm: FarmId,
    submissions: Submissions,
    links: Arc<Links>,
    deliveries: Arc<Deliveries>,
    started: Instant,
    stop: CancellationToken,
}

/// Why a call gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrontError {
    #[error("there is no {0}")]
    Unknown(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotThere(String),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot read {path}: {source}")]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Which jobs a list shows.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct JobFilter {
    cursor: Option<JobId>,
    limit: Option<usize>,
    state: Option<JobState>,
    user: Option<String>,
    /// Part of the name, in any case.
    name: Option<String>,
}

/// Which nodes a list shows.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct NodeFilter {
    cursor: Option<String>,
    limit: Option<usize>,
    state: Option<NodeState>,
    /// Part of the name, in any case.
    name: Option<String>,
}

/// Which frames a list shows.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct FrameFilter {
    cursor: Option<Frame>,
    limit: Option<usize>,
    state: Option<FrameState>,
}

/// Entries of a page where the caller does not say.
const PAGE: usize = 500;

/// Entries of a page at most.
const LONGEST_PAGE: usize = 2000;

/// A caller may wait so long for a job's end in one call.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// A file of a delivered frame, opened.
pub(crate) struct Picture {
    pub(crate) file: tokio::fs::File,
    pub(crate) meta: FrameFile,
}

impl Front {
    pub(crate) fn new(
        farm: FarmId,
        submissions: Submissions,
        links: Arc<Links>,
        deliveries: Deliveries,
        started: Instant,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            farm,
            submissions,
            links,
            deliveries: Arc::new(deliveries),
            started,
            stop,
        }))
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.submissions.blobs
    }

    pub(crate) fn board(&self) -> &Board {
        &self.0.submissions.board
    }

    /// Resolves when the orchestrator stops: what would go on for ever ends then.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.stop.clone().cancelled_owned()
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn inbox(&self) -> &Inbox {
        &self.0.submissions.inbox
    }

    fn views(&self) -> Views {
        self.board().views()
    }

    /// The farm in a few lines.
    pub(crate) fn farm(&self) -> FarmView {
        let views = self.views();
        let ready = |node: &&Arc<NodeView>| matches!(node.state, NodeState::Idle | NodeState::Rendering);
        FarmView {
            id: self.0.farm,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            output: self.0.submissions.roots.root().display().to_string(),
            nodes_ready: count(views.nodes.values().filter(ready).count()),
            nodes: count(views.nodes.len()),
            notes: views.notes.iter().map(|note| (**note).clone()).collect(),
        }
    }

    // Jobs.

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

    pub(crate) async fn why(&self, id: JobId) -> Result<Why, FrontError> {
        let why = self.inbox().ask(move |farm, now| farm.why(id, now)).await?;
        why.ok_or_else(|| unknown_job(id))
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

    pub(crate) async fn retry_job(&self, id: JobId, frames: Option<FrameSet>) -> Result<JobView, FrontError> {
        let command = Command::RetryJob { job: id, frames };
        self.0.submissions.retry(command, Some(id)).await?;
        self.job_view(id)
    }

    // Frames.

    /// Frames of a job, lowest first.
    pub(crate) async fn frames(&self, id: JobId, filter: FrameFilter) -> Result<Page<FrameView>, FrontError> {
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let asked = self
            .inbox()
            .ask(move |farm, _| {
                let all = farm.job(id)?.frames.frames();
                let from = filter
                    .cursor
                    .and_then(|cursor| all.position(cursor))
                    .map_or(0, |n| n + 1);
                let mut chosen = Vec::new();
                let mut position = from;
                // In steps, so that a filter that few frames pass does not draw up all of a large job at once.
                while chosen.len() <= limit {
                    let step: FrameSet = (position..)
                        .map_while(|n| all.nth(n))
                        .take(LONGEST_PAGE)
                        .collect();
                    if step.is_empty() {
                        break;
                    }
                    position += step.len();
                    let views = farm.frame_views(id, &step).into_iter();
                    let passing = views.filter(|view| filter.state.is_none_or(|state| view.state == state));
                    chosen.extend(passing.take(limit + 1 - chosen.len()));
                }
                Some(chosen)
            })
            .await?;
        let mut items = asked.ok_or_else(|| unknown_job(id))?;
        let next = if items.len() > limit {
            items.truncate(limit);
            items.last().map(|view| view.frame.to_string())
        } else {
            None
        };
        if let (Some(first), Some(last)) = (items.first(), items.last()) {
            let delivered = self.delivered(id, first.frame, last.frame).await?;
            add_files(&mut items, delivered);
        }
        Ok(Page { items, next })
    }

    /// A file of a delivered frame: the named one, or the picture itself.
    pub(crate) async fn picture(
        &self,
        id: JobId,
        frame: Frame,
        file: Option<TreePath>,
    ) -> Result<Picture, FrontError> {
        let job = self.job_view(id)?;
        let delivered = self.delivered(id, frame, frame).await?.pop();
        let files = delivered.map(|delivered| delivered.files).unwrap_or_default();
        let not_there = || {
            FrontError::NotThere(match &file {
                Some(file) => format!("frame {frame} of {id} has no file {file}"),
                None => format!("frame {frame} of {id} is not delivered"),
            })
        };
        let is_asked = |candidate: &&FrameFile| match &file {
            Some(file) => candidate.path == *file,
            None => !candidate.path.as_str().contains('/'),
        };
        let first = || files.first().filter(|_| file.is_none());
        let meta = files
            .iter()
            .find(is_asked)
            .or_else(first)
            .cloned()
            .ok_or_else(not_there)?;
        let (folder, path) = (PathBuf::from(job.output), meta.path.clone());
        let opened = off_thread(move || open_plainly(&folder, &path)).await?;
        Ok(Picture {
            file: tokio::fs::File::from_std(opened),
            meta,
        })
    }

    /// The log of a frame's latest attempt: its node's, while that keeps it, else the failure's last lines.
    pub(crate) async fn frame_log(&self, id: JobId, frame: Frame) -> Result<String, FrontError> {
        let asked = self
            .inbox()
            .ask(move |farm, now| {
                let detail = farm.job_detail(id, now)?;
                let batch = detail
                    .batches
                    .into_iter()
                    .find(|batch| batch.frames.contains(frame));
                let view = farm.frame_views(id, &frame.into()).pop();
                Some((batch, view))
            })
            .await?;
        let (batch, view) = asked.ok_or_else(|| unknown_job(id))?;
        let view = view.ok_or_else(|| FrontError::Unknown(format!("frame {frame} in job {id}")))?;
        if let Some(batch) = batch
            && let Some(agent) = self.0.links.agent_of(batch.node)
        {
            let key = BatchKey {
                farm: self.0.farm,
                batch: batch.id,
            };
            match agent.log(key).await {
                Ok(log) => return Ok(log),
                Err(error) => tracing::debug!(%error, "no log from the node"),
            }
        }
        match view.failure {
            Some(failure) => {
                let mut text = failure.log.join("\n");
                if !text.is_empty() {
                    text.push('\n');
                }
                Ok(format!("{text}{}\n", failure.message))
            }
            None => Err(FrontError::NotThere(format!("no log of frame {frame} is kept"))),
        }
    }

    async fn delivered(
        &self,
        job: JobId,
        first: Frame,
        last: Frame,
    ) -> Result<Vec<DeliveredFrame>, FrontError> {
        let deliveries = Arc::clone(&self.0.deliveries);
        off_thread(move || Ok(deliveries.between(job, first, last)?)).await
    }

    // Batches.

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

    // Nodes.

    pub(crate) fn nodes(&self, filter: &NodeFilter) -> Page<NodeView> {
        let views = self.views();
        let name = filter.name.as_deref().map(str::to_lowercase);
        let shown = views
            .nodes
            .iter()
            .filter(|(key, _)| filter.cursor.as_ref().is_none_or(|cursor| *key > cursor))
            .filter(|(_, node)| filter.state.is_none_or(|state| node.state == state))
            .filter(|(_, node)| {
                name.as_ref()
                    .is_none_or(|name| node.name.to_lowercase().contains(name))
            });
        page(
            shown,
            filter.limit,
            |(_, node)| NodeView::clone(node),
            |(key, _)| (*key).clone(),
        )
    }

    pub(crate) async fn add_node(&self, address: &str) -> Result<(), FrontError> {
        let address = agent_address(address)?;
        Ok(self.inbox().command(Command::AddNode { address }).await?)
    }

    /// Forgets a node, or an address that never answered.
    pub(crate) async fn remove_node(&self, node: &str) -> Result<(), FrontError> {
        if let Ok(id) = node.parse::<NodeId>() {
            return Ok(self.inbox().command(Command::RemoveNode(id)).await?);
        }
        let address = agent_address(node)?;
        let removed = self
            .inbox()
            .command(Command::RemoveAddress(address.clone()))
            .await;
        // One that was named at the start only is nothing that the farm remembers.
        let was_linked = self.0.links.disconnect(&address);
        match removed {
            Err(CommandError::Refused(_)) if was_linked => Ok(()),
            removed => Ok(removed?),
        }
    }

    pub(crate) async fn command_node(&self, command: Command) -> Result<(), FrontError> {
        Ok(self.inbox().command(command).await?)
    }
}

fn unknown_job(id: JobId) -> FrontError {
    FrontError::Unknown(format!("job {id}"))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn page<E, T>(
    entries: impl Iterator<Item = E>,
    limit: Option<usize>,
    item: impl Fn(&E) -> T,
    cursor: impl Fn(&E) -> String,
) -> Page<T> {
    let limit = limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let mut chosen: Vec<E> = entries.take(limit + 1).collect();
    let more = chosen.len() > limit;
    chosen.truncate(limit);
    Page {
        next: chosen.last().filter(|_| more).map(cursor),
        items: chosen.iter().map(item).collect(),
    }
}

fn add_files(frames: &mut [FrameView], delivered: Vec<DeliveredFrame>) {
    let mut delivered = delivered.into_iter().peekable();
    for view in frames {
        while delivered.next_if(|frame| frame.frame < view.frame).is_some() {}
        // A frame that is rendered again has files of its former revision, but none of this one.
        let Some(frame) = delivered.next_if(|frame| frame.frame == view.frame) else {
            continue;
        };
        if view.state == FrameState::Delivered {
            view.files = frame.files;
            view.node = Some(frame.node);
            view.render_ms = Some(frame.render_ms);
        }
    }
}

/// Opens a file below a folder without following links on the way.
fn open_plainly(folder: &Path, path: &TreePath) -> Result<std::fs::File, FrontError> {
    let mut whole = folder.to_owned();
    let parts: Vec<&str> = path.as_str().split('/').collect();
    for (number, part) in parts.iter().enumerate() {
        whole.push(part);
        let disk = |source| FrontError::Disk {
            path: whole.clone(),
            source,
        };
        let found = std::fs::symlink_metadata(&whole).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                FrontError::NotThere(format!("{} is no longer there", whole.display()))
            } else {
                disk(source)
            }
        })?;
        let is_last = number + 1 == parts.len();
        if found.is_symlink() || found.is_dir() == is_last {
            return Err(FrontError::NotThere(format!(
                "{} is not the file that was delivered",
                whole.display()
            )));
        }
    }
    std::fs::File::open(&whole).map_err(|source| FrontError::Disk { path: whole, source })
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FrontError> + Send + 'static,
) -> Result<T, FrontError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(CommandError::Stopping.into()),
    }
}
