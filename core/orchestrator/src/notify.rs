//! Telling people who are not looking: webhooks and a command. Jobs' ends come from the loop as they become
//! durable, nodes' comings and goings from the published views. Nothing here can slow the farm: every queue is
//! bounded, and what does not fit is dropped and counted.

mod hook;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::farm::{JobState, JobView, NodeState, NodeView};
use farmhand_protocol::{FarmId, Notice, NoticeKind};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use self::webhook::Posts;
pub use self::webhook::{Secret, SecretError, Webhook, WebhookError};
use crate::board::{Board, Views};
use crate::metrics::Metrics;

/// Notices that may wait for one receiver.
const QUEUE: usize = 256;

/// Nodes are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who is told, and how.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Where notices are posted to.
    pub webhooks: Vec<Webhook>,
    /// What posted notices are signed with.
    pub secret: Option<Secret>,
    /// A program that is run for each notice, which it reads from its standard input.
    pub command: Option<PathBuf>,
    /// How long that program may take.
    pub command_limit: Duration,
    /// Wait before the second attempt at a webhook; each further wait is twice as long.
    pub first_retry: Duration,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            webhooks: Vec::new(),
            secret: None,
            command: None,
            command_limit: Duration::from_secs(30),
            first_retry: Duration::from_secs(1),
        }
    }
}

/// Where notices begin. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Notices {
    farm: FarmId,
    queues: Arc<Vec<mpsc::Sender<Arc<Notice>>>>,
    metrics: Arc<Metrics>,
}

impl Notices {
    /// Starts what carries notices, until `stop`.
    pub(crate) fn start(
        notify: &Notify,
        posts: &Posts,
        farm: FarmId,
        board: Board,
        metrics: &Arc<Metrics>,
        stop: &CancellationToken,
    ) -> Self {
        let mut queues = Vec::new();
        let mut queue = || {
            let (sender, receiver) = mpsc::channel(QUEUE);
            queues.push(sender);
            receiver
        };
        let spawn = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            tokio::spawn(stop.clone().run_until_cancelled_owned(work));
        };
        for hook in &notify.webhooks {
            let post = webhook::post_all(
                hook.clone(),
                notify.clone(),
                posts.clone(),
                queue(),
                Arc::clone(metrics),
            );
            spawn(Box::pin(post));
        }
        if let Some(program) = &notify.command {
            let run = hook::run_all(
                program.clone(),
                notify.command_limit,
                queue(),
                Arc::clone(metrics),
            );
            spawn(Box::pin(run));
        }
        let notices = Self {
            farm,
            queues: Arc::new(queues),
            metrics: Arc::clone(metrics),
        };
        if !notices.queues.is_empty() {
            spawn(Box::pin(watch_nodes(notices.clone(), board)));
        }
        notices
    }

    /// Whether anyone is told.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.queues.is_empty()
    }

    /// A job has ended.
    pub(crate) fn job_ended(&self, job: JobView) {
        let event = match job.state {
            JobState::Completed => NoticeKind::JobCompleted,
            JobState::Failed => NoticeKind::JobFailed,
            JobState::Cancelled => NoticeKind::JobCancelled,
            JobState::Waiting | JobState::Running | JobState::Paused => return,
        };
        self.send(Notice {
            job: Some(Box::new(job)),
            ..self.of(event)
        });
    }

    fn node(&self, event: NoticeKind, node: &NodeView) {
        self.send(Notice {
            node: Some(Box::new(node.clone())),
            ..self.of(event)
        });
    }

    fn of(&self, event: NoticeKind) -> Notice {
        Notice {
            id: Uuid::new_v4(),
            event,
            at: Timestamp::now(),
            farm: self.farm,
            job: None,
            node: None,
        }
    }

    fn send(&self, notice: Notice) {
        let notice = Arc::new(notice);
        for queue in self.queues.iter() {
            if queue.try_send(Arc::clone(&notice)).is_err() {
                tracing::warn!(
                    event = notice.event.name(),
                    "a notice is dropped: its receiver is too slow"
                );
                self.metrics.notice("dropped");
            }
        }
    }
}

async fn watch_nodes(notices: Notices, board: Board) {
    let mut lost: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        for (event, node) in changes(&mut lost, &board.views()) {
            notices.node(event, &node);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What has become of nodes since the last look. A node that comes for the first time is no news.
fn changes(lost: &mut BTreeMap<String, bool>, views: &Views) -> Vec<(NoticeKind, Arc<NodeView>)> {
    lost.retain(|key, _| views.nodes.contains_key(key));
    let mut news = Vec::new();
    for (key, node) in &views.nodes {
        let is_lost = match node.state {
            NodeState::Lost => true,
            NodeState::Connecting => continue,
            NodeState::Idle
            | NodeState::Rendering
            | NodeState::Draining
            | NodeState::Drained
            | NodeState::Unfit => false,
        };
        match lost.insert(key.clone(), is_lost) {
            Some(true) if !is_lost => news.push((NoticeKind::NodeBack, Arc::clone(node))),
            // One that the farm remembers and that did not come within a lease of the start is lost too.
            Some(false) | None if is_lost => news.push((NoticeKind::NodeLost, Arc::clone(node))),
            Some(_) | None => {}
        }
    }
    news
}
