//! Jobs and their batches.

use std::collections::{BTreeMap, VecDeque};

use farmhand_protocol::agent::{Film, FrameFile};
use farmhand_protocol::farm::{BatchState, JobState};
use farmhand_protocol::{
    BatchId, BlenderVersion, Failure, Frame, FrameSet, JobId, NodeId, RenderSettings, SceneHash,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pace::Pace;
use crate::table::{Durable, FrameTable};

/// What was asked for, settled where the request left it open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Shown, and what the pictures' names start with.
    pub name: String,
    /// Who asked.
    pub user: String,
    /// What to render.
    pub scene: SceneHash,
    /// Which frames; empty only where all were skipped.
    pub frames: FrameSet,
    /// Frames whose pictures were there already.
    #[serde(default, skip_serializing_if = "FrameSet::is_empty")]
    pub skipped: FrameSet,
    /// How to render them.
    pub settings: RenderSettings,
    /// Higher goes first.
    pub priority: i32,
    /// Absolute folder of the pictures, claimed for this job.
    pub output: String,
    /// The Blender that wrote the scene.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<BlenderVersion>,
    /// Tags that a node must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Frames of a batch, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Nothing is handed out before this job is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<JobId>,
    /// Nodes that may work on it at one time, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<u32>,
    /// The first, the last and each so-manieth frame are handed out before the others; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<u32>,
    /// Whether a film for looking is made of its pictures at its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub video: bool,
}

impl JobSpec {
    /// Whether a Blender that is loaded for one job is loaded for the other: settings are part of what it loads.
    pub(crate) fn loads_as(&self, other: &Self) -> bool {
        self.scene == other.scene && self.settings == other.settings
    }
}

/// Films that were made of a job's pictures, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilmsMade {
    /// Paths relative to the job's folder.
    pub files: Vec<FrameFile>,
    /// What kept one from being made, or what it lacks.
    pub problem: Option<String>,
}

/// A job and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for.
    pub spec: JobSpec,
    /// The name that is shown; pictures keep the one in `spec`.
    pub name: String,
    /// Now.
    pub priority: i32,
    /// A person holds it.
    pub paused: bool,
    /// Its frames.
    pub frames: FrameTable,
    /// The Blender that all its frames use, once chosen.
    pub blender: Option<BlenderVersion>,
    /// Nodes that get nothing more of it, and what showed that.
    pub excluded: BTreeMap<NodeId, Failure>,
    /// Nodes that fail frames which others render, and until when they get nothing of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bans: BTreeMap<NodeId, Ban>,
    /// Frames that failed on a node since it last rendered one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) streaks: BTreeMap<NodeId, u32>,
    /// Why frames failed, the latest.
    pub last_failure: Option<Failure>,
    /// Batches that ended, newest last, at most [`Job::KEPT_BATCHES`].
    pub(crate) ended_batches: VecDeque<(BatchId, Batch)>,
    /// Failed attempts, newest last, at most [`Job::KEPT_ATTEMPTS`].
    pub(crate) attempts: VecDeque<Attempt>,
    /// How its pictures become a film, once a frame has told.
    #[serde(default)]
    pub film: Option<Film>,
    /// Whether a film for looking is wanted.
    #[serde(default)]
    pub video: bool,
    /// What came of its films; nothing while they are still to be made.
    #[serde(default)]
    pub films: Option<FilmsMade>,
    /// Render time of all delivered frames together, in milliseconds.
    pub render_ms: u64,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// When its first batch was handed out.
    pub started: Option<Timestamp>,
    /// When its last frame settled.
    pub ended: Option<Timestamp>,
    /// What was measured of it since this start.
    #[serde(skip)]
    pub(crate) pace: Pace,
}

/// A node gets nothing of a job for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ban {
    /// Until then.
    pub until: Timestamp,
    /// How often it was banned for this job, this time included.
    pub times: u32,
    /// What showed it.
    pub failure: Failure,
}

/// A failed attempt, remembered to be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) frame: Frame,
    pub(crate) batch: BatchId,
    pub(crate) node: NodeId,
    pub(crate) at: Timestamp,
    pub(crate) failure: Failure,
}

impl Job {
    /// Ended batches that are kept to be shown.
    pub const KEPT_BATCHES: usize = 500;
    /// Failed attempts that are kept to be shown.
    pub const KEPT_ATTEMPTS: usize = 100;

    pub(crate) fn new(spec: JobSpec, at: Timestamp) -> Self {
        let frames = FrameTable::new(spec.frames.clone(), early_frames(&spec));
        let ended = frames.is_settled().then_some(at);
        Self {
            name: spec.name.clone(),
            priority: spec.priority,
            paused: false,
            frames,
            blender: None,
            excluded: BTreeMap::new(),
            bans: BTreeMap::new(),
            streaks: BTreeMap::new(),
            last_failure: None,
            ended_batches: VecDeque::new(),
            attempts: VecDeque::new(),
            film: None,
            video: spec.video,
            films: None,
            render_ms: 0,
            submitted: at,
            started: None,
            ended,
            pace: Pace::default(),
            spec,
        }
    }

    /// Where it stands: derived from its frames, so that it cannot disagree with them.
    pub fn state(&self) -> JobState {
        if self.frames.is_settled() {
            let failed = self.frames.count(Durable::Failed) > 0;
            let cancelled = self.frames.count(Durable::Cancelled) > 0;
            return match (failed, cancelled) {
                (true, _) => JobState::Failed,
                (false, true) => JobState::Cancelled,
                (false, false) => JobState::Completed,
            };
        }
        if self.paused {
            JobState::Paused
        } else if self.frames.count(Durable::Leased) > 0 {
            JobState::Running
        } else {
            JobState::Waiting
        }
    }

    /// Whether its pictures are to become a film.
    pub fn wants_film(&self) -> bool {
        self.video || self.film.as_ref().is_some_and(|film| film.movie.is_some())
    }

    /// What a film is to be made of now: all pictures are there, and it was not made yet.
    pub(crate) fn film_to_make(&self) -> Option<&Film> {
        let due = self.films.is_none() && self.wants_film() && self.state() == JobState::Completed;
        self.film.as_ref().filter(|_| due)
    }

    pub(crate) fn keep_ended(&mut self, id: BatchId, batch: Batch) {
        if self.ended_batches.len() == Self::KEPT_BATCHES {
            self.ended_batches.pop_front();
        }
        self.ended_batches.push_back((id, batch));
    }

    pub(crate) fn keep_attempt(&mut self, attempt: Attempt) {
        if self.attempts.len() == Self::KEPT_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.last_failure = Some(attempt.failure.clone());
        self.attempts.push_back(attempt);
    }
}

/// The first, the last and each so-manieth frame, where a preview was asked for.
fn early_frames(spec: &JobSpec) -> FrameSet {
    let Some(every) = spec.preview.filter(|every| *every > 0) else {
        return FrameSet::default();
    };
    let numbered = spec.frames.iter().zip(0_u32..);
    let chosen = numbered.filter(|(frame, n)| n.is_multiple_of(every) || Some(*frame) == spec.frames.last());
    chosen.map(|(frame, _)| frame).collect()
}

/// Frames handed to one node at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Of which job.
    pub job: JobId,
    /// On which node.
    pub node: NodeId,
    /// All its frames.
    pub frames: FrameSet,
    /// Frames neither delivered, failed, returned nor cancelled; empty once it has ended.
    pub open: FrameSet,
    /// Frames it delivered.
    pub delivered: FrameSet,
    /// Frames that failed in it.
    pub failed: FrameSet,
    /// Render time of the frames it delivered together, in milliseconds.
    #[serde(default)]
    pub render_ms: u64,
    /// Why it went to this node.
    pub why: String,
    /// When it was handed out.
    pub assigned: Timestamp,
    /// How and when it ended.
    pub ended: Option<(BatchState, Timestamp)>,
    /// Its frame is rendered by that batch too, because it is among a job's last: the first one to deliver it
    /// wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<BatchId>,
}
