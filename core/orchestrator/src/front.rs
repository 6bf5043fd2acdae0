//! What callers can have from the orchestrator, whatever they call through: reads from published views, from
//! the loop and from the store, and commands to the loop.

mod audit;
mod frames;
mod jobs;
mod join;
mod logs;
mod nodes;
mod verify;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use farmhand_engine::Farm;
use farmhand_protocol::farm::{FarmView, NodeState, NodeView, Page, Weight};
use farmhand_protocol::{FarmId, JobId, NodeId};
use tokio_util::sync::CancellationToken;

pub(crate) use self::frames::{FrameFilter, Picture};
pub(crate) use self::jobs::{BatchFilter, JobFilter};
pub(crate) use self::nodes::NodeFilter;
use crate::address::AddressError;
use crate::audit::AuditLog;
use crate::blobs::Blobs;
use crate::board::{Board, Views};
use crate::certificates::Certificates;
use crate::inbox::{CommandError, Inbox};
use crate::journal::JournalError;
use crate::kept_logs::KeptLogs;
use crate::links::{Links, PlainAgent};
use crate::metrics::Metrics;
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
    metrics: Arc<Metrics>,
    logs: Arc<KeptLogs>,
    audit: Arc<AuditLog>,
    /// Where the farm has an authority.
    certificates: Option<Arc<Certificates>>,
    stop: CancellationToken,
    drain_turns: Mutex<HashMap<NodeId, u64>>,
}

/// What lies on disk, beside the loop's own state.
pub(crate) struct Records {
    pub(crate) deliveries: Deliveries,
    pub(crate) logs: Arc<KeptLogs>,
    pub(crate) audit: AuditLog,
    pub(crate) certificates: Option<Arc<Certificates>>,
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
    Plain(#[from] PlainAgent),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot read {path}: {source}")]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Entries of a page where the caller does not say.
const PAGE: usize = 500;

/// Entries of a page at most.
const LONGEST_PAGE: usize = 2000;

impl Front {
    pub(crate) fn new(
        farm: FarmId,
        submissions: Submissions,
        links: Arc<Links>,
        records: Records,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            farm,
            submissions,
            links,
            deliveries: Arc::new(records.deliveries),
            metrics,
            logs: records.logs,
            audit: Arc::new(records.audit),
            certificates: records.certificates,
            stop,
            drain_turns: Mutex::default(),
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

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn inbox(&self) -> &Inbox {
        &self.0.submissions.inbox
    }

    /// Bytes of the journal in use, and the jobs of which it holds delivered files.
    pub(crate) async fn history(&self) -> Result<(u64, BTreeSet<JobId>), FrontError> {
        let deliveries = Arc::clone(&self.0.deliveries);
        off_thread(move || Ok((deliveries.bytes()?, deliveries.jobs()?))).await
    }

    /// Asks the farm between two turns; `question` must be quick.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Farm) -> T + Send + 'static,
    ) -> Result<T, FrontError> {
        Ok(self.inbox().ask(move |farm, _| question(farm)).await?)
    }

    /// Writes a line into the diary.
    pub(crate) async fn note(&self, text: String) {
        self.inbox().note(Weight::Info, text, None).await;
    }

    fn views(&self) -> Views {
        self.board().views()
    }

    /// The farm in a few lines, for someone who may only look or for anyone else.
    pub(crate) fn farm(&self, readonly: bool) -> FarmView {
        let views = self.views();
        let ready = |node: &&Arc<NodeView>| matches!(node.state, NodeState::Idle | NodeState::Rendering);
        FarmView {
            id: self.0.farm,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            output: self.0.submissions.roots.root().display().to_string(),
            nodes_ready: count(views.nodes.values().filter(ready).count()),
            nodes: count(views.nodes.len()),
            notes: views.notes.iter().map(|note| (**note).clone()).collect(),
            readonly,
        }
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

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FrontError> + Send + 'static,
) -> Result<T, FrontError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(CommandError::Stopping.into()),
    }
}
