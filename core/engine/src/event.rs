//! What the farm is told: commands from people, reports from agents and from the orchestrator's own work,
//! and that time has passed.

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, NodeInfo};
use farmhand_protocol::{BatchId, Failure, Frame, FrameSet, JobId, NodeId};

use crate::{FilmsMade, JobSpec};

/// Anything that can happen.
#[derive(Debug, Clone)]
pub enum Event {
    /// A person wants something.
    Command(Command),
    /// Something is reported. Late, repeated and reordered reports are normal and have a defined result.
    Report(Report),
    /// Time has passed; sent at least once a second.
    Tick,
}

/// What people can ask for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Render something.
    Submit(Box<JobSpec>),
    /// Give up frames of a job that are not delivered: all, or only these.
    CancelJob {
        /// Which job.
        job: JobId,
        /// Which frames; all without it.
        frames: Option<FrameSet>,
    },
    /// Give up what is left of a batch.
    CancelBatch(BatchId),
    /// Render failed and cancelled frames again, or exactly these, delivered ones too.
    RetryJob {
        /// Which job.
        job: JobId,
        /// Which frames; all failed and cancelled ones without it.
        frames: Option<FrameSet>,
    },
    /// Render the failed and cancelled frames of a batch again.
    RetryBatch(BatchId),
    /// Render frames again whose files were found damaged or gone.
    Revise {
        /// Which job.
        job: JobId,
        /// Which frames, and in which revision they were looked at: another one is left alone.
        frames: Vec<(Frame, u32)>,
        /// What was found, for one of them.
        why: String,
    },
    /// Make a film for looking of a job's pictures, and what other film its scene asks for again.
    MakeFilms(JobId),
    /// Hand out nothing more of a job.
    Pause(JobId),
    /// Go on with a paused job.
    Resume(JobId),
    /// Change a job's priority.
    SetPriority {
        /// Which job.
        job: JobId,
        /// Higher goes first.
        priority: i32,
    },
    /// Change the name that is shown.
    Rename {
        /// Which job.
        job: JobId,
        /// The new name.
        name: String,
    },
    /// Take an ended job off the list; its pictures stay.
    ForgetJob(JobId),
    /// Remember an agent's address.
    AddNode {
        /// Base address of an agent.
        address: String,
    },
    /// Forget a node and take its work back.
    RemoveNode(NodeId),
    /// Forget an address that was never reached.
    RemoveAddress(String),
    /// Give a node nothing new and take back what it has not started.
    Drain {
        /// Which node.
        node: NodeId,
        /// Stop what it renders too.
        now: bool,
    },
    /// Give a drained node work again.
    Undrain(NodeId),
}

/// What agents, and the orchestrator's own deliveries, report.
#[derive(Debug, Clone)]
pub enum Report {
    /// A connection to an agent stands, or what it says of itself has changed.
    NodeSeen {
        /// At which base address.
        address: String,
        /// What it says of itself.
        info: Box<NodeInfo>,
    },
    /// Any sign of life.
    NodeHeard(NodeId),
    /// An agent's full list of batches: the truth, whatever events were lost.
    BatchesListed {
        /// Whose list.
        node: NodeId,
        /// Batches of this farm on it.
        batches: Vec<BatchReport>,
    },
    /// An agent has taken a batch.
    BatchAccepted(BatchId),
    /// An agent, or the way to it, refused a batch: it is not there.
    BatchRefused {
        /// Which batch.
        batch: BatchId,
        /// Why.
        failure: Failure,
    },
    /// Whether an agent has taken a batch is not known: its list will tell.
    BatchUnclear(BatchId),
    /// A slot of an agent has taken a batch.
    BatchBegun(BatchId),
    /// An agent started a frame.
    FrameStarted {
        /// In which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
    },
    /// A frame lies in an agent's spool.
    FrameFinished {
        /// In which batch.
        batch: BatchId,
        /// The frame and its files.
        finished: FinishedFrame,
    },
    /// A frame failed on an agent.
    FrameFailed {
        /// In which batch.
        batch: BatchId,
        /// The frame and why.
        failed: FailedFrame,
    },
    /// An agent renders nothing more for a batch.
    BatchEnded {
        /// Which batch.
        batch: BatchId,
        /// How it ended there.
        phase: BatchPhase,
    },
    /// An agent took frames out of a batch.
    Revoked {
        /// Which batch.
        batch: BatchId,
        /// Frames that it will not render.
        frames: FrameSet,
    },
    /// A frame's files are verified and durable in the job's folder.
    Fetched {
        /// In which batch it was rendered.
        batch: BatchId,
        /// The frame, its files' paths now relative to the job's folder.
        finished: FinishedFrame,
    },
    /// Films were made of a job's pictures, or could not be.
    FilmsMade {
        /// Of which job.
        job: JobId,
        /// What came of it.
        films: FilmsMade,
    },
    /// A finished frame cannot be brought home: gone, or not the bytes that were promised.
    FetchFailed {
        /// In which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
        /// Why.
        failure: Failure,
    },
}
