//! What is remembered. The journal keeps facts for ever (or in a snapshot), so a variant's meaning and wire
//! form never change; a new meaning is a new variant.

use std::time::Duration;

use farmhand_protocol::agent::{Film, FrameFile, NodeInfo};
use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, BlenderVersion, Failure, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agenda::Planned;
use crate::{FilmsMade, JobSpec};

/// A fact and when it became one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// When, by the orchestrator's clock.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Something that happened or was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A job exists.
    JobSubmitted {
        /// Its id, higher than any before.
        job: JobId,
        /// What was asked for.
        spec: Box<JobSpec>,
    },
    /// Nothing more of a job is handed out.
    JobPaused {
        /// Which job.
        job: JobId,
    },
    /// A paused job goes on.
    JobResumed {
        /// Which job.
        job: JobId,
    },
    /// A job has another priority.
    PriorityChanged {
        /// Which job.
        job: JobId,
        /// Higher goes first.
        priority: i32,
    },
    /// A job is shown under another name.
    JobRenamed {
        /// Which job.
        job: JobId,
        /// The new name.
        name: String,
    },
    /// A job is no longer listed.
    JobForgotten {
        /// Which job.
        job: JobId,
    },
    /// All frames of a job use this Blender from now on.
    BlenderChosen {
        /// Which job.
        job: JobId,
        /// Exactly this version.
        version: BlenderVersion,
    },
    /// Frames of a job are a node's to render.
    BatchAssigned {
        /// The batch's id, higher than any before.
        batch: BatchId,
        /// Of which job.
        job: JobId,
        /// On which node.
        node: NodeId,
        /// Which frames.
        frames: FrameSet,
        /// Why there, in words.
        why: String,
        /// Another batch renders the same frame: the first one to deliver it wins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copy_of: Option<BatchId>,
    },
    /// A frame's files are verified and durable in the job's folder.
    FrameDelivered {
        /// Of which job.
        job: JobId,
        /// Which frame.
        frame: Frame,
        /// How often it was asked for again, 0 at first.
        revision: u32,
        /// By which batch.
        batch: BatchId,
        /// By which node.
        node: NodeId,
        /// Paths relative to the job's folder.
        files: Vec<FrameFile>,
        /// How long it took, in milliseconds.
        render_ms: u64,
    },
    /// An attempt at a frame failed; the frame waits again, or has failed for good.
    AttemptFailed {
        /// Of which job.
        job: JobId,
        /// Which frame.
        frame: Frame,
        /// In which batch.
        batch: BatchId,
        /// On which node.
        node: NodeId,
        /// Why.
        failure: Failure,
        /// No further attempt is made.
        last: bool,
    },
    /// A node gets nothing more of a job: it would fail there again.
    NodeExcluded {
        /// Which job.
        job: JobId,
        /// Which node.
        node: NodeId,
        /// What showed it.
        failure: Failure,
    },
    /// A node gets nothing of a job for a while: it fails frames that others render.
    NodeBanned {
        /// Which job.
        job: JobId,
        /// Which node.
        node: NodeId,
        /// Until when.
        until: Timestamp,
        /// What showed it.
        failure: Failure,
    },
    /// Frames of a batch wait again, without blame.
    FramesReturned {
        /// Which batch.
        batch: BatchId,
        /// Which of its frames.
        frames: FrameSet,
    },
    /// A batch is over; what was left of it has been dealt with by facts before this one.
    BatchEnded {
        /// Which batch.
        batch: BatchId,
        /// `Ended` or `Cancelled`.
        state: BatchState,
    },
    /// A batch's node was not heard from for a lease: its frames wait again, each with one loss more.
    BatchLost {
        /// Which batch.
        batch: BatchId,
    },
    /// Frames of a job that will not be tried again.
    FramesFailed {
        /// Which job.
        job: JobId,
        /// Which frames, none of them delivered.
        frames: FrameSet,
        /// Why.
        failure: Failure,
    },
    /// A person gave frames up.
    FramesCancelled {
        /// Of which job.
        job: JobId,
        /// Which frames, none of them delivered.
        frames: FrameSet,
    },
    /// A person wants frames rendered again: failed and cancelled ones, or delivered ones in a new revision.
    FramesRequeued {
        /// Of which job.
        job: JobId,
        /// Which frames.
        frames: FrameSet,
    },
    /// Delivered files were found damaged or gone: their frames wait again, each in a new revision.
    FramesRevised {
        /// Of which job.
        job: JobId,
        /// Which frames, all of them delivered until now.
        frames: FrameSet,
        /// What was found, for one of them.
        why: String,
    },
    /// How the pictures of a job become a film.
    FilmLearned {
        /// Which job.
        job: JobId,
        /// How.
        film: Film,
    },
    /// A person wants a film for looking, or films made again.
    FilmsAsked {
        /// Which job.
        job: JobId,
    },
    /// Films were made of a job's pictures, or could not be.
    FilmsMade {
        /// Of which job.
        job: JobId,
        /// What came of it.
        films: FilmsMade,
    },
    /// An agent's address is known.
    AddressAdded {
        /// Its base address.
        address: String,
    },
    /// An agent's address is no longer known.
    AddressRemoved {
        /// Its base address.
        address: String,
    },
    /// A node was reached for the first time, or under another address or name.
    NodeJoined {
        /// Which node.
        node: NodeId,
        /// Its name.
        name: String,
        /// Its agent's base address.
        address: String,
    },
    /// A node is no longer known.
    NodeRemoved {
        /// Which node.
        node: NodeId,
    },
    /// A node gets no work.
    NodeDrained {
        /// Which node.
        node: NodeId,
    },
    /// A node gets work again.
    NodeResumed {
        /// Which node.
        node: NodeId,
    },
}

/// Something seen that is true only while it is seen: applied to the state, never journalled, forgotten at a
/// restart.
#[derive(Debug, Clone)]
pub enum Sighting {
    /// What a node says of itself.
    NodeSeen {
        /// What it says.
        info: Box<NodeInfo>,
    },
    /// A node gave a sign of life.
    NodeHeard {
        /// Which node.
        node: NodeId,
    },
    /// A node was silent for a lease.
    NodeSilent {
        /// Which node.
        node: NodeId,
    },
    /// A call that starts a batch is under way.
    Dispatching {
        /// Which batch.
        batch: BatchId,
    },
    /// That call has ended.
    Dispatched {
        /// Which batch.
        batch: BatchId,
    },
    /// A slot has taken a batch: it loads the scene, or renders.
    BatchBegun {
        /// Which batch.
        batch: BatchId,
    },
    /// A batch and its copies wait on several nodes: the first one to begin is the only one.
    Contested {
        /// What the others are copies of.
        batch: BatchId,
    },
    /// A frame is being rendered.
    FrameStarted {
        /// In which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
    },
    /// A frame is being brought home.
    Fetching {
        /// In which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
    },
    /// That has ended, one way or the other.
    FetchEnded {
        /// In which batch.
        batch: BatchId,
        /// Which frame.
        frame: Frame,
    },
    /// Frames of a batch are being taken back.
    Revoking {
        /// From which batch.
        batch: BatchId,
        /// Which frames.
        frames: FrameSet,
    },
    /// That has ended, one way or the other.
    RevokeEnded {
        /// From which batch.
        batch: BatchId,
    },
    /// What a job's frames need at most so far.
    MemoryNeeded {
        /// Which job.
        job: JobId,
        /// Peak memory of a Blender, in bytes.
        bytes: u64,
    },
    /// Time has passed.
    TimePassed,
    /// Work was handed out as far as there is any.
    Planned(Planned),
    /// Films are being made of a job's pictures.
    Filming {
        /// Which job.
        job: JobId,
    },
    /// That has ended.
    FilmingEnded {
        /// Which job.
        job: JobId,
    },
    /// A node is left alone for a while.
    NodeRests {
        /// Which node.
        node: NodeId,
        /// Until when, on the clock of [`crate::Now::since_start`].
        until: Duration,
        /// Why.
        failure: Failure,
    },
}
