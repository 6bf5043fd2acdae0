//! One batch, from accepted to ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchKey, BlenderVersion, Frame, FrameSet};

use super::sharing::Look;
use crate::store::Recovered;

/// A batch and where its frames stand.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) request: StartBatch,
    pub(super) look: Look,
    pub(super) stage: Stage,
    waiting: Waiting,
    finished: BTreeMap<Frame, FinishedFrame>,
    failed: Vec<FailedFrame>,
    acknowledged: BTreeSet<Frame>,
    revoked: FrameSet,
    pub(super) blender: Option<BlenderVersion>,
    /// What its frame that finished last took.
    last: Option<Took>,
}

/// What a frame took.
#[derive(Debug, Clone, Copy)]
struct Took {
    time: Duration,
    memory_bytes: u64,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Queued,
    Running {
        /// `Loading` or `Rendering`.
        phase: BatchPhase,
        /// The frame that a slot works on.
        frame: Option<Frame>,
        /// How it will end, once that is settled.
        ending: Option<BatchPhase>,
    },
    Ended(BatchPhase),
}

/// Frames that nobody has begun: the rest of a set behind a place in it.
#[derive(Debug)]
struct Waiting {
    frames: FrameSet,
    next: u32,
}

impl Waiting {
    fn rest(&self) -> FrameSet {
        if self.next == 0 {
            return self.frames.clone();
        }
        (self.next..self.frames.len())
            .filter_map(|n| self.frames.nth(n))
            .collect()
    }

    fn take(&mut self) -> Option<Frame> {
        let frame = self.frames.nth(self.next)?;
        self.next += 1;
        Some(frame)
    }

    fn is_empty(&self) -> bool {
        self.next >= self.frames.len()
    }
}

impl Batch {
    pub(super) fn new(request: StartBatch) -> Self {
        let frames = request.frames.clone();
        Self {
            look: Look::of(&request),
            request,
            stage: Stage::Queued,
            waiting: Waiting { frames, next: 0 },
            finished: BTreeMap::new(),
            failed: Vec::new(),
            acknowledged: BTreeSet::new(),
            revoked: FrameSet::default(),
            blender: None,
            last: None,
        }
    }

    /// A batch of an earlier run; one that had not ended was interrupted.
    pub(super) fn recovered(from: Recovered) -> Self {
        let begun: FrameSet = from
            .finished
            .iter()
            .map(|done| done.frame)
            .chain(from.failed.iter().map(|failed| failed.frame))
            .chain(from.acknowledged.iter().copied())
            .collect();
        let frames = from.request.frames.difference(&begun).difference(&from.revoked);
        Self {
            stage: Stage::Ended(from.ended.unwrap_or(BatchPhase::Interrupted)),
            waiting: Waiting { frames, next: 0 },
            finished: from.finished.into_iter().map(|done| (done.frame, done)).collect(),
            failed: from.failed,
            acknowledged: from.acknowledged.into_iter().collect(),
            revoked: from.revoked,
            blender: None,
            last: None,
            look: Look::of(&from.request),
            request: from.request,
        }
    }

    pub(super) fn phase(&self) -> BatchPhase {
        match self.stage {
            Stage::Queued => BatchPhase::Queued,
            Stage::Running { phase, .. } | Stage::Ended(phase) => phase,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// The next frame for the slot that runs it; nothing when it is to end.
    pub(super) fn take(&mut self) -> Option<Frame> {
        match &mut self.stage {
            Stage::Running {
                frame, ending: None, ..
            } => {
                *frame = self.waiting.take();
                *frame
            }
            _ => None,
        }
    }

    /// Takes back what has not begun.
    pub(super) fn revoke(&mut self, frames: &FrameSet) -> FrameSet {
        if self.has_ended() {
            return FrameSet::default();
        }
        let rest = self.waiting.rest();
        let revoked = rest.intersection(frames);
        self.waiting = Waiting {
            frames: rest.difference(&revoked),
            next: 0,
        };
        self.revoked = self.revoked.union(&revoked);
        revoked
    }

    pub(super) fn nothing_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no frame of it waits, or all that do will probably have begun within that time.
    pub(super) fn is_nearly_begun(&self, within: Duration) -> bool {
        let waiting = self.waiting.frames.len().saturating_sub(self.waiting.next);
        waiting == 0
            || self
                .last
                .is_some_and(|last| last.time.saturating_mul(waiting) <= within)
    }

    /// Most memory that a Blender took for its last frame, in bytes; 0 where that is not known.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.last.map_or(0, |last| last.memory_bytes)
    }

    pub(super) fn finish(&mut self, finished: FinishedFrame) {
        self.put_down();
        self.last = Some(Took {
            time: Duration::from_millis(finished.render_ms),
            memory_bytes: finished.peak_memory_bytes,
        });
        self.finished.insert(finished.frame, finished);
    }

    pub(super) fn fail(&mut self, failed: FailedFrame) {
        self.put_down();
        self.failed.push(failed);
    }

    fn put_down(&mut self) {
        if let Stage::Running { frame, .. } = &mut self.stage {
            *frame = None;
        }
    }

    /// Whether it is settled how it will end.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Running { ending: Some(_), .. })
    }

    /// Whether its frames are being rendered, one after the other, and shall be.
    pub(super) fn is_rendering(&self) -> bool {
        let rendering = BatchPhase::Rendering;
        matches!(self.stage, Stage::Running { phase, ending: None, .. } if phase == rendering)
    }

    /// A frame that was begun and did not end waits again.
    pub(super) fn put_back(&mut self) {
        if let Stage::Running { frame, .. } = &mut self.stage
            && let Some(frame) = frame.take()
        {
            self.waiting = Waiting {
                frames: self.waiting.rest().union(&frame.into()),
                next: 0,
            };
        }
    }

    /// Whether the frame was finished and is now brought home; false where it already was, or never was here.
    pub(super) fn acknowledge(&mut self, frame: Frame) -> bool {
        self.finished.remove(&frame).is_some() && self.acknowledged.insert(frame)
    }

    pub(super) fn knows(&self, frame: Frame) -> bool {
        self.acknowledged.contains(&frame) || self.finished.contains_key(&frame)
    }

    pub(super) fn spooled_bytes(&self) -> u64 {
        let files = self.finished.values().flat_map(|done| &done.files);
        files.map(|file| file.size).sum()
    }

    pub(super) fn finished(&self, frame: Frame) -> Option<&FinishedFrame> {
        self.finished.get(&frame)
    }

    pub(super) fn first_failure(&self) -> Option<&FailedFrame> {
        self.failed.first()
    }

    /// Forgets finished frames: nothing of a cancelled batch is kept.
    pub(super) fn drop_finished(&mut self) {
        self.finished.clear();
    }

    pub(super) fn holds_frames(&self) -> bool {
        !self.finished.is_empty()
    }

    pub(super) fn report(&self, key: BatchKey) -> BatchReport {
        let rendering = match self.stage {
            Stage::Running { frame, .. } => frame,
            Stage::Queued | Stage::Ended(_) => None,
        };
        BatchReport {
            key,
            epoch: self.request.epoch,
            job: self.request.job,
            scene: self.request.scene,
            phase: self.phase(),
            frames: if self.revoked.is_empty() {
                self.request.frames.clone()
            } else {
                self.request.frames.difference(&self.revoked)
            },
            waiting: self.waiting.rest(),
            rendering,
            finished: self.finished.values().cloned().collect(),
            acknowledged: self.acknowledged.iter().copied().collect(),
            failed: self.failed.clone(),
            blender: self.blender,
        }
    }
}
