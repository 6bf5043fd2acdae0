//! The table of nodes: what each slot renders, how far it is.

use std::collections::BTreeSet;

use farmhand_protocol::farm::{MovedFrames, NodeState, NodeView, SlotView};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::farm::{place_in, table_words, title};
use super::frame::{line_of, panel};
use super::table::{Cell, Column, Fitted, Mark, cell, choose, column, head, named, row};
use super::text::{bar, fit};
use super::{Look, state};
use crate::app::{Model, NodeEntry, NodeRow, Panel, Table, Target};
use crate::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Node,
    State,
    Batch,
    Frame,
    Sample,
    Gauge,
    Left,
    Memory,
    Rate,
}

pub(super) const COLUMNS: &[Column<Key>] = &[
    column(Key::Node, "NODE", 10, 24, false, 0),
    column(Key::State, "STATE", 9, 9, false, 0),
    column(Key::Batch, "JOB/BATCH", 9, 11, false, 1),
    column(Key::Frame, "FRAME", 5, 8, true, 0),
    column(Key::Sample, "SAMPLE", 9, 9, true, 3),
    column(Key::Gauge, "FRAME%", 12, 40, false, 0),
    column(Key::Left, "LEFT", 6, 7, true, 4),
    column(Key::Memory, "MEM", 8, 8, true, 5),
    column(Key::Rate, "F/MIN", 5, 6, true, 2),
];

/// Seconds without a word after which a rendering node's numbers are called old.
const STALE: u64 = 6;

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let focused = model.focus == Panel::Nodes;
    let count = model.node_rows.len();
    let nodes: BTreeSet<&str> = model.node_rows.iter().map(|row| row.address.as_str()).collect();
    let (name, more) = table_words("Nodes", &model.shown_nodes, nodes.len(), model.farm.nodes.len());
    let heading = title(Panel::Nodes, &name, &more, focused, look);
    let bottom = place_in(model.nodes.index(), model.node_rows.len());
    let inside = panel(heading, bottom, focused, look, area, buffer);
    if count == 0 {
        empty(model, look, inside, buffer);
        return;
    }
    let columns = choose(&named(COLUMNS, model.columns_of(Table::Nodes)), inside.width);
    head(&columns, look).render(inside, buffer);
    for (line, (index, id)) in (1..).zip(model.node_rows.iter().enumerate().skip(model.nodes.offset())) {
        let (Some(place), Some(node)) = (line_of(inside, line), model.farm.nodes.get(&id.address)) else {
            break;
        };
        let mark = match index == model.nodes.index() {
            true if focused => Mark::Focused,
            true => Mark::Selected,
            false => Mark::None,
        };
        let slot = node.view.running.get(id.place);
        if let Some(words) = note(node, slot, model) {
            noted_row(&columns, node, words, mark, (model, look), place, buffer);
        } else {
            let cells = columns
                .iter()
                .map(|column| content(column, node, id, slot, model, look))
                .collect();
            row(&columns, cells, mark, look, place, buffer);
        }
    }
}

/// Words that stand in the place of numbers: why a node renders nothing, or how old its numbers are.
fn note(node: &NodeEntry, slot: Option<&SlotView>, model: &Model) -> Option<String> {
    let view = &node.view;
    let silent = node.silent_seconds(model.now);
    let seen = silent.map(|seconds| {
        let ago = std::time::Duration::from_secs(seconds);
        format!("last seen {} ago", words::duration(ago))
    });
    match view.state {
        NodeState::Lost => {
            let seen = seen.unwrap_or_else(|| "never seen".to_owned());
            let more = match view.moved.as_slice() {
                [] => view.problem.as_deref().map(|problem| format!(": {problem}")),
                moved => Some(format!("  {}", moved_words(moved))),
            };
            Some(seen + &more.unwrap_or_default())
        }
        NodeState::Connecting | NodeState::Unfit => {
            Some(view.problem.clone().unwrap_or_else(|| "no answer yet".to_owned()))
        }
        _ if slot.is_some() && silent.is_some_and(|seconds| seconds >= STALE) => seen,
        _ => None,
    }
}

/// Where a lost node's frames went: `j7 b11 -> re-queued to rtx-02`.
pub(super) fn moved_words(moved: &[MovedFrames]) -> String {
    let said: Vec<String> = moved
        .iter()
        .map(|moved| match &moved.to {
            Some(node) => format!(
                "{} {} f{} -> re-queued to {node}",
                moved.job, moved.batch, moved.frames
            ),
            None => format!("{} {} f{} -> waits again", moved.job, moved.batch, moved.frames),
        })
        .collect();
    said.join(", ")
}

/// A row with words behind name and state.
fn noted_row(
    columns: &[Fitted<Key>],
    node: &NodeEntry,
    words: String,
    mark: Mark,
    (model, look): (&Model, Look),
    place: Rect,
    buffer: &mut Buffer,
) {
    let named = |column: &&Fitted<Key>| matches!(column.column.key, Key::Node | Key::State);
    let first: Vec<Fitted<Key>> = columns.iter().filter(named).copied().collect();
    let rest: Vec<Fitted<Key>> = columns.iter().filter(|column| !named(column)).copied().collect();
    let width = rest
        .iter()
        .map(|column| column.width + 1)
        .sum::<usize>()
        .saturating_sub(1);
    let mut cells: Vec<Cell> = first
        .iter()
        .map(|column| match column.column.key {
            Key::Node => cell(name(&node.view), look.plain()),
            _ => state_cell(&node.view, model, look),
        })
        .collect();
    let wide = Fitted {
        column: Column {
            key: Key::Gauge,
            title: "",
            width: 0,
            most: 0,
            right: false,
            rank: 0,
        },
        width,
    };
    let style = if node.view.state == NodeState::Connecting {
        look.faint()
    } else {
        look.warn()
    };
    cells.push(cell(words, style));
    let columns: Vec<Fitted<Key>> = first.into_iter().chain([wide]).collect();
    row(&columns, cells, mark, look, place, buffer);
}

fn empty(model: &Model, look: Look, inside: Rect, buffer: &mut Buffer) {
    let lines = if !model.farm.nodes.is_empty() {
        vec![Line::styled(
            "  No node is like this. esc shows all.",
            look.faint(),
        )]
    } else if model.farm.view.is_none() {
        vec![Line::raw("")]
    } else {
        vec![
            Line::raw(""),
            Line::raw("  No nodes yet. On each machine that shall render, run"),
            Line::styled("    farmhand-agent --listen 127.0.0.1:3001", look.strong()),
            Line::from(vec![
                Span::raw("  then press "),
                Span::styled("a", look.key()),
                Span::raw(" here and name its address."),
            ]),
        ]
    };
    for (index, line) in lines.into_iter().enumerate() {
        if let Some(place) = line_of(inside, index) {
            line.render(place, buffer);
        }
    }
}

fn state_cell(view: &NodeView, model: &Model, look: Look) -> Cell {
    let acting = view
        .id
        .and_then(|id| state::acting(model, &Target::Node(id), look));
    let shown = state::node(view.state, look);
    acting.unwrap_or_else(|| cell(shown.text(), shown.style))
}

/// Until its agent has told its name, its address.
fn name(view: &NodeView) -> String {
    let place = view.name.split_once("://").map(|(_, place)| place);
    place.unwrap_or(&view.name).to_owned()
}

fn content(
    column: &Fitted<Key>,
    node: &NodeEntry,
    id: &NodeRow,
    slot: Option<&SlotView>,
    model: &Model,
    look: Look,
) -> Cell {
    let view = &node.view;
    let further = id.place > 0;
    let dash = || cell("-", look.faint());
    match column.column.key {
        Key::Node if further => cell(" └", look.faint()),
        Key::Node => cell(name(view), look.plain()),
        Key::State if further => {
            let shown = state::node(NodeState::Rendering, look);
            cell(shown.text(), shown.style)
        }
        Key::State => state_cell(view, model, look),
        Key::Rate if further => cell("", look.plain()),
        Key::Rate if view.frames_per_minute > 0.0 => {
            cell(format!("{:.1}", view.frames_per_minute), look.plain())
        }
        Key::Rate => dash(),
        _ => slot.map_or_else(dash, |slot| slot_content(column, slot, look)),
    }
}

fn slot_content(column: &Fitted<Key>, slot: &SlotView, look: Look) -> Cell {
    let progress = &slot.progress;
    let dash = || cell("-", look.faint());
    match column.column.key {
        Key::Batch => match slot.job {
            Some(job) => cell(format!("{job}/{}", progress.key.batch), look.plain()),
            None => cell("other", look.faint()),
        },
        Key::Frame => progress
            .frame
            .map_or_else(dash, |frame| cell(frame.to_string(), look.plain())),
        Key::Sample => match (progress.sample, progress.samples) {
            (Some(sample), Some(samples)) => cell(format!("{sample}/{samples}"), look.plain()),
            _ => dash(),
        },
        Key::Gauge => gauge(slot, column.width, look),
        Key::Left => progress.remaining_ms.map_or_else(dash, |ms| {
            cell(
                words::duration(std::time::Duration::from_millis(ms)),
                look.plain(),
            )
        }),
        Key::Memory if progress.memory_bytes > 0 => cell(
            words::bytes(progress.memory_bytes).replace("iB", ""),
            look.plain(),
        ),
        _ => dash(),
    }
}

/// How far the frame is: a bar and a number where Blender tells, else what goes on in words.
pub(super) fn gauge(slot: &SlotView, width: usize, look: Look) -> Cell {
    let progress = &slot.progress;
    let far = match (progress.sample, progress.samples, progress.remaining_ms) {
        (Some(sample), Some(samples), _) if samples > 0 => Some((u64::from(sample), u64::from(samples))),
        (_, _, Some(left)) => Some((progress.elapsed_ms, progress.elapsed_ms.saturating_add(left))),
        _ => None,
    };
    let (Some((part, whole)), Some(_)) = (far, progress.frame) else {
        return cell(progress.doing.clone(), look.faint());
    };
    let percent = format!("{:>3}%", (part.saturating_mul(100) / whole.max(1)).min(100));
    let (full, empty) = bar(part, whole, width.saturating_sub(5));
    vec![
        Span::styled(full, look.active()),
        Span::styled(empty, look.faint()),
        Span::raw(fit(&percent, 5.min(width), true)),
    ]
}
