//! The node screen: what one node is, how busy it has been, what it renders, what it has rendered.

use farmhand_protocol::farm::{BatchView, FarmEvent, Page};
use farmhand_protocol::{BatchId, NodeId};
use ratatui::layout::{Rect, Size};

use super::{Action, Command, Cursor, MIN_SIZE, Model, Screen, Tone, act, visible_rows};

/// The node screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeScreen {
    /// Its agent's base address, which stays when the node itself is replaced.
    pub(crate) address: String,
    /// Its batches, newest first, as far as they were read.
    pub(crate) history: Vec<BatchView>,
    /// Where the next older ones begin.
    next: Option<String>,
    pub(crate) is_read: bool,
    pub(crate) rows: Vec<BatchId>,
    pub(crate) cursor: Cursor<BatchId>,
    loading: bool,
    stale: bool,
}

/// Batches that are read at a time.
const PAGE: usize = 100;

/// Areas of the node screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeLayout {
    pub(crate) title: Rect,
    pub(crate) node: Rect,
    pub(crate) load: Rect,
    pub(crate) now: Rect,
    pub(crate) history: Rect,
}

impl NodeLayout {
    /// Nothing where the screen is smaller than [`MIN_SIZE`]. `facts` lines are told of the node, `slots` are
    /// busy.
    pub(crate) fn of(size: Size, facts: usize, slots: usize) -> Option<Self> {
        if size.width < MIN_SIZE.width || size.height < MIN_SIZE.height {
            return None;
        }
        let row = |y: u16, height: u16| Rect::new(0, y, size.width, height);
        let wanted = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2);
        let body = size.height - 3;
        let node = wanted(facts.max(5)).min((body * 45 / 100).max(5));
        let now = wanted((slots * 2).max(1)).min(((body - node) / 2).max(3));
        let left = size.width / 2;
        let top = row(1, node);
        Some(Self {
            title: row(0, 1),
            node: Rect { width: left, ..top },
            load: Rect {
                x: left,
                width: size.width - left,
                ..top
            },
            now: row(1 + node, now),
            history: row(1 + node + now, body - node - now),
        })
    }
}

impl Model {
    /// Areas of the node screen.
    pub(crate) fn node_layout(&self, screen: &NodeScreen) -> Option<NodeLayout> {
        let node = self.farm.nodes.get(&screen.address);
        let slots = node.map_or(0, |node| node.view.running.len());
        let facts = node.map_or(0, |node| {
            6 + node.view.engines.len() + node.view.hardware.gpus.len()
        });
        NodeLayout::of(self.size, facts, slots)
    }
}

/// Opens the screen of the node that has an agent at this address.
pub(crate) fn open(model: &mut Model, address: String) -> Vec<Command> {
    model.screens.push(Screen::Node(Box::new(NodeScreen {
        address,
        history: Vec::new(),
        next: None,
        is_read: false,
        rows: Vec::new(),
        cursor: Cursor::default(),
        loading: false,
        stale: true,
    })));
    refresh(model)
}

pub(crate) fn on_node(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Back => {
            model.screens.pop();
            Vec::new()
        }
        Action::Why => super::why::open(model),
        Action::Open => open_job(model),
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
            step(model, action)
        }
        _ => act::act(model, action),
    }
}

/// To the job of the selected batch.
fn open_job(model: &mut Model) -> Vec<Command> {
    let Some(screen) = screen(model) else {
        return Vec::new();
    };
    let selected = screen.history.get(screen.cursor.index()).map(|batch| batch.job);
    match selected {
        Some(job) if model.farm.jobs.contains_key(&job) => super::job::open(model, job),
        Some(job) => {
            model.say(Tone::Plain, format!("{job} is not on the list of jobs any more"));
            Vec::new()
        }
        None => {
            model.say(Tone::Plain, "it has rendered nothing yet");
            Vec::new()
        }
    }
}

fn screen(model: &Model) -> Option<&NodeScreen> {
    match model.screen() {
        Screen::Node(screen) => Some(screen),
        _ => None,
    }
}

fn step(model: &mut Model, action: Action) -> Vec<Command> {
    let layout = screen(model).and_then(|screen| model.node_layout(screen));
    let visible = layout.map_or(1, |layout| visible_rows(layout.history));
    let page = isize::try_from(visible.max(2) - 1).unwrap_or(isize::MAX);
    let steps = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::Top => isize::MIN,
        _ => isize::MAX,
    };
    let node = model.selected_node().and_then(|node| node.view.id);
    let Some(Screen::Node(screen)) = model.screens.last_mut() else {
        return Vec::new();
    };
    screen.cursor.move_by(&screen.rows, steps, visible);
    let at_end = screen.cursor.index() + 1 >= screen.rows.len();
    match (node, &screen.next) {
        (Some(node), Some(next)) if at_end && !screen.loading => {
            let cursor = Some(next.clone());
            screen.loading = true;
            vec![Command::LoadHistory {
                node,
                cursor,
                limit: PAGE,
            }]
        }
        _ => Vec::new(),
    }
}

/// What an event means to node screens.
pub(crate) fn heard(model: &mut Model, event: &FarmEvent) {
    let FarmEvent::Batch { batch } = event else { return };
    if !model
        .screens
        .iter()
        .any(|screen| matches!(screen, Screen::Node(_)))
    {
        return;
    }
    let mut ids = model
        .farm
        .nodes
        .values()
        .map(|node| (&node.view.address, node.view.id));
    let address = ids
        .find(|(_, id)| *id == Some(batch.node))
        .map(|(address, _)| address.clone());
    for screen in &mut model.screens {
        if let Screen::Node(screen) = screen
            && Some(&screen.address) == address.as_ref()
        {
            match screen.history.iter_mut().find(|known| known.id == batch.id) {
                Some(known) => known.clone_from(batch),
                None => screen.stale = true,
            }
        }
    }
}

/// Once a second: reads the newest batches anew where there are others.
pub(crate) fn refresh(model: &mut Model) -> Vec<Command> {
    let node = model.selected_node().and_then(|node| node.view.id);
    let Some(Screen::Node(screen)) = model.screens.last_mut() else {
        return Vec::new();
    };
    match node {
        Some(node) if screen.stale && !screen.loading => {
            screen.stale = false;
            screen.loading = true;
            let (cursor, limit) = (None, PAGE.max(screen.history.len()).min(500));
            vec![Command::LoadHistory { node, cursor, limit }]
        }
        _ => Vec::new(),
    }
}

/// Batches of a node were read: the newest, or those before `cursor`.
pub(crate) fn loaded(
    model: &mut Model,
    node: NodeId,
    cursor: Option<&str>,
    result: Result<Page<BatchView>, String>,
) {
    let of_node = |address: &str| {
        let entry = model.farm.nodes.get(address)?;
        (entry.view.id == Some(node)).then_some(())
    };
    let shown = model
        .screens
        .iter()
        .rposition(|screen| matches!(screen, Screen::Node(screen) if of_node(&screen.address).is_some()));
    let Some(place) = shown else { return };
    let layout = match &model.screens[place] {
        Screen::Node(screen) => model.node_layout(screen),
        _ => None,
    };
    let Screen::Node(screen) = &mut model.screens[place] else {
        return;
    };
    screen.loading = false;
    match result {
        Ok(page) => {
            if cursor.is_none() {
                screen.history = page.items;
            } else {
                screen.history.extend(page.items);
            }
            screen.next = page.next;
            screen.is_read = true;
            screen.rows = screen.history.iter().map(|batch| batch.id).collect();
            let visible = layout.map_or(1, |layout| visible_rows(layout.history));
            screen.cursor.settle_on_top(&screen.rows, visible);
        }
        Err(error) => model.say(Tone::Bad, error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn areas_fill_the_screen_but_its_last_two_lines_at_every_size(
            width in 60_u16..=300, height in 16_u16..=100, facts in 0_usize..40, slots in 0_usize..40,
        ) {
            let layout = NodeLayout::of(Size::new(width, height), facts, slots).unwrap();
            prop_assert_eq!(layout.node.bottom(), layout.now.y);
            prop_assert_eq!(layout.now.bottom(), layout.history.y);
            prop_assert_eq!(layout.history.bottom(), height - 2);
            prop_assert!(layout.history.height >= 3 && layout.now.height >= 3, "{:?}", layout);
            prop_assert_eq!(layout.node.width + layout.load.width, width);
        }
    }
}
