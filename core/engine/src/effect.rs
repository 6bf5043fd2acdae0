//! What the orchestrator must do. Every effect may be lost in a crash: reading the agents' lists after the
//! next start leads to it again.

use farmhand_protocol::agent::{Film, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};

/// Something to carry out, after the facts beside it are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Keep a connection to this agent from now on.
    Connect {
        /// Its base address.
        address: String,
    },
    /// Let a connection go.
    Disconnect {
        /// The agent's base address.
        address: String,
    },
    /// Let a connection go unless somebody still names that address: its node lives elsewhere now.
    Release {
        /// The agent's base address.
        address: String,
    },
    /// Upload what the scene needs and start a batch. Answered by `BatchAccepted`, `BatchRefused` or
    /// `BatchUnclear`.
    Dispatch {
        /// Where.
        node: NodeId,
        /// What.
        start: Box<StartBatch>,
    },
    /// Take frames back where they have not started. Answered by `Revoked`.
    Revoke {
        /// Where.
        node: NodeId,
        /// From which batch.
        batch: BatchId,
        /// Which frames.
        frames: FrameSet,
    },
    /// Nothing of this batch is wanted any more: stop it, drop its spool, forget it.
    Drop {
        /// Where.
        node: NodeId,
        /// Which batch.
        batch: BatchId,
    },
    /// Bring a finished frame home. Answered by `Fetched` or `FetchFailed`.
    Fetch {
        /// From where.
        node: NodeId,
        /// Of which batch.
        batch: BatchId,
        /// For which job.
        job: JobId,
        /// Absolute folder of the job's pictures.
        folder: String,
        /// What the pictures' names start with.
        stem: String,
        /// The frame and its files in the agent's spool.
        finished: Box<FinishedFrame>,
    },
    /// Tell an agent that a frame is durable here, so that it may forget it.
    Acknowledge {
        /// Where.
        node: NodeId,
        /// Of which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
    },
    /// Make films of a job's pictures. Answered by `FilmsMade`.
    MakeFilms {
        /// Of which job.
        job: JobId,
        /// Absolute folder of its pictures.
        folder: String,
        /// What the pictures' names start with.
        stem: String,
        /// Whose pictures.
        frames: FrameSet,
        /// What the scene asks for.
        film: Film,
        /// Whether a film for looking is wanted too.
        preview: bool,
    },
    /// Ask an agent for its list of batches. Answered by `BatchesListed`.
    List {
        /// Which agent.
        node: NodeId,
    },
}
