//! What a node has rendered: its batches, newest first.

use farmhand_protocol::farm::{BatchState, BatchView};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{Model, NodeScreen};
use crate::view::farm::place_in;
use crate::view::frame::panel;
use crate::view::table::{Cell, Column, Fitted, Rows, cell, column};
use crate::view::{Look, state};
use crate::words;

#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Job,
    Batch,
    Frames,
    Result,
    Mean,
    Note,
}

const COLUMNS: &[Column<Key>] = &[
    column(Key::Time, "TIME", 8, 8, false, 0),
    column(Key::Job, "JOB", 5, 24, false, 0),
    column(Key::Batch, "BATCH", 5, 6, false, 2),
    column(Key::Frames, "FRAMES", 9, 18, false, 0),
    column(Key::Result, "RESULT", 9, 14, false, 0),
    column(Key::Mean, "S/FRAME", 7, 8, true, 1),
    column(Key::Note, "NOTE", 8, 80, false, 3),
];

pub(super) fn draw(model: &Model, screen: &NodeScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let title = Line::from(vec![
        Span::styled(" History", look.key()),
        Span::styled(" newest first, enter opens the job ", look.faint()),
    ]);
    let bottom = place_in(screen.cursor.index(), screen.rows.len());
    let inside = panel(title, bottom, true, look, area, buffer);
    if screen.history.is_empty() {
        let words = if screen.is_read {
            "  it has rendered nothing yet"
        } else {
            "  reading ..."
        };
        Line::styled(words, look.faint()).render(inside, buffer);
        return;
    }
    let rows = Rows {
        columns: COLUMNS,
        first: screen.cursor.offset(),
        selected: screen.cursor.index(),
        focused: true,
    };
    let shown = screen.history.iter().skip(rows.first);
    let content = |column: &Fitted<Key>, batch: &&BatchView| content(column, batch, model, look);
    rows.draw(shown, content, look, inside, buffer);
}

fn content(column: &Fitted<Key>, batch: &BatchView, model: &Model, look: Look) -> Cell {
    match column.column.key {
        Key::Time => {
            let at = batch.assigned.to_zoned_datetime(model.zone.clone());
            cell(at.strftime("%H:%M:%S").to_string(), look.faint())
        }
        Key::Job => {
            let name = model.farm.jobs.get(&batch.job).map(|job| job.name.as_str());
            cell(
                format!("{} {}", batch.job, name.unwrap_or_default()),
                look.plain(),
            )
        }
        Key::Batch => cell(batch.id.to_string(), look.plain()),
        Key::Frames => cell(batch.frames.to_string(), look.plain()),
        Key::Result => {
            let shown = state::batch(batch, look);
            let running = matches!(batch.state, BatchState::Assigned | BatchState::Rendering);
            let text = if running {
                shown.text()
            } else {
                format!("{} {}/{}", shown.mark, batch.delivered.len(), batch.frames.len())
            };
            cell(text, shown.style)
        }
        Key::Mean => match batch.mean_frame_ms {
            Some(mean) => cell(words::seconds(mean), look.plain()),
            None => cell("-", look.faint()),
        },
        Key::Note => {
            let lost = (batch.state == BatchState::Lost).then(|| "the node was lost with it".to_owned());
            cell(batch.note.clone().or(lost).unwrap_or_default(), look.warn())
        }
    }
}
