//! What callers and slots are told by the board.

use farmhand_protocol::agent::{BatchPhase, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchKey, Epoch, FarmId, Frame, FrameSet};

use super::sharing::Lesson;

/// What changed: what must be remembered, told, or done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// A farm's epoch rose: remember it before anything is done for the farm.
    Epoch(FarmId, Epoch),
    /// A batch was accepted: remember it before anything happens to it.
    Accepted(Box<StartBatch>),
    /// A batch was accepted, started to load, or started to render.
    Phase(BatchKey, BatchPhase),
    /// A frame started to render.
    Started(BatchKey, Frame),
    /// A frame is in the spool.
    Finished(BatchKey, FinishedFrame),
    /// A frame failed.
    Failed(BatchKey, FailedFrame),
    /// Frames were taken back.
    Revoked(BatchKey, FrameSet),
    /// A frame was brought home: its files may go.
    Acknowledged(BatchKey, Frame),
    /// Whoever renders this batch must stop.
    Stop(BatchKey),
    /// Nothing more will be rendered for a batch.
    Ended(BatchKey, BatchPhase),
    /// All of a batch may go.
    Forgotten(BatchKey),
    /// So many Blenders may run at a time from now on.
    Slots(u32),
    /// Something was learnt of how many are best.
    Learnt(Lesson),
    /// A slot may find work.
    Wake,
}

/// Why a batch was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// From an orchestrator that another one has replaced.
    #[error(
        "this farm is at epoch {seen} by now, and the batch comes from an orchestrator at an earlier one"
    )]
    StaleEpoch {
        /// The highest epoch seen.
        seen: Epoch,
    },
    /// It was here once.
    #[error("the batch {0} was cancelled or has ended and was forgotten; a batch's name is never used again")]
    Forgotten(BatchKey),
    /// Two batches under one name.
    #[error("the batch {0} is here already and is another one")]
    Different(BatchKey),
    /// Nothing to do.
    #[error("the batch has no frames")]
    NoFrames,
    /// Too many wait.
    #[error("the queue is full ({0} batches wait)")]
    QueueFull(usize),
    /// Every slot is taken.
    #[error("every slot is taken")]
    NoFreeSlot,
}

/// A batch whose scene may be loaded before a slot is free for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadAhead {
    /// Which.
    pub(crate) key: BatchKey,
    /// What was asked for.
    pub(crate) request: StartBatch,
    /// Most memory that a running Blender took, in bytes; 0 where none has finished a frame.
    pub(crate) heaviest_bytes: u64,
    /// What it may take itself, in bytes.
    pub(crate) memory_bytes: u64,
}

/// What cancelling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// It was running and is being stopped.
    Stopping,
    /// It had not started.
    Ended,
    /// It had ended, and is forgotten now.
    Forgotten,
}
