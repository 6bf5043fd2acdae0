//! All batches of an agent: an ordered queue, slots, and what callers may do.

mod slots;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchKey, Epoch, FarmId, Frame, FrameSet, SceneHash};

use super::batch::{Batch, Stage};
use super::change::{Cancelled, Change, StartError};
use super::seat::Seat;
use super::sharing::{Look, Sharing};
use crate::store::Recovered;

/// Most batches that may wait; an orchestrator sends one or two for each slot.
const MOST_QUEUED: usize = 1_000;
/// Batches that ended and hold no frames: the oldest beyond this many are forgotten.
const MOST_ENDED: usize = 1_000;
/// Names of forgotten batches that are remembered, so that a late repetition starts nothing.
const MOST_FORGOTTEN: usize = 20_000;

/// Every batch that the agent answers for.
#[derive(Debug)]
pub(crate) struct Batches {
    all: HashMap<BatchKey, Batch>,
    queue: VecDeque<BatchKey>,
    running: BTreeMap<u32, BatchKey>,
    seats: BTreeMap<u32, Seat>,
    sharing: Sharing,
    /// What the batch renders that began last.
    newest: Option<Look>,
    /// The number of slots that was told last.
    told: u32,
    epochs: HashMap<FarmId, Epoch>,
    ended: VecDeque<BatchKey>,
    forgotten: Forgotten,
}

#[derive(Debug, Default)]
struct Forgotten {
    names: HashSet<BatchKey>,
    order: VecDeque<BatchKey>,
}

impl Batches {
    /// No batches yet. `epochs` are the highest seen of each farm.
    pub(crate) fn new(sharing: Sharing, epochs: HashMap<FarmId, Epoch>) -> Self {
        Self {
            all: HashMap::new(),
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            seats: BTreeMap::new(),
            told: sharing.blenders(None),
            sharing,
            newest: None,
            epochs,
            ended: VecDeque::new(),
            forgotten: Forgotten::default(),
        }
    }

    /// Takes a batch of an earlier run back into the list.
    pub(crate) fn recover(&mut self, recovered: Recovered) {
        let key = key(&recovered.request);
        self.all.insert(key, Batch::recovered(recovered));
        self.ended.push_back(key);
    }

    /// Accepts a batch; repeating the same one changes nothing.
    ///
    /// # Errors
    /// When it is refused; nothing changes then.
    pub(crate) fn start(&mut self, request: StartBatch) -> Result<Vec<Change>, StartError> {
        let key = key(&request);
        let seen = self.epochs.get(&request.farm).copied().unwrap_or_default();
        if request.epoch < seen {
            return Err(StartError::StaleEpoch { seen });
        }
        if let Some(here) = self.all.get(&key) {
            let same = StartBatch {
                epoch: here.request.epoch,
                sources: here.request.sources.clone(),
                before: here.request.before,
                ..request
            };
            return if same == here.request {
                Ok(Vec::new())
            } else {
                Err(StartError::Different(key))
            };
        }
        if self.forgotten.names.contains(&key) {
            return Err(StartError::Forgotten(key));
        }
        if request.frames.is_empty() {
            return Err(StartError::NoFrames);
        }
        if self.queue.len() >= MOST_QUEUED {
            return Err(StartError::QueueFull(self.queue.len()));
        }
        let mut changes = Vec::new();
        if request.epoch > seen {
            self.epochs.insert(request.farm, request.epoch);
            changes.push(Change::Epoch(request.farm, request.epoch));
        }
        self.queue.insert(self.place(&request), key);
        self.all.insert(key, Batch::new(request.clone()));
        changes.extend([
            Change::Accepted(Box::new(request)),
            Change::Phase(key, BatchPhase::Queued),
            Change::Wake,
        ]);
        Ok(changes)
    }

    /// Accepts a batch only where it runs at once.
    ///
    /// # Errors
    /// As [`Self::start`], and when every slot is taken.
    pub(crate) fn start_at_once(&mut self, request: StartBatch) -> Result<Vec<Change>, StartError> {
        let blenders = self.sharing.blenders(Some(Look::of(&request)));
        if self.queue.is_empty() && self.at_work() < blenders {
            self.start(request)
        } else {
            Err(StartError::NoFreeSlot)
        }
    }

    /// Where in the queue a batch belongs. One that should go before a batch that already runs goes first.
    fn place(&self, request: &StartBatch) -> usize {
        let Some(batch) = request.before else {
            return self.queue.len();
        };
        let before = BatchKey {
            farm: request.farm,
            batch,
        };
        let waits = self.queue.iter().position(|key| *key == before);
        let started = self.running.values().any(|key| *key == before);
        waits.unwrap_or(if started { 0 } else { self.queue.len() })
    }

    /// Cancels a batch, or forgets one that has ended; nothing if it is unknown.
    pub(crate) fn cancel(&mut self, key: BatchKey) -> Option<(Cancelled, Vec<Change>)> {
        let batch = self.all.get_mut(&key)?;
        match &mut batch.stage {
            Stage::Queued => {
                self.queue.retain(|waiting| *waiting != key);
                Some((Cancelled::Ended, self.end(key, BatchPhase::Cancelled)))
            }
            Stage::Running { ending, .. } => {
                let again = *ending == Some(BatchPhase::Cancelled);
                *ending = Some(BatchPhase::Cancelled);
                let changes = if again {
                    Vec::new()
                } else {
                    vec![Change::Stop(key)]
                };
                Some((Cancelled::Stopping, changes))
            }
            Stage::Ended(_) => {
                self.ended.retain(|ended| *ended != key);
                Some((Cancelled::Forgotten, vec![self.forget(key)]))
            }
        }
    }

    /// Takes back frames that have not begun; nothing if the batch is unknown.
    pub(crate) fn revoke(&mut self, key: BatchKey, frames: &FrameSet) -> Option<(FrameSet, Vec<Change>)> {
        let batch = self.all.get_mut(&key)?;
        let revoked = batch.revoke(frames);
        let mut changes = Vec::new();
        if !revoked.is_empty() {
            changes.push(Change::Revoked(key, revoked.clone()));
        }
        if batch.stage == Stage::Queued && batch.nothing_waits() {
            self.queue.retain(|waiting| *waiting != key);
            changes.extend(self.end(key, BatchPhase::Completed));
        }
        Some((revoked, changes))
    }

    /// A frame was brought home; may be told again. Nothing if the batch or the frame is unknown.
    pub(crate) fn acknowledge(&mut self, key: BatchKey, frame: Frame) -> Option<Vec<Change>> {
        let batch = self.all.get_mut(&key)?;
        if !batch.knows(frame) {
            return None;
        }
        let news = batch.acknowledge(frame);
        Some(if news {
            vec![Change::Acknowledged(key, frame)]
        } else {
            Vec::new()
        })
    }

    /// Bytes of finished frames that wait to be brought home.
    pub(crate) fn spooled_bytes(&self) -> u64 {
        self.all.values().map(Batch::spooled_bytes).sum()
    }

    /// A finished frame that is in the spool.
    pub(crate) fn finished(&self, key: BatchKey, frame: Frame) -> Option<&FinishedFrame> {
        self.all.get(&key)?.finished(frame)
    }

    /// The first failed frame of a batch.
    pub(crate) fn first_failure(&self, key: BatchKey) -> Option<&FailedFrame> {
        self.all.get(&key)?.first_failure()
    }

    /// Where a batch stands.
    pub(crate) fn phase(&self, key: BatchKey) -> Option<BatchPhase> {
        self.all.get(&key).map(Batch::phase)
    }

    /// The report of one batch.
    pub(crate) fn report(&self, key: BatchKey) -> Option<BatchReport> {
        self.all.get(&key).map(|batch| batch.report(key))
    }

    /// Reports of all batches.
    pub(crate) fn reports(&self) -> Vec<BatchReport> {
        let mut keys: Vec<BatchKey> = self.all.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.report(key)).collect()
    }

    /// How many batches there are in each of queue, slots, and the past.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.queue.len(), self.running.len(), self.ended.len())
    }

    /// Scenes that are, or will be, rendered.
    pub(crate) fn scenes_in_use(&self) -> HashSet<SceneHash> {
        let live = self.queue.iter().chain(self.running.values());
        live.filter_map(|key| self.all.get(key))
            .map(|batch| batch.request.scene)
            .collect()
    }

    fn end(&mut self, key: BatchKey, phase: BatchPhase) -> Vec<Change> {
        if let Some(batch) = self.all.get_mut(&key) {
            batch.put_back();
            batch.stage = Stage::Ended(phase);
            if phase == BatchPhase::Cancelled {
                batch.drop_finished();
            }
        }
        self.ended.push_back(key);
        let mut changes = vec![Change::Ended(key, phase), Change::Wake];
        changes.extend(self.forget_oldest());
        changes
    }

    /// Keeps the list of what has ended within bounds; what still holds frames is never dropped.
    fn forget_oldest(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut place = 0;
        while self.ended.len() > MOST_ENDED && place < self.ended.len() {
            let key = self.ended[place];
            if self.all.get(&key).is_some_and(Batch::holds_frames) {
                place += 1;
            } else {
                self.ended.remove(place);
                changes.push(self.forget(key));
            }
        }
        changes
    }

    fn forget(&mut self, key: BatchKey) -> Change {
        self.all.remove(&key);
        if self.forgotten.names.insert(key) {
            self.forgotten.order.push_back(key);
        }
        if self.forgotten.order.len() > MOST_FORGOTTEN
            && let Some(oldest) = self.forgotten.order.pop_front()
        {
            self.forgotten.names.remove(&oldest);
        }
        Change::Forgotten(key)
    }
}

fn key(request: &StartBatch) -> BatchKey {
    BatchKey {
        farm: request.farm,
        batch: request.batch,
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
