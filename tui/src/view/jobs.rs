//! The table of jobs.

use std::time::Duration;

use farmhand_protocol::farm::{FrameCounts, JobState, JobView};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::farm::{place_in, table_words, title};
use super::frame::{line_of, panel};
use super::table::{Cell, Column, Fitted, Rows, cell, column, named};
use super::{Look, state};
use crate::app::{Model, Panel, Table, Target};
use crate::words;

#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Id,
    Name,
    Priority,
    State,
    Progress,
    Done,
    Failed,
    Elapsed,
    Eta,
    User,
}

pub(super) const COLUMNS: &[Column<Key>] = &[
    column(Key::Id, "ID", 4, 5, false, 0),
    column(Key::Name, "NAME", 12, 40, false, 0),
    column(Key::Priority, "PRI", 4, 4, true, 5),
    column(Key::State, "STATE", 8, 8, false, 0),
    column(Key::Progress, "PROGRESS", 8, 40, false, 1),
    column(Key::Done, "DONE", 9, 11, true, 0),
    column(Key::Failed, "FAIL", 4, 4, true, 0),
    column(Key::Elapsed, "ELAPSED", 7, 7, true, 4),
    column(Key::Eta, "ETA", 7, 7, true, 2),
    column(Key::User, "USER", 6, 10, false, 6),
];

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let focused = model.focus == Panel::Jobs;
    let count = model.job_rows.len();
    let (name, more) = table_words("Jobs", &model.shown_jobs, count, model.farm.jobs.len());
    let heading = title(Panel::Jobs, &name, &more, focused, look);
    let bottom = place_in(model.jobs.index(), count);
    let inside = panel(heading, bottom, focused, look, area, buffer);
    if count == 0 {
        empty(model, look, inside, buffer);
        return;
    }
    let rows = Rows {
        columns: &named(COLUMNS, model.columns_of(Table::Jobs)),
        first: model.jobs.offset(),
        selected: model.jobs.index(),
        focused,
    };
    let ids = model.job_rows.iter().skip(rows.first);
    let shown = ids.map_while(|id| model.farm.jobs.get(id));
    let content = |column: &Fitted<Key>, job: &&JobView| content(column, job, model, look);
    rows.draw(shown, content, look, inside, buffer);
}

fn empty(model: &Model, look: Look, inside: Rect, buffer: &mut Buffer) {
    let lines = if !model.farm.jobs.is_empty() {
        vec![Line::styled(
            "  No job is like this. esc shows all.",
            look.faint(),
        )]
    } else if model.farm.view.is_none() {
        vec![Line::styled("  reading the farm ...", look.faint())]
    } else {
        vec![
            Line::raw(""),
            Line::from(vec![
                Span::raw("  No jobs. Press "),
                Span::styled("n", look.key()),
                Span::raw(" to submit one, or run"),
            ]),
            Line::styled("    farmhand submit SCENE.blend", look.strong()),
        ]
    };
    for (index, line) in lines.into_iter().enumerate() {
        if let Some(place) = line_of(inside, index) {
            line.render(place, buffer);
        }
    }
}

fn content(column: &Fitted<Key>, job: &JobView, model: &Model, look: Look) -> Cell {
    let shown = state::job(job.state, look);
    let counts = &job.counts;
    match column.column.key {
        Key::Id => cell(job.id.to_string(), look.plain()),
        Key::Name => cell(job.name.clone(), look.plain()),
        Key::Priority => cell(job.priority.to_string(), look.plain()),
        Key::State => state::acting(model, &Target::Job(job.id), look)
            .unwrap_or_else(|| cell(shown.text(), shown.style)),
        Key::Progress => progress(counts, column.width, look),
        Key::Done => cell(format!("{}/{}", counts.delivered, counts.total()), look.plain()),
        Key::Failed if counts.failed > 0 => cell(counts.failed.to_string(), look.bad()),
        Key::Failed => cell("0", look.faint()),
        Key::Elapsed => cell(
            elapsed(job, model).unwrap_or_else(|| "--".to_owned()),
            look.plain(),
        ),
        Key::Eta => cell(left(job), look.plain()),
        Key::User => cell(job.user.clone(), look.plain()),
    }
}

/// Delivered, failed, under way and open frames as one bar.
fn progress(counts: &FrameCounts, width: usize, look: Look) -> Cell {
    let total = u64::from(counts.total().max(1));
    let cells = u64::try_from(width).unwrap_or(0);
    let share = |count: u32| {
        let share = u64::from(count) * cells / total;
        usize::try_from(share.max(u64::from(count > 0))).unwrap_or(0)
    };
    let mut left = width;
    let mut take = |wanted: usize| {
        let taken = wanted.min(left);
        left -= taken;
        taken
    };
    let failed = take(share(counts.failed));
    let moving = take(share(counts.rendering));
    let delivered = if counts.delivered == counts.total() {
        take(width)
    } else {
        take(share(counts.delivered))
    };
    let cancelled = take(share(counts.cancelled));
    vec![
        Span::styled("█".repeat(delivered), look.good()),
        Span::styled("▒".repeat(moving), look.active()),
        Span::styled("░".repeat(left), look.faint()),
        Span::styled("–".repeat(cancelled), look.faint()),
        Span::styled("✗".repeat(failed), look.bad()),
    ]
}

/// Time to the expected end; nothing where the farm expects none, or the job does not go on.
fn left(job: &JobView) -> String {
    job.eta_ms
        .filter(|_| !job.state.has_ended() && job.state != JobState::Paused)
        .map_or_else(
            || "--".to_owned(),
            |ms| words::duration(Duration::from_millis(ms)),
        )
}

/// What the table says of a job's end.
#[cfg(test)]
pub(crate) fn expected_end(model: &Model, job: farmhand_protocol::JobId) -> String {
    left(&model.farm.jobs[&job])
}

fn elapsed(job: &JobView, model: &Model) -> Option<String> {
    let end = job.ended.unwrap_or(model.now);
    let spent = end.duration_since(job.started?);
    Some(words::duration(Duration::try_from(spent).unwrap_or_default()))
}
