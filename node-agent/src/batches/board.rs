//! All batches of an agent: an ordered queue, slots, and what callers may do.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use farmhand_protocol::agent::{BatchPhase, BatchReport, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{
    BatchKey, Blame, BlenderVersion, Device, Epoch, FailureKind, FarmId, Frame, FrameSet, SceneHash,
};

use super::batch::{Batch, Stage};
use super::seat::{Manner, Seat};
use super::sharing::{Lesson, Look, Share, Sharing, Told};
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

    /// Blenders that may run at a time: as many as render the look of the batch that began last.
    pub(crate) fn slots(&self) -> u32 {
        self.sharing.blenders(self.newest)
    }

    /// Most Blenders that may ever run at a time.
    pub(crate) fn most_slots(&self) -> u32 {
        self.sharing.most()
    }

    /// What each Blender has while all slots are at work.
    pub(crate) fn share_of_each(&self) -> Share {
        self.sharing.share(self.slots(), self.slots())
    }

    /// Whether a batch like those before that starts now runs at once.
    pub(crate) fn has_free_slot(&self) -> bool {
        self.queue.is_empty() && self.at_work() < self.slots()
    }

    fn at_work(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
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

    /// Hands the first waiting batch to a slot that has none. Where fewer Blenders are to render it than are at work,
    /// it waits until that many have ended, and so do those behind it.
    pub(crate) fn next(&mut self, slot: u32) -> Option<(StartBatch, Vec<Change>)> {
        let key = *self.queue.front()?;
        let look = self.all.get(&key)?.look;
        let blenders = self.sharing.blenders(Some(look));
        if self.running.contains_key(&slot) || slot >= blenders || self.at_work() >= blenders {
            return None;
        }
        self.queue.pop_front();
        let batch = self.all.get_mut(&key)?;
        batch.stage = Stage::Running {
            phase: BatchPhase::Loading,
            frame: None,
            ending: None,
        };
        let request = batch.request.clone();
        self.running.insert(slot, key);
        self.newest = Some(look);
        let mut changes = vec![Change::Phase(key, BatchPhase::Loading)];
        changes.extend(self.other_slots());
        if !self.queue.is_empty() {
            changes.push(Change::Wake); // What is first now may suit a slot that the one before did not.
        }
        Some((request, changes))
    }

    /// Tells the number of slots where it is another one.
    fn other_slots(&mut self) -> Option<Change> {
        let slots = self.slots();
        (std::mem::replace(&mut self.told, slots) != slots).then_some(Change::Slots(slots))
    }

    /// The batch that runs next, where the slots that will be free within that time have other scenes loaded.
    pub(crate) fn to_load_ahead(&self, within: Duration) -> Option<LoadAhead> {
        let key = *self.queue.front()?;
        let next = self.all.get(&key)?;
        let blenders = self.sharing.blenders(Some(next.look));
        // Of those at work so many must end; where that is none, a free slot takes it right now.
        let to_end = (self.at_work() + 1)
            .checked_sub(blenders)
            .filter(|to_end| *to_end > 0)?;
        let running = || self.running.values().filter_map(|key| self.all.get(key));
        let soon_free = || running().filter(|batch| batch.is_nearly_begun(within));
        let is_soon = soon_free().count() >= to_end as usize;
        (is_soon && !soon_free().any(|batch| batch.look == next.look)).then(|| LoadAhead {
            key,
            request: next.request.clone(),
            heaviest_bytes: running().map(Batch::memory_bytes).max().unwrap_or_default(),
            memory_bytes: self.sharing.share(blenders, blenders).memory_bytes,
        })
    }

    /// What the Blender of a slot has for the frame that the slot has taken. The last frames of a look, beside which
    /// none wait, share the threads among fewer.
    pub(crate) fn share(&mut self, slot: u32) -> Share {
        let at_work = self.at_work();
        let taken = self
            .of_slot(slot)
            .map(|(_, batch)| (batch.look, batch.nothing_waits()));
        let Some((look, is_last)) = taken else {
            return self.share_of_each();
        };
        let blenders = self.sharing.blenders(Some(look));
        let waiting = self.queue.iter().filter_map(|key| self.all.get(key));
        let coming = waiting.take_while(|batch| batch.look == look).count();
        let coming = u32::try_from(coming).unwrap_or(u32::MAX);
        let busy = at_work.saturating_add(coming).min(blenders).max(at_work);
        let seat = self.seats.entry(slot).or_default();
        let has_room = seat.still_has_room(busy < blenders) || is_last;
        let of_threads = if has_room { busy } else { busy.max(blenders) };
        seat.take(Manner { look, of_threads });
        self.sharing.share(of_threads, blenders.max(at_work))
    }

    /// How many Blenders are to render a look, where just so many do, and nothing else.
    fn full(&self, look: Look) -> Option<u32> {
        let blenders = self.sharing.blenders(Some(look));
        let mut running = self.running.values().filter_map(|key| self.all.get(key));
        let alike = running.all(|batch| batch.look == look && batch.is_rendering());
        (alike && self.at_work() == blenders).then_some(blenders)
    }

    /// The next frame of the slot's batch; nothing when the slot shall end it.
    pub(crate) fn take_frame(&mut self, slot: u32) -> Option<Frame> {
        self.of_slot(slot)?.1.take()
    }

    /// The slot knows which Blender renders its batch.
    pub(crate) fn renders_with(&mut self, slot: u32, blender: BlenderVersion) {
        if let Some((_, batch)) = self.of_slot(slot) {
            batch.blender = Some(blender);
        }
    }

    /// The slot's frame began.
    pub(crate) fn frame_started(&mut self, slot: u32, frame: Frame) -> Vec<Change> {
        let Some((key, batch)) = self.of_slot(slot) else {
            return Vec::new();
        };
        let look = batch.look;
        let mut changes = Vec::new();
        if let Stage::Running { phase, .. } = &mut batch.stage
            && *phase == BatchPhase::Loading
        {
            *phase = BatchPhase::Rendering;
            changes.push(Change::Phase(key, BatchPhase::Rendering));
        }
        changes.push(Change::Started(key, frame));
        let full = self.full(look);
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.begin(full);
        }
        changes
    }

    /// The slot's frame is in the spool. `took` is its whole time where its scene had been loaded before.
    pub(crate) fn frame_finished(
        &mut self,
        slot: u32,
        finished: FinishedFrame,
        took: Option<Duration>,
    ) -> Vec<Change> {
        let Some(look) = self.of_slot(slot).map(|(_, batch)| batch.look) else {
            return Vec::new();
        };
        let full = self.full(look);
        let seat = self.seats.get_mut(&slot);
        let is_comparable = seat.is_some_and(|seat| seat.finish(full));
        let lesson = self.sharing.hear(Told {
            look,
            memory_bytes: finished.peak_memory_bytes,
            on_cpu: finished.device == Device::Cpu,
            measured: took.filter(|_| is_comparable),
        });
        let mut changes = Vec::new();
        if let Some((key, batch)) = self.of_slot(slot) {
            batch.finish(finished.clone());
            changes.push(Change::Finished(key, finished));
        }
        changes.extend(self.learnt(lesson));
        changes
    }

    fn learnt(&mut self, lesson: Option<Lesson>) -> Vec<Change> {
        let Some(lesson) = lesson else {
            return Vec::new();
        };
        let mut changes = vec![Change::Learnt(lesson)];
        changes.extend(self.other_slots());
        changes.push(Change::Wake);
        changes
    }

    /// The slot's frame failed. Where its other frames would share that failure, the batch is to end.
    pub(crate) fn frame_failed(&mut self, slot: u32, failed: FailedFrame) -> Vec<Change> {
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.fail();
        }
        if failed.failure.kind == FailureKind::OutOfMemory
            && let Some(changes) = self.put_off(slot)
        {
            return changes;
        }
        let Some((key, batch)) = self.of_slot(slot) else {
            return Vec::new();
        };
        batch.fail(failed.clone());
        if let (Stage::Running { ending, .. }, Blame::Scene | Blame::Node) =
            (&mut batch.stage, failed.failure.kind.blame())
        {
            ending.get_or_insert(BatchPhase::Failed);
        }
        vec![Change::Failed(key, failed)]
    }

    /// Lets a batch wait for more memory, whose frame needed more than its share of it: a slot takes it again, first of
    /// all, once few enough are at work. Nothing where there is no more to be had.
    fn put_off(&mut self, slot: u32) -> Option<Vec<Change>> {
        let at_work = self.at_work();
        let (key, batch) = self.of_slot(slot)?;
        let look = batch.look;
        let blenders = self.sharing.blenders(Some(look)).max(at_work);
        if !self.sharing.may_have_more_than(blenders) {
            return None;
        }
        let batch = self.all.get_mut(&key).filter(|batch| !batch.is_ending())?;
        batch.put_back();
        batch.stage = Stage::Queued;
        self.running.remove(&slot);
        self.queue.push_front(key);
        let lesson = self.sharing.too_many(look);
        let mut changes = vec![Change::Phase(key, BatchPhase::Queued), Change::Wake];
        changes.extend(self.learnt(lesson));
        Some(changes)
    }

    /// The slot has put its batch down, for whatever reason; it is free from now on.
    pub(crate) fn slot_free(&mut self, slot: u32) -> Vec<Change> {
        let Some(key) = self.running.remove(&slot) else {
            return Vec::new();
        };
        let Some(batch) = self.all.get_mut(&key) else {
            return Vec::new();
        };
        let phase = match batch.stage {
            Stage::Running {
                ending: Some(phase), ..
            } => phase,
            Stage::Running { frame: None, .. } if batch.nothing_waits() => BatchPhase::Completed,
            // The agent ends before the batch does.
            _ => BatchPhase::Interrupted,
        };
        self.end(key, phase)
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

    fn of_slot(&mut self, slot: u32) -> Option<(BatchKey, &mut Batch)> {
        let key = *self.running.get(&slot)?;
        self.all.get_mut(&key).map(|batch| (key, batch))
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
