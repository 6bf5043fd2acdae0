//! What slots do with the batches: how many there are, what each takes, and what becomes of its frames.

use std::time::Duration;

use farmhand_protocol::agent::{BatchPhase, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchKey, Blame, BlenderVersion, Device, FailureKind, Frame};

use super::Batches;
use crate::batches::batch::{Batch, Stage};
use crate::batches::change::{Change, LoadAhead};
use crate::batches::seat::Manner;
use crate::batches::sharing::{Lesson, Look, Share, Told};

impl Batches {
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

    pub(super) fn at_work(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
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

    fn of_slot(&mut self, slot: u32) -> Option<(BatchKey, &mut Batch)> {
        let key = *self.running.get(&slot)?;
        self.all.get_mut(&key).map(|batch| (key, batch))
    }
}
