//! The palette: everything that can be done or gone to, found by a few letters of it.

use crossterm::event::{Event, KeyEvent};
use farmhand_protocol::farm::{BatchState, NodeState};
use farmhand_protocol::{BatchId, JobId};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::farm_screen::{go_to_batch, go_to_job, go_to_node};
use super::keys::Binding;
use super::update::on_action;
use super::{Action, Command, Context, Model, Overlay, Panel, Screen, Tone, availability};

/// A palette that is open.
#[derive(Debug, Clone)]
pub(crate) struct Palette {
    pub(crate) input: Input,
    entries: Vec<Entry>,
    /// Places of the entries that match, the best first.
    hits: Vec<usize>,
    pub(crate) marked: usize,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What is typed to find it.
    pub(crate) name: String,
    pub(crate) about: String,
    /// The key that does the same; empty where there is none.
    pub(crate) key: String,
    /// Why it cannot be done now.
    pub(crate) refused: Option<String>,
    run: Run,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Run {
    /// As if the key had been pressed.
    Action(Action),
    /// An action on something that is selected first.
    Job(JobId, Action),
    Batch(JobId, BatchId, Action),
    Node(String, Action),
}

impl Palette {
    fn new(entries: Vec<Entry>) -> Self {
        let mut palette = Self {
            input: Input::default(),
            entries,
            hits: Vec::new(),
            marked: 0,
        };
        palette.search();
        palette
    }

    /// Entries that match what was typed, the best first.
    pub(crate) fn hits(&self) -> impl Iterator<Item = &Entry> {
        self.hits.iter().filter_map(|place| self.entries.get(*place))
    }

    pub(crate) fn count(&self) -> usize {
        self.hits.len()
    }

    fn search(&mut self) {
        let typed = self.input.value();
        self.marked = 0;
        if typed.trim().is_empty() {
            self.hits = (0..self.entries.len()).collect();
            return;
        }
        let pattern = Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut letters = Vec::new();
        let mut scored: Vec<(u32, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| {
                let name = pattern.score(Utf32Str::new(&entry.name, &mut letters), &mut matcher);
                // What an entry is about helps to find it, but its name counts.
                let score = name
                    .map(|score| score * 4)
                    .or_else(|| pattern.score(Utf32Str::new(&entry.about, &mut letters), &mut matcher))?;
                Some((score, place))
            })
            .collect();
        scored.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
        self.hits = scored.into_iter().map(|(_, place)| place).collect();
    }
}

/// Opens the palette over the screen that is shown.
pub(crate) fn open(model: &mut Model) -> Vec<Command> {
    model.overlay = Some(Overlay::Palette(Palette::new(entries(model))));
    Vec::new()
}

fn entries(model: &Model) -> Vec<Entry> {
    let context = model.context();
    let key_of = |action: Action| {
        let binding = model
            .keys
            .of(Context::Farm)
            .find(|binding| binding.action == action);
        binding.map(Binding::label).unwrap_or_default()
    };
    let mut entries: Vec<Entry> = model
        .keys
        .of(context)
        .filter(|binding| binding.action != Action::Palette)
        .map(|binding| Entry {
            name: binding.action.name(),
            about: binding.help.to_owned(),
            key: binding.label(),
            refused: availability(model, binding.action).err(),
            run: Run::Action(binding.action),
        })
        .collect();
    let mut add = |name: String, about: String, action: Action, run: Run| {
        entries.push(Entry {
            name,
            about,
            key: key_of(action),
            refused: None,
            run,
        });
    };
    for job in model.farm.jobs.values().rev() {
        let (id, name) = (job.id, &job.name);
        let about = format!(
            "{}, {}/{}",
            job.state.word(),
            job.counts.delivered,
            job.counts.total()
        );
        let mut job_entry = |verb: &str, action| {
            add(
                format!("{verb} {id} {name}"),
                about.clone(),
                action,
                Run::Job(id, action),
            );
        };
        job_entry("job", Action::Open);
        if !job.state.has_ended() {
            job_entry("cancel", Action::Cancel);
            job_entry("pause", Action::PauseOrResume);
        }
        if job.counts.failed + job.counts.cancelled > 0 {
            job_entry("retry", Action::Retry);
        }
    }
    for node in model.farm.nodes.values() {
        let (name, address) = (&node.view.name, &node.view.address);
        let about = format!("{} at {address}", node.view.state.word());
        add(
            format!("node {name}"),
            about.clone(),
            Action::Open,
            Run::Node(address.clone(), Action::Open),
        );
        if node.view.id.is_some() {
            let drained = matches!(node.view.state, NodeState::Draining | NodeState::Drained);
            let verb = if drained { "undrain" } else { "drain" };
            let run = Run::Node(address.clone(), Action::Drain);
            add(format!("{verb} {name}"), about, Action::Drain, run);
        }
    }
    for batch in model.farm.batches.values().flat_map(|batches| batches.values()) {
        let (id, job) = (batch.id, batch.job);
        let about = format!("{} of {job} on {}", batch.frames, batch.node_name);
        if matches!(batch.state, BatchState::Assigned | BatchState::Rendering) {
            let run = Run::Batch(job, id, Action::Cancel);
            add(format!("cancel {id}"), about.clone(), Action::Cancel, run);
        }
        let run = Run::Batch(job, id, Action::Open);
        add(format!("batch {id}"), about, Action::Open, run);
    }
    entries
}

pub(crate) fn on_palette(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Overlay::Palette(palette)) = &mut model.overlay else {
        return Vec::new();
    };
    let count = palette.count();
    match action {
        Action::Down if count > 0 => palette.marked = (palette.marked + 1) % count,
        Action::Up if count > 0 => palette.marked = (palette.marked + count - 1) % count,
        Action::Back => model.overlay = None,
        Action::Choose => {
            let Some(entry) = palette.hits().nth(palette.marked).cloned() else {
                return Vec::new();
            };
            model.overlay = None;
            return match entry.refused {
                Some(reason) => {
                    model.say(Tone::Plain, reason);
                    Vec::new()
                }
                None => run(model, entry.run),
            };
        }
        _ => {}
    }
    Vec::new()
}

fn run(model: &mut Model, run: Run) -> Vec<Command> {
    let (mut commands, action) = match run {
        Run::Action(action) => {
            let context = model.context();
            return on_action(model, context, action);
        }
        Run::Job(job, action) => {
            at_home(model, Panel::Jobs);
            (go_to_job(model, job), action)
        }
        Run::Batch(job, batch, action) => {
            at_home(model, Panel::Batches);
            (go_to_batch(model, job, batch), action)
        }
        Run::Node(address, action) => {
            at_home(model, Panel::Nodes);
            go_to_node(model, &address);
            (Vec::new(), action)
        }
    };
    commands.extend(on_action(model, Context::Farm, action));
    commands
}

/// Back to the farm screen, with the focus on a panel.
fn at_home(model: &mut Model, panel: Panel) {
    model.screens = vec![Screen::Farm];
    model.focus = panel;
    model.settle_all();
}

pub(crate) fn type_in_palette(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Overlay::Palette(palette)) = &mut model.overlay {
        palette.input.handle_event(&Event::Key(key));
        palette.search();
    }
    Vec::new()
}
