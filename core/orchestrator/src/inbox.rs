//! The way to the loop that owns the farm: what it can be told and asked.

use std::path::PathBuf;
use std::sync::Arc;

use farmhand_engine::{Command, Farm, JobSpec, Now, Refusal, Report};
use farmhand_protocol::JobId;
use farmhand_protocol::farm::Weight;
use tokio::sync::{mpsc, oneshot};

use crate::journal::UsedKey;

/// One message to the loop.
pub(crate) enum Message {
    /// Time passes.
    Tick,
    /// An agent, or our own work, reports.
    Report(Report),
    /// A person wants something; answered when it is durable and shown.
    Command {
        command: Command,
        answer: oneshot::Sender<Result<(), CommandError>>,
    },
    /// A person wants something rendered.
    Submit {
        submission: Box<Submission>,
        answer: oneshot::Sender<Result<JobId, CommandError>>,
    },
    /// Somebody wants to know what only the whole farm can tell.
    Ask(Question),
    /// A line for the diary that no fact stands behind.
    Note {
        weight: Weight,
        text: String,
        job: Option<JobId>,
    },
    /// End after this turn.
    Stop,
}

/// Something asked of the whole farm; it sends its answer itself.
pub(crate) type Question = Box<dyn FnOnce(&Farm, Now) + Send>;

/// A job to be submitted.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) spec: JobSpec,
    /// Name the folder after the job's id, below this one, rather than as `spec` says: the id is not known
    /// before the decision.
    pub(crate) folder_by_id: Option<PathBuf>,
    /// Remembered with the job, so that the same call made again finds it.
    pub(crate) key: Option<(Arc<str>, u64)>,
}

impl Submission {
    pub(crate) fn used_key(&self, job: JobId) -> Option<UsedKey> {
        let (key, fingerprint) = self.key.as_ref()?;
        Some(UsedKey {
            key: key.to_string(),
            fingerprint: *fingerprint,
            job,
        })
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CommandError {
    /// The farm refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be made durable: nothing has changed.
    #[error("the farm's journal cannot be written at the moment: {0}")]
    NotDurable(String),
    /// The orchestrator is stopping.
    #[error("the orchestrator is stopping")]
    Stopping,
}

/// Sends to the loop. Cheap to clone. A full inbox makes senders wait: the loop never does.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(mpsc::Sender<Message>);

impl Inbox {
    /// An inbox for so many waiting messages.
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    pub(crate) async fn report(&self, report: Report) {
        let _stopping = self.0.send(Message::Report(report)).await;
    }

    pub(crate) async fn note(&self, weight: Weight, text: String, job: Option<JobId>) {
        let _stopping = self.0.send(Message::Note { weight, text, job }).await;
    }

    pub(crate) async fn command(&self, command: Command) -> Result<(), CommandError> {
        self.answered(|answer| Message::Command { command, answer })
            .await?
    }

    pub(crate) async fn submit(&self, submission: Submission) -> Result<JobId, CommandError> {
        let submission = Box::new(submission);
        self.answered(|answer| Message::Submit { submission, answer })
            .await?
    }

    /// Asks the farm between two turns. `question` must be quick: the loop waits for it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Farm, Now) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        self.answered(|answer| {
            Message::Ask(Box::new(move |farm, now| {
                let _nobody_waits_any_more = answer.send(question(farm, now));
            }))
        })
        .await
    }

    /// Time passes; left out while the loop is busy with a full inbox.
    pub(crate) fn tick(&self) {
        let _busy = self.0.try_send(Message::Tick);
    }

    pub(crate) async fn stop(&self) {
        let _stopped = self.0.send(Message::Stop).await;
    }

    /// Stops without waiting; left out where the inbox is full.
    pub(crate) fn stop_soon(&self) {
        let _stopped = self.0.try_send(Message::Stop);
    }

    async fn answered<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.0
            .send(message(answer))
            .await
            .map_err(|_| CommandError::Stopping)?;
        answered.await.map_err(|_| CommandError::Stopping)
    }
}
