//! A simulated agent: a queue, a spool, one Blender, and what it would tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use farmhand_protocol::agent::{
    BatchPhase, BatchReport, FailedFrame, FinishedFrame, FrameFile, NodeInfo, Proof, StartBatch,
};
use farmhand_protocol::{
    BatchId, BatchKey, BlobHash, BootId, Device, EventId, Failure, Frame, FrameSet, NodeId, SceneHash,
};
use uuid::Uuid;

use crate::made_up;

/// One agent and its machine.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own that may fail"
)]
pub(super) struct Agent {
    pub(super) speed: f64,
    /// Its process runs.
    pub(super) is_up: bool,
    /// Nothing reaches it, and nothing of it is heard.
    pub(super) is_cut_off: bool,
    /// Fails every frame.
    pub(super) is_broken: bool,
    pub(super) has_files: BTreeSet<SceneHash>,
    /// What its Blender has loaded.
    pub(super) loaded: Option<SceneHash>,
    pub(super) has_blender: bool,
    pub(super) batches: BTreeMap<BatchId, Held>,
    pub(super) queue: VecDeque<BatchId>,
    pub(super) running: Option<BatchId>,
    pub(super) rendering: Option<Rendering>,
    pub(super) boots: u64,
    /// Since when it has had nothing to render, and how long that was in all, in seconds.
    pub(super) idle_since: Option<f64>,
    pub(super) idle: f64,
}

/// The frame that it renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rendering {
    pub(super) batch: BatchId,
    pub(super) frame: Frame,
    /// Tells this try of this frame from every other.
    pub(super) token: u64,
}

pub(super) struct Held {
    start: StartBatch,
    waiting: VecDeque<Frame>,
    finished: BTreeMap<Frame, u64>,
    acknowledged: BTreeSet<Frame>,
    failed: BTreeMap<Frame, Failure>,
    has_ended: bool,
}

impl Agent {
    pub(super) fn info(&self, n: usize) -> NodeInfo {
        let last_event = EventId {
            boot: BootId(self.boots),
            seq: 0,
        };
        made_up::node(node_id(n), format!("node-{n}"), last_event)
    }

    /// Takes a batch; repeating it changes nothing.
    pub(super) fn accept(&mut self, start: StartBatch) {
        let id = start.batch;
        if self.batches.contains_key(&id) {
            return;
        }
        let before = start.before;
        let place = before.and_then(|before| self.queue.iter().position(|waits| *waits == before));
        let is_running = before.is_some() && before == self.running;
        let place = if is_running { Some(0) } else { place };
        self.queue.insert(place.unwrap_or(self.queue.len()), id);
        let held = Held {
            waiting: start.frames.iter().collect(),
            start,
            finished: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            failed: BTreeMap::new(),
            has_ended: false,
        };
        self.batches.insert(id, held);
    }

    /// The next frame, if it renders none and has one.
    pub(super) fn take(&mut self) -> Option<(BatchId, Frame, SceneHash)> {
        if !self.is_up || self.rendering.is_some() {
            return None;
        }
        loop {
            let id = match self.running {
                Some(id) => id,
                None => *self.running.insert(self.queue.pop_front()?),
            };
            let next = self.batches.get_mut(&id).filter(|held| !held.has_ended);
            if let Some(held) = next
                && let Some(frame) = held.waiting.pop_front()
            {
                return Some((id, frame, held.start.scene));
            }
            self.running = None;
        }
    }

    /// The frame is in the spool. Says whether the batch has ended with it.
    pub(super) fn finish(&mut self, batch: BatchId, frame: Frame, ms: u64) -> bool {
        self.rendering = None;
        let Some(held) = self.batches.get_mut(&batch) else {
            return false;
        };
        held.finished.insert(frame, ms);
        held.has_ended = held.waiting.is_empty();
        held.has_ended
    }

    /// The frame failed. Says whether the batch has ended with it.
    pub(super) fn fail(&mut self, batch: BatchId, frame: Frame, failure: Failure) -> bool {
        self.rendering = None;
        let Some(held) = self.batches.get_mut(&batch) else {
            return false;
        };
        held.failed.insert(frame, failure);
        held.has_ended = held.waiting.is_empty();
        held.has_ended
    }

    pub(super) fn revoke(&mut self, batch: BatchId, frames: &FrameSet) -> FrameSet {
        let Some(held) = self.batches.get_mut(&batch) else {
            return FrameSet::default();
        };
        let waits = held.waiting.iter().copied();
        let revoked: FrameSet = waits.filter(|frame| frames.contains(*frame)).collect();
        held.waiting.retain(|frame| !revoked.contains(*frame));
        held.start.frames = held.start.frames.difference(&revoked);
        revoked
    }

    pub(super) fn drop_batch(&mut self, batch: BatchId) {
        self.batches.remove(&batch);
        self.queue.retain(|waits| *waits != batch);
        self.running = self.running.filter(|running| *running != batch);
        self.rendering = self.rendering.filter(|now| now.batch != batch);
    }

    pub(super) fn has_finished(&self, batch: BatchId, frame: Frame) -> bool {
        let held = self.batches.get(&batch);
        held.is_some_and(|held| held.finished.contains_key(&frame))
    }

    pub(super) fn acknowledge(&mut self, batch: BatchId, frame: Frame) {
        if let Some(held) = self.batches.get_mut(&batch) {
            held.finished.remove(&frame);
            held.acknowledged.insert(frame);
        }
    }

    /// Its process dies: its spool is all that it has when it comes back.
    pub(super) fn die(&mut self) {
        self.is_up = false;
        self.has_blender = false;
        self.loaded = None;
        self.rendering = None;
        self.running = None;
        self.queue.clear();
        self.batches.values_mut().for_each(|held| held.has_ended = true);
    }

    pub(super) fn reports(&self) -> Vec<BatchReport> {
        let reports = self.batches.iter().map(|(id, held)| {
            let rendering = self.rendering.filter(|now| now.batch == *id);
            let phase = match (held.has_ended, held.waiting.is_empty()) {
                (true, true) => BatchPhase::Completed,
                (true, false) => BatchPhase::Interrupted,
                (false, _) if rendering.is_some() => BatchPhase::Rendering,
                (false, _) => BatchPhase::Queued,
            };
            BatchReport {
                key: BatchKey {
                    farm: held.start.farm,
                    batch: *id,
                },
                epoch: held.start.epoch,
                job: held.start.job,
                scene: held.start.scene,
                phase,
                frames: held.start.frames.clone(),
                waiting: held.waiting.iter().copied().collect(),
                rendering: rendering.map(|now| now.frame),
                finished: held
                    .finished
                    .iter()
                    .map(|(frame, ms)| finished(*frame, *ms))
                    .collect(),
                acknowledged: held.acknowledged.iter().copied().collect(),
                failed: held
                    .failed
                    .iter()
                    .map(|(frame, failure)| FailedFrame {
                        frame: *frame,
                        failure: failure.clone(),
                    })
                    .collect(),
                blender: None,
            }
        });
        reports.collect()
    }
}

pub(super) fn node_id(n: usize) -> NodeId {
    NodeId(Uuid::from_u128(n as u128 + 1))
}

pub(super) fn number_of(node: NodeId) -> usize {
    usize::try_from(node.0.as_u128()).map_or(0, |n| n - 1)
}

pub(super) fn finished(frame: Frame, ms: u64) -> FinishedFrame {
    let path = format!("{:04}.png", frame.get())
        .parse()
        .expect("digits make a path");
    FinishedFrame {
        frame,
        files: vec![FrameFile {
            path,
            hash: BlobHash([0; 32]),
            size: 2_000_000,
            proof: Proof::default(),
        }],
        render_ms: ms,
        peak_memory_bytes: 0,
        film: None,
        device: Device::Cpu,
    }
}
