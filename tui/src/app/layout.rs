//! Where things stand on the farm screen, for every size.

use ratatui::layout::{Rect, Size};
use serde::Deserialize;

/// The smallest size that shows more than its own size.
pub(crate) const MIN_SIZE: Size = Size::new(60, 16);

/// Panels of the farm screen, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Panel {
    #[default]
    Jobs,
    Nodes,
    Batches,
    Events,
}

impl Panel {
    pub(crate) const ALL: [Self; 4] = [Self::Jobs, Self::Nodes, Self::Batches, Self::Events];

    pub(crate) fn number(self) -> usize {
        self as usize + 1
    }

    /// The panel `steps` further, round and round.
    pub(crate) fn next(self, steps: isize) -> Self {
        let count = Self::ALL.len();
        let index = (self as usize + count).saturating_add_signed(steps) % count;
        Self::ALL[index]
    }
}

/// Tables whose columns can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Table {
    Jobs,
    Nodes,
    Batches,
}

/// How much of the height panels may take, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The table of nodes, at most.
    pub(crate) nodes: u16,
    /// Batches and events, at least.
    pub(crate) lower: u16,
}

impl Default for Shares {
    fn default() -> Self {
        Self { nodes: 40, lower: 32 }
    }
}

/// Areas of the farm screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) header: Rect,
    pub(crate) jobs: Rect,
    pub(crate) nodes: Rect,
    /// Absent where the events stand in its place.
    pub(crate) batches: Option<Rect>,
    pub(crate) events: Option<Rect>,
    /// The newest event, where no panel shows it.
    pub(crate) event_line: Option<Rect>,
    pub(crate) message: Rect,
    pub(crate) footer: Rect,
}

impl Layout {
    /// One panel alone.
    pub(crate) fn zoomed(size: Size, focus: Panel) -> Option<Self> {
        let mut layout = Self::of(size, focus, Shares::default(), 0, 0)?;
        let body = Rect::new(0, 1, size.width, size.height - 3);
        let alone = |panel: Panel| if panel == focus { body } else { Rect::ZERO };
        layout.jobs = alone(Panel::Jobs);
        layout.nodes = alone(Panel::Nodes);
        layout.batches = (focus == Panel::Batches).then_some(body);
        layout.events = (focus == Panel::Events).then_some(body);
        layout.event_line = None;
        Some(layout)
    }

    /// Nothing where the screen is smaller than [`MIN_SIZE`].
    pub(crate) fn of(
        size: Size,
        focus: Panel,
        shares: Shares,
        job_rows: usize,
        node_rows: usize,
    ) -> Option<Self> {
        if size.width < MIN_SIZE.width || size.height < MIN_SIZE.height {
            return None;
        }
        let (width, height) = (size.width, size.height);
        let row = |y: u16, height: u16| Rect::new(0, y, width, height);
        let body = height - 3;
        let side_by_side = width >= 96 && body >= 20;
        let event_line = !side_by_side && focus != Panel::Events && body >= 18;
        let body = body - u16::from(event_line);
        // Each table as tall as its rows, within a share; what is left goes to the lower panels.
        let wanted = |rows: usize, least: u16| {
            let rows = u16::try_from(rows).unwrap_or(u16::MAX);
            rows.saturating_add(3).max(least)
        };
        let nodes =
            wanted(node_rows, if node_rows == 0 { 7 } else { 5 }).min((body * shares.nodes / 100).max(4));
        let nodes = nodes.min(body.saturating_sub(8));
        let lower = (body * shares.lower / 100).max(4).min(body - nodes - 4);
        let jobs = wanted(job_rows, 6).min(body.saturating_sub(lower + nodes).max(4));
        let lower = body - jobs - nodes;
        let (jobs, nodes, lower) = (row(1, jobs), row(1 + jobs, nodes), row(1 + jobs + nodes, lower));
        let (batches, events) = if side_by_side {
            let left = (width * 44 / 100).max(48);
            (
                Some(Rect { width: left, ..lower }),
                Some(Rect {
                    x: left,
                    width: width - left,
                    ..lower
                }),
            )
        } else if focus == Panel::Events {
            (None, Some(lower))
        } else {
            (Some(lower), None)
        };
        Some(Self {
            header: row(0, 1),
            jobs,
            nodes,
            batches,
            events,
            event_line: event_line.then(|| row(height - 3, 1)),
            message: row(height - 2, 1),
            footer: row(height - 1, 1),
        })
    }
}

/// Rows of a table with a border and a head line in `area`.
pub(crate) fn visible_rows(area: Rect) -> usize {
    area.height.saturating_sub(3).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_panel_stands_within_the_screen_and_on_no_other(
            width in 0_u16..400, height in 0_u16..400, focus in 0_usize..4, jobs in 0_usize..50,
            nodes in 0_usize..2000, share in 10_u16..=60, lower in 10_u16..=60,
        ) {
            let size = Size::new(width, height);
            let layout = Layout::of(size, Panel::ALL[focus], Shares { nodes: share, lower }, jobs, nodes);
            prop_assert_eq!(layout.is_some(), width >= 60 && height >= 16);
            let Some(layout) = layout else { return Ok(()) };
            let areas: Vec<Rect> = [layout.header, layout.jobs, layout.nodes, layout.message, layout.footer]
                .into_iter()
                .chain(layout.batches)
                .chain(layout.events)
                .chain(layout.event_line)
                .collect();
            let covered: u32 = areas.iter().map(|area| area.area()).sum();
            prop_assert_eq!(covered, u32::from(width) * u32::from(height));
            for panel in [Some(layout.jobs), Some(layout.nodes), layout.batches, layout.events] {
                prop_assert!(panel.is_none_or(|area| area.height >= 4));
            }
        }
    }
}
