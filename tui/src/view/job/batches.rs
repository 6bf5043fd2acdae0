//! The table of the job's batches.

use std::time::Duration;

use farmhand_protocol::farm::BatchView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{JobPanel, JobScreen, Model, Target};
use crate::view::farm::place_in;
use crate::view::frame::panel;
use crate::view::table::{Cell, Column, Fitted, Rows, cell, column};
use crate::view::{Look, state};
use crate::words;

#[derive(Debug, Clone, Copy)]
enum Key {
    Id,
    Frames,
    Node,
    State,
    Done,
    Failed,
    Mean,
    Took,
    Started,
    Note,
}

const COLUMNS: &[Column<Key>] = &[
    column(Key::Id, "BATCH", 5, 6, false, 0),
    column(Key::Frames, "FRAMES", 9, 18, false, 0),
    column(Key::Node, "NODE", 8, 16, false, 1),
    column(Key::State, "STATE", 8, 8, false, 0),
    column(Key::Done, "DONE", 5, 9, true, 0),
    column(Key::Failed, "FAIL", 4, 4, true, 2),
    column(Key::Mean, "S/FRAME", 7, 8, true, 3),
    column(Key::Took, "TOOK", 6, 7, true, 5),
    column(Key::Started, "STARTED", 8, 8, true, 4),
    column(Key::Note, "NOTE", 10, 90, false, 6),
];

pub(super) fn draw(model: &Model, screen: &JobScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let focused = screen.panel == JobPanel::Batches;
    let name_style = if focused { look.key() } else { look.strong() };
    let title = Line::from(vec![
        Span::styled(" [2] ", look.faint()),
        Span::styled(format!("Batches ({})", screen.rows.len()), name_style),
        Span::styled(" newest first ", look.faint()),
    ]);
    let bottom = place_in(screen.batches.index(), screen.rows.len());
    let inside = panel(title, bottom, focused, look, area, buffer);
    if screen.rows.is_empty() {
        let reason = model
            .farm
            .jobs
            .get(&screen.job)
            .and_then(|job| job.reason.as_deref());
        let words = format!("  {}", reason.unwrap_or("no frame was handed out yet"));
        Line::styled(words, look.faint()).render(inside, buffer);
        return;
    }
    let rows = Rows {
        columns: COLUMNS,
        first: screen.batches.offset(),
        selected: screen.batches.index(),
        focused,
    };
    let ids = screen.rows.iter().skip(rows.first);
    let shown = ids.map_while(|id| model.farm.batch(screen.job, *id));
    let content = |column: &Fitted<Key>, batch: &&BatchView| content(column, batch, model, look);
    rows.draw(shown, content, look, inside, buffer);
}

fn content(column: &Fitted<Key>, batch: &BatchView, model: &Model, look: Look) -> Cell {
    match column.column.key {
        Key::Id => cell(batch.id.to_string(), look.plain()),
        Key::Frames => cell(batch.frames.to_string(), look.plain()),
        Key::Node => cell(batch.node_name.clone(), look.plain()),
        Key::State => {
            let shown = state::batch(batch, look);
            let pending = model.pending.get(&Target::Batch(batch.id));
            pending.map_or_else(
                || cell(shown.text(), shown.style),
                |pending| cell(format!("… {}", pending.doing), look.warn()),
            )
        }
        Key::Done => cell(
            format!("{}/{}", batch.delivered.len(), batch.frames.len()),
            look.plain(),
        ),
        Key::Failed if batch.failed.is_empty() => cell("0", look.faint()),
        Key::Failed => cell(batch.failed.len().to_string(), look.bad()),
        Key::Mean => match batch.mean_frame_ms {
            Some(mean) => cell(words::seconds(mean), look.plain()),
            None => cell("-", look.faint()),
        },
        Key::Took => {
            let until = batch.ended.unwrap_or(model.now);
            let took = Duration::try_from(until.duration_since(batch.assigned)).unwrap_or_default();
            cell(words::duration(took), look.plain())
        }
        Key::Started => {
            let at = batch.assigned.to_zoned_datetime(model.zone.clone());
            cell(at.strftime("%H:%M:%S").to_string(), look.faint())
        }
        Key::Note => cell(batch.note.clone().unwrap_or_default(), look.warn()),
    }
}
