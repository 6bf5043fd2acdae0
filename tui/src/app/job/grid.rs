//! How the frames of a job are laid out as cells: one frame a cell while there is room, else some round number
//! of frames.

use std::ops::Range;

use super::frame_map::{BLOCK, FrameMap, Shade};

/// Rows and columns of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Frames of a cell: 1, 2, 5, 10, 20, 50 and so on.
    pub(crate) per_cell: usize,
    /// Cells of a row, a multiple of 10.
    pub(crate) columns: usize,
    /// Rows that are needed.
    pub(crate) rows: usize,
    /// Frames of the job.
    pub(crate) len: usize,
    /// Letters before each row, for the number of its first frame.
    pub(crate) label: usize,
}

impl Grid {
    /// The grid of so many frames in at most `height` rows. `label` is how many letters the longest frame number
    /// has.
    pub(crate) fn of(len: usize, label: usize, width: usize, height: usize) -> Self {
        let label = label + 1;
        let columns = (width.saturating_sub(label) / 10 * 10).max(10);
        let room = columns * height.max(1);
        let mut per_cell = 1;
        // 1, 2, 5, 10, 20, 50: read at a glance, and from BLOCK on whole blocks.
        while len.div_ceil(per_cell) > room {
            per_cell = match per_cell.to_string().as_bytes().first() {
                Some(b'2') => per_cell / 2 * 5,
                _ => per_cell * 2,
            };
        }
        debug_assert!(
            per_cell < BLOCK || per_cell.is_multiple_of(BLOCK),
            "cells of whole blocks"
        );
        Self {
            per_cell,
            columns,
            rows: len.div_ceil(per_cell).div_ceil(columns),
            len,
            label,
        }
    }

    /// The grid of a job's frames.
    pub(crate) fn of_map(map: &FrameMap, width: usize, height: usize) -> Self {
        let digits = |position: usize| map.frame(position).map_or(1, |frame| frame.to_string().len());
        let label = digits(0).max(digits(map.len().saturating_sub(1))).max(3);
        Self::of(map.len(), label, width, height)
    }

    /// How many cells.
    pub(crate) fn cells(&self) -> usize {
        self.len.div_ceil(self.per_cell)
    }

    /// Places of the frames in a cell.
    pub(crate) fn places(&self, cell: usize) -> Range<usize> {
        let start = cell * self.per_cell;
        start.min(self.len)..(start + self.per_cell).min(self.len)
    }

    /// The cell in which a frame's place lies.
    pub(crate) fn cell(&self, position: usize) -> usize {
        position / self.per_cell
    }

    /// The place `across` cells to the right and `down` rows below; stays inside.
    pub(crate) fn moved(&self, position: usize, across: isize, down: isize) -> usize {
        let columns = isize::try_from(self.columns).unwrap_or(isize::MAX);
        let steps = across.saturating_add(down.saturating_mul(columns));
        let last = self.cells().saturating_sub(1);
        let from = self.cell(position);
        let to = from.saturating_add_signed(steps).min(last);
        if to == from {
            position
        } else {
            self.places(to).start
        }
    }
}

/// The lines of a legend: all shades that occur, with their counts, as many to a line as fit.
pub(crate) fn legend(map: &FrameMap, width: usize) -> Vec<Vec<(Shade, u32)>> {
    let mut lines: Vec<Vec<(Shade, u32)>> = vec![Vec::new()];
    let mut used = 0;
    for shade in Shade::ALL {
        let count = map.count(shade);
        if count == 0 {
            continue;
        }
        let needed = legend_entry(shade, count).chars().count() + 4;
        if used > 0 && used + needed > width {
            lines.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.push((shade, count));
        }
    }
    lines
}

/// `done 153`; a glyph stands before it and a gap behind.
pub(crate) fn legend_entry(shade: Shade, count: u32) -> String {
    format!("{} {count}", shade.word())
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::FrameSet;
    use farmhand_protocol::farm::{FrameState, FramesInState};
    use proptest::prelude::*;

    use super::*;
    use crate::app::fixture::frames;

    #[test]
    fn a_cell_is_one_frame_until_the_rows_are_full_then_a_round_number() {
        let per_cell = |len| Grid::of(len, 3, 78, 5).per_cell;
        assert_eq!(per_cell(250), 1);
        assert_eq!(per_cell(350), 1);
        assert_eq!(per_cell(351), 2);
        assert_eq!(per_cell(701), 5);
        assert_eq!(per_cell(1_000_000), 5000);
    }

    #[test]
    fn moving_goes_by_cells_and_rows_and_stays_inside() {
        let grid = Grid::of(100, 3, 34, 4);
        assert_eq!((grid.columns, grid.per_cell), (30, 1));
        assert_eq!(grid.moved(0, 1, 0), 1);
        assert_eq!(grid.moved(5, 0, 1), 35);
        assert_eq!(grid.moved(5, -9, 0), 0);
        assert_eq!(grid.moved(5, 0, 99), 99);
        let coarse = Grid::of(1000, 4, 35, 4);
        assert_eq!(coarse.per_cell, 10);
        assert_eq!(coarse.moved(13, 1, 0), 20);
        assert_eq!(coarse.moved(13, 0, -1), 0);
        assert_eq!(coarse.moved(3, 0, -1), 3, "in the same cell the frame stays");
    }

    proptest! {
        #[test]
        fn every_frame_lies_in_one_cell_and_every_cell_fits(
            len in 1_usize..1_100_000, width in 12_usize..300, height in 1_usize..60,
        ) {
            let grid = Grid::of(len, 6, width, height);
            prop_assert!(grid.rows <= height);
            prop_assert!(grid.columns + grid.label <= width.max(17));
            prop_assert_eq!(grid.places(grid.cells() - 1).end, len);
            prop_assert_eq!(grid.places(0).start, 0);
            prop_assert!(grid.cell(len - 1) == grid.cells() - 1);
        }

        #[test]
        fn the_legends_counts_sum_to_all_frames_at_every_width(
            states in proptest::collection::vec((1_i64..900, 1_i64..300, 0_usize..6), 0..12), width in 20_usize..200,
        ) {
            const STATES: [FrameState; 6] = [
                FrameState::Pending, FrameState::Leased, FrameState::Rendering, FrameState::Delivered,
                FrameState::Failed, FrameState::Cancelled,
            ];
            let mut map = FrameMap::new(frames("1-1000"));
            for (first, length, state) in states {
                let set: FrameSet = frames(&format!("{first}-{}", first + length));
                map.apply(&[FramesInState { state: STATES[state], frames: set }]);
            }
            let lines = legend(&map, width);
            let sum: u32 = lines.iter().flatten().map(|(_, count)| count).sum();
            prop_assert_eq!(sum, 1000);
        }
    }
}
