//! The states of a job's frames: one byte a frame, and what is exceptional kept beside it.

use std::collections::BTreeMap;

use farmhand_protocol::farm::{FrameCounts, FrameState, FramesInState};
use farmhand_protocol::{Failure, Frame, FrameSet, NodeId};
use serde::{Deserialize, Serialize};

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
    /// No frame below this position is pending.
    first_pending: usize,
    trouble: BTreeMap<Frame, Trouble>,
    /// Frames that were asked for again, and how often.
    revisions: BTreeMap<Frame, u32>,
}

impl FrameTable {
    pub(crate) fn new(frames: FrameSet) -> Self {
        let states = vec![Durable::Pending; frames.len() as usize];
        let counts = [frames.len(), 0, 0, 0, 0];
        Self {
            frames,
            states,
            counts,
            first_pending: 0,
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
        if state == Durable::Pending {
            self.first_pending = self.first_pending.min(position);
        } else if position == self.first_pending {
            let rest = &self.states[position..];
            let skip = rest
                .iter()
                .position(|s| *s == Durable::Pending)
                .unwrap_or(rest.len());
            self.first_pending = position + skip;
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

    /// Pending frames from the lowest on.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Frame> + '_ {
        let from = self.first_pending;
        (from..self.states.len())
            .filter(|position| self.states[*position] == Durable::Pending)
            .filter_map(|position| self.frames.nth(u32::try_from(position).ok()?))
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

    pub(crate) fn counts(&self, rendering: u32) -> FrameCounts {
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
            trouble: table.trouble.into_iter().collect(),
            revisions: table.revisions.into_iter().collect(),
        }
    }
}

impl From<Stored> for FrameTable {
    fn from(stored: Stored) -> Self {
        let mut table = Self::new(stored.frames);
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
        let mut table = FrameTable::new("1-4,10".parse().unwrap());
        table.set_all(&"1-3".parse().unwrap(), Durable::Leased);
        assert_eq!(table.pending().collect::<FrameSet>().to_string(), "4,10");
        table.set(frame(2), Durable::Pending);
        assert_eq!(table.pending().map(Frame::get).collect::<Vec<_>>(), [2, 4, 10]);
        table.set_all(&"2,4,10".parse().unwrap(), Durable::Delivered);
        assert_eq!(table.pending().next(), None);
        assert!(!table.is_settled());
    }

    #[test]
    fn a_table_survives_being_stored() {
        let mut table = FrameTable::new("1-9x2,20".parse().unwrap());
        table.set(frame(3), Durable::Delivered);
        table.revise(frame(3));
        table.trouble_mut(frame(5)).failures = 2;
        let stored = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<FrameTable>(&stored).unwrap(), table);
    }
}
