//! Frames as cells: one frame a cell, or several with the worst of them shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame_line;
use crate::app::{FrameMap, Grid, JobPanel, JobScreen, Model, legend, legend_entry};
use crate::view::frame::{line_of, panel};
use crate::view::text::fit;
use crate::view::{Look, state};

/// The panel: a ruler, the map, its legend, and a line about the frame at the cursor.
pub(super) fn draw(
    model: &Model,
    screen: &JobScreen,
    grid: Grid,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let focused = screen.panel == JobPanel::Frames;
    let name_style = if focused { look.key() } else { look.strong() };
    let cell = match grid.per_cell {
        1 => "1 cell = 1 frame".to_owned(),
        n => format!("1 cell = {n} frames, the worst shown"),
    };
    let title = Line::from(vec![
        Span::styled(" [1] ", look.faint()),
        Span::styled("Frames", name_style),
        Span::styled(format!(" ({cell}) "), look.faint()),
    ]);
    let bottom = screen.anchor.map(|_| {
        let places = screen.selection(grid);
        format!(
            " {} selected: c cancel, r retry, R render again, esc ",
            places.len()
        )
    });
    let inside = panel(title, bottom, focused, look, area, buffer);
    let inside = Rect {
        x: inside.x + 1,
        width: inside.width.saturating_sub(2),
        ..inside
    };
    if !screen.is_read {
        Line::styled("reading ...", look.faint()).render(inside, buffer);
        return;
    }
    if let Some(place) = line_of(inside, 0) {
        ruler(grid).render(place, buffer);
    }
    let rows = Rect {
        y: inside.y + 1,
        height: inside.height.saturating_sub(1),
        ..inside
    };
    HeatMap {
        map: &screen.map,
        grid,
        cursor: screen.cursor,
        selection: screen.anchor.map(|_| screen.selection(grid)),
        look,
    }
    .render(rows, buffer);
    let legend = legend(&screen.map, inside.width.into());
    let mut y = usize::from(inside.height).saturating_sub(legend.len() + 1);
    for entries in legend {
        if let Some(place) = line_of(inside, y) {
            let spans = entries.into_iter().flat_map(|(shade, count)| {
                let shown = state::frame(shade, look);
                [
                    Span::styled(shown.mark, shown.style),
                    Span::raw(format!(" {}  ", legend_entry(shade, count))),
                ]
            });
            spans.collect::<Line<'_>>().render(place, buffer);
        }
        y += 1;
    }
    if let Some(place) = line_of(inside, y) {
        frame_line::draw(model, screen, grid, look, place, buffer);
    }
}

/// How many frames into its row each tenth cell begins.
fn ruler(grid: Grid) -> Line<'static> {
    let mut text = " ".repeat(grid.label);
    for column in (0..grid.columns).step_by(10) {
        let offset = column * grid.per_cell;
        let mark = if offset == 0 {
            "+0".to_owned()
        } else {
            format!("+{offset}")
        };
        text.push_str(&fit(&mark, 10, false));
    }
    Line::styled(text, ratatui::style::Style::new().add_modifier(Modifier::DIM))
}

/// The cells alone.
pub(super) struct HeatMap<'a> {
    pub(super) map: &'a FrameMap,
    pub(super) grid: Grid,
    pub(super) cursor: usize,
    pub(super) selection: Option<std::ops::Range<usize>>,
    pub(super) look: Look,
}

impl Widget for HeatMap<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let grid = self.grid;
        let cursor = grid.cell(self.cursor);
        let selected = self
            .selection
            .map(|places| grid.cell(places.start)..places.end.div_ceil(grid.per_cell));
        for row in 0..grid.rows {
            let Some(place) = line_of(area, row) else { break };
            let cells = row * grid.columns..((row + 1) * grid.columns).min(grid.cells());
            let first = self.map.frame(cells.start * grid.per_cell);
            let label = first.map(|frame| frame.to_string()).unwrap_or_default();
            let label = fit(&label, grid.label - 1, true);
            buffer.set_stringn(place.x, place.y, label, place.width.into(), self.look.faint());
            let left = place.x + u16::try_from(grid.label).unwrap_or(0);
            for (x, cell) in (left..place.right()).zip(cells) {
                let Some(worst) = self.map.worst(grid.places(cell)) else {
                    continue;
                };
                let shown = state::frame(worst, self.look);
                let mut style = shown.style;
                if selected.as_ref().is_some_and(|cells| cells.contains(&cell)) {
                    style = style.add_modifier(Modifier::UNDERLINED | Modifier::REVERSED);
                }
                if cell == cursor {
                    // In a selection the cursor is what is not reversed.
                    style = if selected.is_some() {
                        shown.style.add_modifier(Modifier::BOLD)
                    } else {
                        style.add_modifier(Modifier::REVERSED)
                    };
                }
                buffer[(x, place.y)].set_symbol(shown.mark).set_style(style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use farmhand_protocol::farm::{FrameState, FramesInState};

    use super::*;
    use crate::app::fixture::frames;

    fn row_of(buffer: &Buffer, y: u16) -> String {
        let cells = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn of_several_frames_in_a_cell_the_worst_is_shown() {
        let mut map = FrameMap::new(frames("1-40"));
        let states = [
            (FrameState::Delivered, "1-20"),
            (FrameState::Failed, "4"),
            (FrameState::Rendering, "21"),
        ];
        for (state, text) in states {
            let frames = frames(text);
            map.apply(&[FramesInState { state, frames }]);
        }
        let grid = Grid::of(40, 2, 13, 1);
        assert_eq!(grid.per_cell, 5);
        let area = Rect::new(0, 0, 13, 1);
        let mut buffer = Buffer::empty(area);
        let look = Look::new(false);
        HeatMap {
            map: &map,
            grid,
            cursor: 0,
            selection: None,
            look,
        }
        .render(area, &mut buffer);
        assert_eq!(row_of(&buffer, 0), " 1 ✗███▶···");
    }

    #[test]
    fn a_map_of_a_million_frames_is_drawn_within_five_milliseconds() {
        let mut map = FrameMap::new(frames("1-1000000"));
        for (state, text) in [
            (FrameState::Delivered, "1-400000"),
            (FrameState::Failed, "1-1000000x997"),
        ] {
            let frames = frames(text);
            map.apply(&[FramesInState { state, frames }]);
        }
        let area = Rect::new(0, 0, 140, 20);
        let grid = Grid::of_map(&map, 140, 20);
        let mut best = f64::MAX;
        for _ in 0..10 {
            let mut buffer = Buffer::empty(area);
            let start = Instant::now();
            let look = Look::new(true);
            HeatMap {
                map: &map,
                grid,
                cursor: 500_000,
                selection: None,
                look,
            }
            .render(area, &mut buffer);
            best = best.min(start.elapsed().as_secs_f64() * 1000.0);
        }
        assert!(best < 5.0, "{best} ms");
    }
}
