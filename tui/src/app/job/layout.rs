//! Where things stand on the job screen, for every size.

use ratatui::layout::{Rect, Size};

use super::grid::{Grid, legend};
use super::screen::JobScreen;
use crate::app::MIN_SIZE;

/// Areas of the job screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobLayout {
    pub(crate) title: Rect,
    pub(crate) frames: Rect,
    pub(crate) batches: Rect,
    /// Absent where there is no room beside the batches.
    pub(crate) times: Option<Rect>,
    /// A panel where there is room, else one line.
    pub(crate) output: Rect,
    /// The cells within `frames`.
    pub(crate) grid: Grid,
}

/// Columns from which frame times stand beside the batches.
const WIDE: u16 = 96;

impl JobLayout {
    /// Nothing where the screen is smaller than [`MIN_SIZE`].
    pub(crate) fn of(size: Size, screen: &JobScreen) -> Option<Self> {
        if size.width < MIN_SIZE.width || size.height < MIN_SIZE.height {
            return None;
        }
        let row = |y: u16, height: u16| Rect::new(0, y, size.width, height);
        let body = size.height - 3; // Without the title, the message and the footer.
        let output = if body >= 24 { 3 } else { 1 };
        let body = body - output;
        let inside = usize::from(size.width) - 4;
        let legend_rows = legend(&screen.map, inside).len();
        // Two borders, the ruler, the legend, the line about the frame at the cursor.
        let around = u16::try_from(legend_rows).unwrap_or(1) + 4;
        let least_batches = if body >= 20 { 7 } else { 4 };
        let room = body.saturating_sub(around + least_batches).max(1);
        let share = (body * 45 / 100).max(1);
        let grid = Grid::of_map(&screen.map, inside, room.min(share).into());
        let rows = u16::try_from(grid.rows).unwrap_or(room).clamp(1, room);
        let frames = (rows + around).min(body - 3);
        let batches = body - frames;
        let beside = (size.width >= WIDE && batches >= 7).then_some(34);
        let left = size.width - beside.unwrap_or(0);
        let below = 1 + frames;
        Some(Self {
            title: row(0, 1),
            frames: row(1, frames),
            batches: Rect {
                width: left,
                ..row(below, batches)
            },
            times: beside.map(|width| Rect::new(left, below, width, batches)),
            output: row(below + batches, output),
            grid,
        })
    }
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::JobId;
    use proptest::prelude::*;

    use super::*;
    use crate::app::fixture::frames;
    use crate::app::job::FrameMap;

    proptest! {
        #[test]
        fn areas_lie_one_below_the_other_and_leave_two_lines_at_every_size(
            width in 60_u16..=300, height in 16_u16..=100, count in 1_u32..1_000_000,
        ) {
            let mut screen = JobScreen::new(JobId(1));
            screen.map = FrameMap::new(frames(&format!("1-{count}")));
            let layout = JobLayout::of(Size::new(width, height), &screen).unwrap();
            prop_assert_eq!(layout.frames.y, 1);
            prop_assert_eq!(layout.batches.y, layout.frames.bottom());
            prop_assert_eq!(layout.output.y, layout.batches.bottom());
            prop_assert_eq!(layout.output.bottom(), height - 2);
            prop_assert!(layout.frames.height >= 6 && layout.batches.height >= 3, "{:?}", layout);
            prop_assert!(layout.grid.rows + 4 < usize::from(layout.frames.height), "{:?}", layout);
        }
    }
}
