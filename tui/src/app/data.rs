//! What the dashboard knows of the farm: the newest view of each thing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use farmhand_protocol::farm::{
    BatchView, FarmEvent, FarmView, JobDetail, JobState, JobView, NodeState, NodeView, Note,
};
use farmhand_protocol::{BatchId, JobId};
use jiff::Timestamp;

/// Lines of the diary that are kept.
const MOST_NOTES: usize = 2000;
/// Batches of a job that are kept, as many as the farm lists.
const MOST_BATCHES: usize = 500;

/// All lists of a farm, read at one time.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) farm: FarmView,
    pub(crate) jobs: Vec<JobView>,
    pub(crate) nodes: Vec<NodeView>,
}

/// A node and when it was last heard from, as far as we can tell.
#[derive(Debug, Clone)]
pub(crate) struct NodeEntry {
    pub(crate) view: NodeView,
    heard: Option<Timestamp>,
    samples: Vec<Sample>,
}

/// How busy a node was at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// Share of all processors, 0 to 1.
    pub(crate) cpu: f32,
    pub(crate) memory_bytes: u64,
}

/// Samples of a node that are kept, at most one a second.
const MOST_SAMPLES: usize = 180;

impl NodeEntry {
    fn new(view: NodeView, now: Timestamp) -> Self {
        let heard = view.silent_ms.map(|ms| {
            let silent = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
            now.checked_sub(silent).unwrap_or(Timestamp::MIN)
        });
        let mut entry = Self {
            view,
            heard,
            samples: Vec::new(),
        };
        entry.sample(now);
        entry
    }

    /// Takes the samples of what was known of the node before.
    fn after(mut self, before: Option<Self>, now: Timestamp) -> Self {
        if let Some(before) = before {
            self.samples = before.samples;
            self.sample(now);
        }
        self
    }

    fn sample(&mut self, now: Timestamp) {
        // Before its first sign of life it has no load, and a lost one has none any more.
        let is_heard = self.view.silent_ms.is_some() && self.view.state != NodeState::Lost;
        let is_due = self
            .samples
            .last()
            .is_none_or(|last| now.duration_since(last.at).as_secs() >= 1);
        if !is_heard || !is_due {
            return;
        }
        if self.samples.len() == MOST_SAMPLES {
            self.samples.remove(0);
        }
        self.samples.push(Sample {
            at: now,
            cpu: self.view.load.cpu,
            memory_bytes: self.view.load.memory_bytes,
        });
    }

    /// How busy it was since it is watched, oldest first.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How long it has been silent, in seconds; nothing before its first sign of life.
    pub(crate) fn silent_seconds(&self, now: Timestamp) -> Option<u64> {
        let silent = now.duration_since(self.heard?);
        Some(u64::try_from(silent.as_secs()).unwrap_or(0))
    }
}

/// A row of the node table: one for each busy slot, one for an idle node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRow {
    pub(crate) address: String,
    /// Place among the node's busy slots; 0 for an idle one.
    pub(crate) place: usize,
}

/// Which tables have other rows than before.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each table")]
pub(crate) struct Changed {
    pub(crate) jobs: bool,
    pub(crate) nodes: bool,
    pub(crate) batches: bool,
    pub(crate) notes: bool,
    /// A job says something else than before.
    pub(crate) some_job: bool,
    /// A node does.
    pub(crate) some_node: bool,
}

/// The farm as it is known. Empty until the first snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Farm {
    pub(crate) view: Option<FarmView>,
    pub(crate) jobs: BTreeMap<JobId, JobView>,
    pub(crate) nodes: BTreeMap<String, NodeEntry>,
    pub(crate) batches: BTreeMap<JobId, BTreeMap<BatchId, BatchView>>,
    pub(crate) notes: VecDeque<Note>,
    /// Lines that were dropped because there were too many.
    pub(crate) notes_dropped: u64,
    /// Jobs whose batches were read since the last reset.
    pub(crate) read: BTreeSet<JobId>,
    touched: Touched,
}

/// What events have said since a snapshot was asked for; it may be older than they are.
#[derive(Debug, Clone, Default)]
struct Touched {
    jobs: BTreeSet<JobId>,
    nodes: BTreeSet<String>,
    notes: Vec<Note>,
}

impl Farm {
    /// To be called when a snapshot is asked for.
    pub(crate) fn expect_snapshot(&mut self) {
        self.touched = Touched::default();
        self.read.clear();
    }

    /// Takes a snapshot over, except where newer events have come since it was asked for.
    pub(crate) fn take(&mut self, snapshot: Snapshot, now: Timestamp) {
        let touched = std::mem::take(&mut self.touched);
        let mut jobs: BTreeMap<JobId, JobView> = snapshot.jobs.into_iter().map(|job| (job.id, job)).collect();
        for id in touched.jobs {
            match self.jobs.remove(&id) {
                Some(newer) => jobs.insert(id, newer),
                None => jobs.remove(&id),
            };
        }
        let mut nodes: BTreeMap<String, NodeEntry> = snapshot
            .nodes
            .into_iter()
            .map(|node| {
                let address = node.address.clone();
                let before = self.nodes.get(&address).cloned();
                (address, NodeEntry::new(node, now).after(before, now))
            })
            .collect();
        for address in touched.nodes {
            match self.nodes.remove(&address) {
                Some(newer) => nodes.insert(address, newer),
                None => nodes.remove(&address),
            };
        }
        self.notes = snapshot.farm.notes.iter().cloned().collect();
        for note in touched.notes {
            if !self.notes.contains(&note) {
                self.notes.push_back(note);
            }
        }
        self.batches.retain(|job, _| jobs.contains_key(job));
        self.view = Some(snapshot.farm);
        self.jobs = jobs;
        self.nodes = nodes;
    }

    /// Takes a job's batches over.
    pub(crate) fn take_detail(&mut self, detail: &JobDetail) {
        let batches = detail
            .batches
            .iter()
            .map(|batch| (batch.id, batch.clone()))
            .collect();
        self.batches.insert(detail.job.id, batches);
        self.read.insert(detail.job.id);
    }

    /// Takes one event over. A reset is none of its business.
    pub(crate) fn apply(&mut self, event: FarmEvent, now: Timestamp) -> Changed {
        let mut changed = Changed::default();
        match event {
            FarmEvent::Job { job } => {
                self.touched.jobs.insert(job.id);
                let place = |job: &JobView| (job.state.has_ended(), job.priority);
                let before = self.jobs.get(&job.id).map(place);
                changed.jobs = before != Some(place(&job));
                changed.some_job = true;
                self.jobs.insert(job.id, *job);
            }
            FarmEvent::JobGone { id } => {
                self.touched.jobs.insert(id);
                self.batches.remove(&id);
                changed.jobs = self.jobs.remove(&id).is_some();
            }
            FarmEvent::Batch { batch } => {
                let batches = self.batches.entry(batch.job).or_default();
                changed.batches = batches.insert(batch.id, *batch).is_none();
                if batches.len() > MOST_BATCHES {
                    batches.pop_first();
                }
            }
            FarmEvent::Node { node } => {
                self.touched.nodes.insert(node.address.clone());
                let rows = |entry: &NodeEntry| entry.view.running.len().max(1);
                let entry = NodeEntry::new(*node, now);
                let before = self.nodes.remove(&entry.view.address);
                changed.nodes = before.as_ref().map(rows) != Some(rows(&entry));
                changed.some_node = true;
                let entry = entry.after(before, now);
                self.nodes.insert(entry.view.address.clone(), entry);
            }
            FarmEvent::NodeGone { address } => {
                changed.nodes = self.nodes.remove(&address).is_some();
                self.touched.nodes.insert(address);
            }
            FarmEvent::Note { note } => {
                // It may be in the snapshot that overtook it.
                let as_late = self.notes.iter().rev().take_while(|known| known.at >= note.at);
                if as_late.into_iter().any(|known| *known == note) {
                    return changed;
                }
                if self.touched.notes.len() < MOST_NOTES {
                    self.touched.notes.push(note.clone());
                }
                self.notes.push_back(note);
                if self.notes.len() > MOST_NOTES {
                    self.notes.pop_front();
                    self.notes_dropped += 1;
                }
                changed.notes = true;
            }
            // Frames are counted in the job's own view; of other kinds we know nothing.
            _ => {}
        }
        changed
    }

    /// A batch by its id.
    pub(crate) fn batch(&self, job: JobId, id: BatchId) -> Option<&BatchView> {
        self.batches.get(&job)?.get(&id)
    }

    /// Whether work would be left undone if the farm ended now.
    pub(crate) fn has_unfinished_jobs(&self) -> bool {
        self.jobs
            .values()
            .any(|job| matches!(job.state, JobState::Running | JobState::Waiting))
    }

    /// Nodes that could render now.
    pub(crate) fn nodes_ready(&self) -> usize {
        let ready = |node: &&NodeEntry| matches!(node.view.state, NodeState::Idle | NodeState::Rendering);
        self.nodes.values().filter(ready).count()
    }
}
