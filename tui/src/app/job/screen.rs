//! What the job screen knows and where its cursors stand.

use std::ops::Range;

use farmhand_protocol::farm::{AttemptView, FrameView, FramesInState, JobDetail, OutputView};
use farmhand_protocol::{BatchId, FrameSet, JobId};

use super::frame_map::FrameMap;
use super::grid::Grid;
use crate::app::Cursor;

/// Panels of the job screen that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum JobPanel {
    #[default]
    Frames,
    Batches,
}

/// The job screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobScreen {
    pub(crate) job: JobId,
    /// Empty until it was read.
    pub(crate) map: FrameMap,
    pub(crate) is_read: bool,
    /// Failed attempts, newest first, as far as the farm remembers them.
    pub(crate) attempts: Vec<AttemptView>,
    pub(crate) output: Option<OutputView>,
    pub(crate) panel: JobPanel,
    /// Place of the frame at the cursor.
    pub(crate) cursor: usize,
    /// Where a selection began.
    pub(crate) anchor: Option<usize>,
    pub(crate) batches: Cursor<BatchId>,
    pub(crate) rows: Vec<BatchId>,
    /// What the farm has told of the frame at the cursor.
    pub(crate) frame: Option<FrameView>,
    /// States that came since the job was asked for: the answer may be older. Nothing while no answer is awaited.
    heard: Option<Vec<FramesInState>>,
    /// Something happened that only reading the job anew tells.
    pub(super) stale: bool,
    pub(super) output_stale: bool,
}

impl JobScreen {
    /// The screen of a job that is still to be read.
    pub(crate) fn new(job: JobId) -> Self {
        Self {
            job,
            map: FrameMap::new(FrameSet::default()),
            is_read: false,
            attempts: Vec::new(),
            output: None,
            panel: JobPanel::default(),
            cursor: 0,
            anchor: None,
            batches: Cursor::default(),
            rows: Vec::new(),
            frame: None,
            heard: None,
            stale: false,
            output_stale: false,
        }
    }

    /// Takes over what was read.
    pub(super) fn take(&mut self, detail: &JobDetail) {
        let selected = self.map.frame(self.cursor);
        let mut map = FrameMap::new(detail.job.frames.clone());
        map.apply(&detail.states);
        map.apply(&self.heard.take().unwrap_or_default());
        map.take_attempts(&detail.attempts);
        self.cursor = selected.and_then(|frame| map.position(frame)).unwrap_or(0);
        if map.len() != self.map.len() {
            self.anchor = None;
        }
        self.map = map;
        self.attempts.clone_from(&detail.attempts);
        if !self.is_read {
            self.is_read = true;
            // What a person wants to see first.
            let worst = self.map.next(super::Shade::Failed, 0);
            self.cursor = worst
                .or_else(|| self.map.next(super::Shade::Rendering, 0))
                .unwrap_or(0);
        }
    }

    /// Takes over new states of frames.
    pub(super) fn hear(&mut self, states: Vec<FramesInState>) {
        if self.is_read {
            self.map.apply(&states);
        }
        if let Some(heard) = &mut self.heard {
            heard.extend(states);
        }
    }

    /// The job was asked for.
    pub(super) fn asked(&mut self) {
        self.heard = Some(Vec::new());
    }

    /// Places of the selected frames: the cell at the cursor, or all cells from where the selection began.
    pub(crate) fn selection(&self, grid: Grid) -> Range<usize> {
        let here = grid.places(grid.cell(self.cursor));
        match self.anchor {
            Some(anchor) => {
                let there = grid.places(grid.cell(anchor));
                here.start.min(there.start)..here.end.max(there.end)
            }
            None => here,
        }
    }

    /// Place of the frame that is spoken of: the one at the cursor, or the worst of its cell.
    pub(crate) fn subject(&self, grid: Grid) -> Option<usize> {
        let places = grid.places(grid.cell(self.cursor));
        let worst = self.map.worst(places.clone())?;
        if self.map.shade(self.cursor) == Some(worst) {
            return Some(self.cursor);
        }
        let mut places = places;
        places.find(|position| self.map.shade(*position) == Some(worst))
    }
}
