//! The table of the selected job's batches.

use std::collections::BTreeMap;

use farmhand_protocol::farm::BatchView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::farm::{place_in, table_words, title};
use super::frame::panel;
use super::table::{Cell, Column, Fitted, Rows, cell, column, named};
use super::{Look, state};
use crate::app::{Model, Panel, Table, Target};

#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Id,
    Frames,
    Node,
    State,
    Done,
    Failed,
}

pub(super) const COLUMNS: &[Column<Key>] = &[
    column(Key::Id, "BATCH", 5, 6, false, 0),
    column(Key::Frames, "FRAMES", 9, 24, false, 0),
    column(Key::Node, "NODE", 8, 20, false, 1),
    column(Key::State, "STATE", 8, 8, false, 0),
    column(Key::Done, "DONE", 5, 9, true, 0),
    column(Key::Failed, "FAIL", 4, 4, true, 2),
];

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let focused = model.focus == Panel::Batches;
    let rows = &model.batch_rows;
    let all = model.jobs.selected().and_then(|job| model.farm.batches.get(job));
    let all = all.map_or(0, BTreeMap::len);
    let (name, more) = table_words("Batches", &model.shown_batches, rows.len(), all);
    let of = model.selected_job().map(|job| format!("of {}  ", job.id));
    let more = of.unwrap_or_default() + &more;
    let heading = title(Panel::Batches, &name, &more, focused, look);
    let inside = panel(
        heading,
        place_in(model.batches.index(), rows.len()),
        focused,
        look,
        area,
        buffer,
    );
    if rows.is_empty() {
        let hidden = all > 0;
        let words = model.selected_job().map(|job| {
            if hidden {
                return "  No batch is like this. esc shows all.".to_owned();
            }
            let reason = job
                .reason
                .as_deref()
                .unwrap_or("no frame of it was handed out yet");
            format!("  {}: {reason}", job.id)
        });
        Line::styled(words.unwrap_or_default(), look.faint()).render(inside, buffer);
        return;
    }
    let Some(job) = model.jobs.selected() else { return };
    let rows = Rows {
        columns: &named(COLUMNS, model.columns_of(Table::Batches)),
        first: model.batches.offset(),
        selected: model.batches.index(),
        focused,
    };
    let ids = model.batch_rows.iter().skip(rows.first);
    let shown = ids.map_while(|id| model.farm.batch(*job, *id));
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
            state::acting(model, &Target::Batch(batch.id), look)
                .unwrap_or_else(|| cell(shown.text(), shown.style))
        }
        Key::Done => cell(
            format!("{}/{}", batch.delivered.len(), batch.frames.len()),
            look.plain(),
        ),
        Key::Failed if batch.failed.is_empty() => cell("0", look.faint()),
        Key::Failed => cell(batch.failed.len().to_string(), look.bad()),
    }
}
