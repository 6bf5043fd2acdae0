//! What is shown: immutable views of jobs and nodes that anyone may read without asking the loop, and the
//! events that tell of their changes, the newest state of each at most some ten times a second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_engine::{Farm, Now};
use farmhand_http::EventLog;
use farmhand_protocol::agent::{Hardware, Load};
use farmhand_protocol::farm::{
    FarmEvent, FrameState, FramesInState, JobView, NodeState, NodeView, Note, SlotView,
};
use farmhand_protocol::{BootId, FrameSet, JobId, NodeId};
use imbl::{OrdMap, Vector};
use tokio::sync::watch;

use crate::telemetry::{Signs, Telemetry};
use crate::touched::Touched;

/// Events are sent together, so often.
const EVENTS_EVERY: Duration = Duration::from_millis(100);

/// Views that change with time alone are looked at so often.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// A rendering node is sent so often even if nothing happened.
const NODE_EVERY: Duration = Duration::from_secs(2);

/// Lines of the diary that are kept to be shown.
const NOTES_KEPT: usize = 200;

/// Events kept for readers that reconnect.
const EVENTS_KEPT: usize = 8192;

/// Everything shown, as it was at one moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Views {
    pub(crate) jobs: OrdMap<JobId, Arc<JobView>>,
    /// By id, or by address where no agent was reached yet.
    pub(crate) nodes: OrdMap<String, Arc<NodeView>>,
    pub(crate) notes: Vector<Arc<Note>>,
}

/// The reading side.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    views: watch::Receiver<Views>,
    pub(crate) events: Arc<EventLog>,
}

impl Board {
    pub(crate) fn views(&self) -> Views {
        self.views.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Views> {
        self.views.clone()
    }
}

/// The writing side, which belongs to the loop.
pub(crate) struct Painter {
    views: Views,
    published: watch::Sender<Views>,
    events: Arc<EventLog>,
    telemetry: Arc<Telemetry>,
    unsent: Touched,
    unsent_notes: Vec<Arc<Note>>,
    sent: Instant,
    refreshed: Instant,
    nodes_sent: BTreeMap<String, Instant>,
}

impl Painter {
    pub(crate) fn new(boot: BootId, telemetry: Arc<Telemetry>) -> (Self, Board) {
        let events = Arc::new(EventLog::new(boot, EVENTS_KEPT, &FarmEvent::Reset));
        let (published, views) = watch::channel(Views::default());
        let long_ago = Instant::now();
        let painter = Self {
            views: Views::default(),
            published,
            events: Arc::clone(&events),
            telemetry,
            unsent: Touched::default(),
            unsent_notes: Vec::new(),
            sent: long_ago,
            refreshed: long_ago,
            nodes_sent: BTreeMap::new(),
        };
        (painter, Board { views, events })
    }

    /// Draws everything anew; what is gone is told.
    pub(crate) fn draw_all(&mut self, farm: &Farm, now: Now, addresses: impl Fn() -> BTreeSet<String>) {
        let jobs: BTreeSet<JobId> = farm.job_ids().collect();
        let gone: Vec<JobId> = self
            .views
            .jobs
            .keys()
            .copied()
            .filter(|id| !jobs.contains(id))
            .collect();
        for id in gone {
            self.views.jobs.remove(&id);
            self.events.publish(&FarmEvent::JobGone { id });
        }
        for id in jobs {
            self.draw_job(farm, now, id);
        }
        self.draw_nodes(farm, now, addresses);
        self.publish();
    }

    /// Draws what a turn has touched. Readers see it when this returns.
    pub(crate) fn draw(
        &mut self,
        farm: &Farm,
        now: Now,
        addresses: impl Fn() -> BTreeSet<String>,
        touched: Touched,
        notes: Vec<Note>,
    ) {
        if touched.is_empty() && notes.is_empty() {
            return;
        }
        for id in &touched.jobs {
            self.draw_job(farm, now, *id);
        }
        if touched.roll {
            self.draw_nodes(farm, now, addresses);
        } else {
            for id in &touched.nodes {
                let signs = farm
                    .node(*id)
                    .and_then(|node| self.telemetry.of(*id, &node.address));
                self.draw_node(farm, now, *id, signs.as_ref());
            }
        }
        for note in notes {
            let note = Arc::new(note);
            if self.views.notes.len() == NOTES_KEPT {
                self.views.notes.pop_front();
            }
            self.views.notes.push_back(Arc::clone(&note));
            self.unsent_notes.push(note);
        }
        self.unsent.add(touched);
        self.publish();
    }

    /// Sends what is due, and looks at what changes with time alone.
    pub(crate) fn time_passes(&mut self, farm: &Farm, now: Now, addresses: impl Fn() -> BTreeSet<String>) {
        if self.refreshed.elapsed() >= REFRESH_EVERY {
            self.refreshed = Instant::now();
            let waiting: Vec<JobId> = self
                .views
                .jobs
                .values()
                .filter(|job| !job.state.has_ended())
                .map(|job| job.id)
                .collect();
            for id in waiting {
                let before = self.views.jobs.get(&id).cloned();
                self.draw_job(farm, now, id);
                if self.views.jobs.get(&id) != before.as_ref() {
                    self.unsent.jobs.insert(id);
                }
            }
            self.draw_nodes(farm, now, addresses);
            self.publish();
        }
        if self.sent.elapsed() >= EVENTS_EVERY {
            self.sent = Instant::now();
            self.send(farm, now);
        }
    }

    fn publish(&self) {
        self.published.send_replace(self.views.clone());
    }

    fn draw_job(&mut self, farm: &Farm, now: Now, id: JobId) {
        match farm.job_view(id, now) {
            Some(view) => {
                self.views.jobs.insert(id, Arc::new(view));
            }
            None => {
                if self.views.jobs.remove(&id).is_some() {
                    self.events.publish(&FarmEvent::JobGone { id });
                }
            }
        }
    }

    fn draw_node(&mut self, farm: &Farm, now: Now, id: NodeId, signs: Option<&Signs>) {
        if let Some(view) = node_view(farm, now, id, signs) {
            self.views.nodes.insert(id.to_string(), Arc::new(view));
        }
    }

    /// All nodes, those that were never reached too, and tells of those that are new, changed or gone.
    fn draw_nodes(&mut self, farm: &Farm, now: Now, addresses: impl Fn() -> BTreeSet<String>) {
        let signs = self.telemetry.all();
        let mut nodes: OrdMap<String, Arc<NodeView>> = OrdMap::new();
        let mut reached = BTreeSet::new();
        let by_node: BTreeMap<NodeId, &Signs> = signs
            .values()
            .filter_map(|signs| Some((signs.node?, signs)))
            .collect();
        for id in farm.node_ids() {
            if let Some(view) = node_view(farm, now, id, by_node.get(&id).copied()) {
                reached.insert(view.address.clone());
                nodes.insert(id.to_string(), Arc::new(view));
            }
        }
        // A node that answers at two addresses is shown once.
        let is_known = |address: &String| {
            let known = |signs: &Signs| {
                signs.problem.is_none() && signs.node.is_some_and(|node| farm.node(node).is_some())
            };
            reached.contains(address) || signs.get(address).is_some_and(known)
        };
        for address in addresses().into_iter().filter(|address| !is_known(address)) {
            let view = unreached_view(&address, signs.get(&address), now);
            nodes.insert(address, Arc::new(view));
        }
        let before = std::mem::replace(&mut self.views.nodes, nodes);
        for (key, view) in &self.views.nodes {
            let is_due = self
                .nodes_sent
                .get(key)
                .is_none_or(|sent| sent.elapsed() >= NODE_EVERY);
            let changed = before.get(key).is_none_or(|before| !looks_like(before, view));
            if changed || (is_due && view.state == NodeState::Rendering) {
                self.events.publish(&FarmEvent::Node {
                    node: Box::new((**view).clone()),
                });
                self.nodes_sent.insert(key.clone(), Instant::now());
            }
        }
        let gone = before
            .iter()
            .filter(|(key, _)| !self.views.nodes.contains_key(*key));
        for (key, view) in gone {
            self.nodes_sent.remove(key);
            let mut shown = self.views.nodes.values();
            if !shown.any(|other| other.address == view.address) {
                let address = view.address.clone();
                self.events.publish(&FarmEvent::NodeGone { address });
            }
        }
    }

    fn send(&mut self, farm: &Farm, now: Now) {
        let unsent = std::mem::take(&mut self.unsent);
        for id in &unsent.jobs {
            if let Some(job) = self.views.jobs.get(id) {
                self.events.publish(&FarmEvent::Job {
                    job: Box::new((**job).clone()),
                });
            }
        }
        for (job, frames) in unsent.frames {
            let states = states_of(farm, job, &frames.into_iter().collect());
            if !states.is_empty() {
                self.events.publish(&FarmEvent::Frames { job, states });
            }
        }
        for id in unsent.batches {
            if let Some(batch) = farm.batch_view(id) {
                self.events.publish(&FarmEvent::Batch {
                    batch: Box::new(batch),
                });
            }
        }
        let seen = self.telemetry.take_changed();
        let mut passing: BTreeSet<String> = BTreeSet::new();
        for (_, signs) in &seen {
            if let Some(id) = signs.node {
                self.draw_node(farm, now, id, Some(signs));
                passing.insert(id.to_string());
            }
        }
        if !seen.is_empty() {
            self.publish();
        }
        for key in unsent.nodes.iter().map(NodeId::to_string) {
            passing.remove(&key);
            if let Some(node) = self.views.nodes.get(&key) {
                self.events.publish(&FarmEvent::Node {
                    node: Box::new((**node).clone()),
                });
                self.nodes_sent.insert(key, Instant::now());
            }
        }
        // Progress is not kept: who misses it gets the next.
        for key in passing {
            if let Some(node) = self.views.nodes.get(&key) {
                self.events.publish_passing(&FarmEvent::Node {
                    node: Box::new((**node).clone()),
                });
            }
        }
        for note in self.unsent_notes.drain(..) {
            self.events.publish(&FarmEvent::Note {
                note: (*note).clone(),
            });
        }
    }
}

fn states_of(farm: &Farm, job: JobId, frames: &FrameSet) -> Vec<FramesInState> {
    let mut by_state: BTreeMap<FrameState, Vec<farmhand_protocol::Frame>> = BTreeMap::new();
    for view in farm.frame_views(job, frames) {
        by_state.entry(view.state).or_default().push(view.frame);
    }
    by_state
        .into_iter()
        .map(|(state, frames)| FramesInState {
            state,
            frames: frames.into_iter().collect(),
        })
        .collect()
}

fn node_view(farm: &Farm, now: Now, id: NodeId, signs: Option<&Signs>) -> Option<NodeView> {
    let mut view = farm.node_view(id, now)?;
    let Some(signs) = signs else { return Some(view) };
    view.sent_bytes = signs.sent_bytes;
    view.pulled_bytes = signs.pulled_bytes;
    if let Some(load) = signs.load {
        view.load = load;
    }
    let cut_off = matches!(view.state, NodeState::Connecting | NodeState::Lost);
    if cut_off && let Some(problem) = &signs.problem {
        view.problem = Some(problem.clone());
    }
    view.running = signs
        .slots
        .values()
        .map(|progress| SlotView {
            job: (progress.key.farm == farm.id())
                .then(|| farm.batch(progress.key.batch))
                .flatten()
                .map(|batch| batch.job),
            progress: progress.clone(),
        })
        .collect();
    Some(view)
}

/// An address that no agent has answered from since it is known.
fn unreached_view(address: &str, signs: Option<&Signs>, now: Now) -> NodeView {
    NodeView {
        id: None,
        name: address.to_owned(),
        address: address.to_owned(),
        state: NodeState::Connecting,
        since: signs.and_then(|signs| signs.since).unwrap_or(now.wall),
        problem: signs.and_then(|signs| signs.problem.clone()),
        silent_ms: None,
        slots: 0,
        version: String::new(),
        tags: Vec::new(),
        engines: Vec::new(),
        hardware: Hardware::default(),
        load: Load::default(),
        running: Vec::new(),
        sent_bytes: signs.map_or(0, |signs| signs.sent_bytes),
        pulled_bytes: signs.map_or(0, |signs| signs.pulled_bytes),
        frames_per_minute: 0.0,
        moved: Vec::new(),
    }
}

/// Whether two views differ only in what changes all the time.
fn looks_like(a: &NodeView, b: &NodeView) -> bool {
    let still = |view: &NodeView| NodeView {
        silent_ms: None,
        load: Load::default(),
        running: Vec::new(),
        frames_per_minute: 0.0,
        ..view.clone()
    };
    still(a) == still(b)
}
