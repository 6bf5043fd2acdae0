//! The journal: what must outlive a crash, kept in order and given back. Must not know what a fact means.

use std::path::PathBuf;

use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::{Epoch, FarmId, Frame, JobId, NodeId};

/// Where facts are kept. One writer at a time; each append names the epoch it was opened under.
pub(crate) trait Journal: Send {
    /// The epoch that this opening began.
    fn epoch(&self) -> Epoch;

    /// Makes a turn durable: all of it, or nothing.
    fn commit(&mut self, turn: &Turn) -> Result<(), JournalError>;

    /// Everything that is remembered, as it stands on disk.
    fn load(&mut self) -> Result<Remembered, JournalError>;

    /// Whether the facts since the last snapshot have grown so long that a new one pays.
    fn wants_snapshot(&self) -> bool;

    /// Drops at most so many delivered files of a job that is forgotten, and says whether any were left: many at
    /// once would keep the loop waiting.
    fn let_go(&mut self, job: JobId, most: usize) -> Result<bool, JournalError>;

    /// Keeps a state that stands for all facts committed so far, and lets those go.
    fn snapshot(&mut self, state: &str) -> Result<(), JournalError>;
}

/// What one turn of the loop makes durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Turn {
    /// Facts as JSON, in their order.
    pub(crate) facts: Vec<String>,
    /// Frames delivered by them.
    pub(crate) delivered: Vec<DeliveredFrame>,
    /// Idempotency keys that have been used.
    pub(crate) keys: Vec<UsedKey>,
}

impl Turn {
    pub(crate) fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.delivered.is_empty() && self.keys.is_empty()
    }
}

/// A delivered frame and its files, kept for history. A later revision takes an earlier one's place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeliveredFrame {
    pub(crate) job: JobId,
    pub(crate) frame: Frame,
    pub(crate) revision: u32,
    pub(crate) node: NodeId,
    pub(crate) render_ms: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Paths relative to the job's folder.
    pub(crate) files: Vec<FrameFile>,
}

/// The answer to a creating call, so that the same call made again creates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedKey {
    /// As the caller chose it.
    pub(crate) key: String,
    /// Of the call's body: the same key with another body is a mistake.
    pub(crate) fingerprint: u64,
    /// What was created.
    pub(crate) job: JobId,
}

/// What a journal gives back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) farm: FarmId,
    /// The newest snapshot.
    pub(crate) snapshot: Option<String>,
    /// Facts since then, oldest first.
    pub(crate) facts: Vec<String>,
    /// Keys, oldest first.
    pub(crate) keys: Vec<UsedKey>,
}

/// Why a journal cannot be read or written. Names the file, because the owner of the farm must act.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Written by a later version of Farmhand.
    #[error(
        "{path} was written by a newer Farmhand (format {found}, this one knows {known}): update Farmhand; \
         the file was not touched"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// Not a journal, or not whole.
    #[error(
        "{path} is damaged: {reason}; the file was not touched. Restore a backup, or move it away to begin \
         an empty farm"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another orchestrator has opened it since.
    #[error("{path} has been opened by another orchestrator (epoch {found})")]
    Superseded {
        /// The file.
        path: PathBuf,
        /// The epoch that is now valid.
        found: u64,
    },
    /// The store refused.
    #[error("cannot use the farm's journal {path}: {source}")]
    Store {
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: rusqlite::Error,
    },
}
