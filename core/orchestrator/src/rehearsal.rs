//! The way to a running orchestrator's loop that its own links have, so that a benchmark can report what no agent
//! rendered. Must not know what a report leads to.

use farmhand_engine::{Command, Farm, Now, Report};

use crate::inbox::{CommandError, Inbox};
use crate::running::Running;

/// Reports and commands to a loop that runs.
#[derive(Debug, Clone)]
pub struct Rehearsal(Inbox);

/// The loop has stopped, or could not write what it decided.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RehearsalError(String);

impl Rehearsal {
    /// Through the inbox of an orchestrator at work.
    pub fn of(running: &Running) -> Self {
        Self(running.inbox().clone())
    }

    /// Reports, as a link does; waits while the inbox is full.
    pub async fn report(&self, report: Report) {
        self.0.report(report).await;
    }

    /// Gives a command; answered when it is durable.
    ///
    /// # Errors
    /// When the farm refuses it, or it cannot be made durable.
    pub async fn command(&self, command: Command) -> Result<(), RehearsalError> {
        self.0.command(command).await.map_err(RehearsalError::from)
    }

    /// Asks the farm between two turns, behind everything that was told before.
    ///
    /// # Errors
    /// When the loop has stopped.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Farm, Now) -> T + Send + 'static,
    ) -> Result<T, RehearsalError> {
        self.0.ask(question).await.map_err(RehearsalError::from)
    }
}

impl From<CommandError> for RehearsalError {
    fn from(error: CommandError) -> Self {
        Self(error.to_string())
    }
}
