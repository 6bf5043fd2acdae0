//! A job's waiting frames, handed out in their order within one plan.

use farmhand_protocol::{Frame, FrameSet};

use crate::table::{Durable, FrameTable};

/// Where the next frames come from.
pub(super) struct Source<'a> {
    table: &'a FrameTable,
    waiting: Box<dyn Iterator<Item = Frame> + 'a>,
    /// Frames that came up for a node that should not have them.
    passed_over: Vec<Frame>,
    left: u32,
}

impl<'a> Source<'a> {
    pub(super) fn of(table: &'a FrameTable) -> Self {
        Self {
            table,
            waiting: Box::new(table.pending()),
            passed_over: Vec::new(),
            left: table.count(Durable::Pending),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Where in the job its next frame lies, 0 to 1.
    pub(super) fn place(&self) -> f64 {
        let first = self.passed_over.first().copied();
        let first = first.or_else(|| self.table.pending().next());
        first.map_or(0.0, |frame| self.table.place(frame))
    }

    /// Takes up to `most` frames that suit.
    pub(super) fn take(&mut self, most: u32, suits: impl Fn(Frame) -> bool) -> FrameSet {
        let mut taken = Vec::new();
        let mut still = Vec::new();
        for frame in self.passed_over.drain(..) {
            let list = if taken.len() < most as usize && suits(frame) {
                &mut taken
            } else {
                &mut still
            };
            list.push(frame);
        }
        self.passed_over = still;
        while taken.len() < most as usize
            && let Some(frame) = self.waiting.next()
        {
            if suits(frame) {
                taken.push(frame);
            } else {
                self.passed_over.push(frame);
            }
        }
        self.left -= u32::try_from(taken.len()).unwrap_or(self.left);
        taken.into_iter().collect()
    }
}
