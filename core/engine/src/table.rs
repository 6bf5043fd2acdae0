//! The states of a job's frames: one byte a frame, two bits to find those that wait, and what is exceptional
//! kept beside it.

use std::collections::BTreeMap;

use farmhand_protocol::farm::{FrameCounts, FrameState, FramesInState};
use farmhand_protocol::{Failure, Frame, FrameSet, NodeId};
use serde::{Deserialize, Serialize};

use crate::bitmap::Bitmap;

/// Durable state of a frame. That one of the leased frames is rendering is seen, not remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub(crate) enum Durable {
    Pending,
    Leased,
    Delivered,
    Failed,
    Cancelled,
}

impl Durable {
    const ALL: [Self; 5] = [
        Self::Pending,
        Self::Leased,
        Self::Delivered,
        Self::Failed,
        Self::Cancelled,
    ];

    pub(crate) fn shown(self) -> FrameState {
        match self {
            Self::Pending => FrameState::Pending,
            Self::Leased => FrameState::Leased,
            Self::Delivered => FrameState::Delivered,
            Self::Failed => FrameState::Failed,
            Self::Cancelled => FrameState::Cancelled,
        }
    }
}

/// What went wrong with a frame so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    /// Where it failed, without repeats.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) last: Option<Failure>,
}

/// The frames of one job and their states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct FrameTable {
    frames: FrameSet,
    states: Vec<Durable>,
    /// By [`Durable`].
    counts: [u32; 5],
    /// Positions of pending frames.
    pending: Bitmap,
    /// Frames that are to be handed out before others.
    early: FrameSet,
    /// Positions of those of them that are pending.
    pending_early: Bitmap,
    trouble: BTreeMap<Frame, Trouble>,
    /// Frames that were asked for again, and how often.
    revisions: BTreeMap<Frame, u32>,
}

impl FrameTable {
    pub(crate) fn new(frames: FrameSet, early: FrameSet) -> Self {
        let states = vec![Durable::Pending; frames.len() as usize];
        let mut pending = Bitmap::new(states.len());
        (0..states.len()).for_each(|position| pending.set(position, true));
        let mut pending_early = Bitmap::new(states.len());
        for position in early.iter().filter_map(|frame| frames.position(frame)) {
            pending_early.set(position as usize, true);
        }
        let counts = [frames.len(), 0, 0, 0, 0];
        Self {
            frames,
            states,
            counts,
            pending,
            early,
            pending_early,
            trouble: BTreeMap::new(),
            revisions: BTreeMap::new(),
        }
    }

    /// All frames of the job.
    pub fn frames(&self) -> &FrameSet {
        &self.frames
    }

    pub(crate) fn state(&self, frame: Frame) -> Option<Durable> {
        self.frames
            .position(frame)
            .map(|position| self.states[position as usize])
    }

    pub(crate) fn count(&self, state: Durable) -> u32 {
        self.counts[state as usize]
    }

    /// Whether nothing of it waits or is on a node.
    pub fn is_settled(&self) -> bool {
        self.count(Durable::Pending) + self.count(Durable::Leased) == 0
    }

    pub(crate) fn set(&mut self, frame: Frame, state: Durable) {
        let Some(position) = self.frames.position(frame) else {
            return;
        };
        let position = position as usize;
        let old = std::mem::replace(&mut self.states[position], state);
        self.counts[old as usize] -= 1;
        self.counts[state as usize] += 1;
        let waits = state == Durable::Pending;
        self.pending.set(position, waits);
        if !self.early.is_empty() && self.early.contains(frame) {
            self.pending_early.set(position, waits);
        }
    }

    pub(crate) fn set_all(&mut self, frames: &FrameSet, state: Durable) {
        frames.iter().for_each(|frame| self.set(frame, state));
    }

    /// Frames in one of these states.
    pub(crate) fn in_states(&self, wanted: &[Durable]) -> FrameSet {
        let states = self.frames.iter().zip(&self.states);
        states
            .filter(|(_, state)| wanted.contains(state))
            .map(|(frame, _)| frame)
            .collect()
    }

    /// Pending frames: those that are to come early, then from the lowest on.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Frame> + '_ {
        let is_late = |position: &usize| self.early.is_empty() || !self.is_early(*position);
        let late = self.pending.iter().filter(is_late);
        let positions = self.pending_early.iter().chain(late);
        positions.filter_map(|position| self.frames.nth(u32::try_from(position).ok()?))
    }

    fn is_early(&self, position: usize) -> bool {
        self.pending_early.next(position) == Some(position)
    }

    /// Where a frame lies among the job's frames, 0 to 1.
    pub(crate) fn place(&self, frame: Frame) -> f64 {
        let position = self.frames.position(frame).unwrap_or(0);
        f64::from(position) / f64::from(self.frames.len().max(1))
    }

    /// Whether the frame at this place, 0 to 1, is still to be rendered.
    pub(crate) fn is_open_at(&self, place: f64) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a job has fewer frames than a float has digits"
        )]
        let position = (place * self.states.len() as f64) as usize;
        let state = self.states.get(position);
        state.is_some_and(|state| matches!(state, Durable::Pending | Durable::Leased))
    }

    pub(crate) fn trouble(&self, frame: Frame) -> Option<&Trouble> {
        self.trouble.get(&frame)
    }

    pub(crate) fn trouble_mut(&mut self, frame: Frame) -> &mut Trouble {
        self.trouble.entry(frame).or_default()
    }

    pub(crate) fn forgive(&mut self, frame: Frame) {
        self.trouble.remove(&frame);
    }

    /// How often a frame was asked for again.
    pub fn revision(&self, frame: Frame) -> u32 {
        self.revisions.get(&frame).copied().unwrap_or(0)
    }

    pub(crate) fn revise(&mut self, frame: Frame) {
        *self.revisions.entry(frame).or_default() += 1;
    }

    /// How many frames are in which state, when so many of the leased ones are being rendered.
    pub fn counts(&self, rendering: u32) -> FrameCounts {
        FrameCounts {
            pending: self.count(Durable::Pending),
            leased: self.count(Durable::Leased).saturating_sub(rendering),
            rendering,
            delivered: self.count(Durable::Delivered),
            failed: self.count(Durable::Failed),
            cancelled: self.count(Durable::Cancelled),
        }
    }

    /// The states of all frames, as sets of equal state; empty sets left out.
    pub(crate) fn spans(&self, rendering: &FrameSet) -> Vec<FramesInState> {
        let mut spans: Vec<FramesInState> = Durable::ALL
            .into_iter()
            .map(|state| FramesInState {
                state: state.shown(),
                frames: self.in_states(&[state]),
            })
            .collect();
        spans[Durable::Leased as usize].frames = spans[Durable::Leased as usize].frames.difference(rendering);
        spans.push(FramesInState {
            state: FrameState::Rendering,
            frames: rendering.clone(),
        });
        spans.retain(|span| !span.frames.is_empty());
        spans
    }
}

/// The stored form: sets of frames, which stay small however many frames they name.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    frames: FrameSet,
    #[serde(default, skip_serializing_if = "FrameSet::is_empty")]
    early: FrameSet,
    states: Vec<(Durable, FrameSet)>,
    trouble: Vec<(Frame, Trouble)>,
    revisions: Vec<(Frame, u32)>,
}

impl From<FrameTable> for Stored {
    fn from(table: FrameTable) -> Self {
        Self {
            states: Durable::ALL
                .into_iter()
                .map(|state| (state, table.in_states(&[state])))
                .collect(),
            frames: table.frames,
            early: table.early,
            trouble: table.trouble.into_iter().collect(),
            revisions: table.revisions.into_iter().collect(),
        }
    }
}

impl From<Stored> for FrameTable {
    fn from(stored: Stored) -> Self {
        let mut table = Self::new(stored.frames, stored.early);
        for (state, frames) in &stored.states {
            table.set_all(frames, *state);
        }
        table.trouble = stored.trouble.into_iter().collect();
        table.revisions = stored.revisions.into_iter().collect();
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: i64) -> Frame {
        Frame::try_from(n).unwrap()
    }

    #[test]
    fn pending_frames_come_lowest_first_whatever_was_taken_and_returned() {
        let mut table = FrameTable::new("1-4,10".parse().unwrap(), FrameSet::default());
        table.set_all(&"1-3".parse().unwrap(), Durable::Leased);
        assert_eq!(table.pending().collect::<FrameSet>().to_string(), "4,10");
        table.set(frame(2), Durable::Pending);
        assert_eq!(table.pending().map(Frame::get).collect::<Vec<_>>(), [2, 4, 10]);
        table.set_all(&"2,4,10".parse().unwrap(), Durable::Delivered);
        assert_eq!(table.pending().next(), None);
        assert!(!table.is_settled());
    }

    #[test]
    fn frames_that_are_to_come_early_come_first() {
        let mut table = FrameTable::new("1-9".parse().unwrap(), "1,5,9".parse().unwrap());
        let order = |table: &FrameTable| table.pending().map(Frame::get).collect::<Vec<_>>();
        assert_eq!(order(&table), [1, 5, 9, 2, 3, 4, 6, 7, 8]);
        table.set_all(&"1-5".parse().unwrap(), Durable::Leased);
        table.set(frame(5), Durable::Pending);
        assert_eq!(order(&table), [5, 9, 6, 7, 8]);
    }

    #[test]
    fn a_table_survives_being_stored() {
        let mut table = FrameTable::new("1-9x2,20".parse().unwrap(), "1,20".parse().unwrap());
        table.set(frame(3), Durable::Delivered);
        table.revise(frame(3));
        table.trouble_mut(frame(5)).failures = 2;
        let stored = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<FrameTable>(&stored).unwrap(), table);
    }
}
