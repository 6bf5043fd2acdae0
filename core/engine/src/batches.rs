//! Batches that have not ended, found by node, by job, and by what they are a copy of.

use std::collections::{BTreeMap, BTreeSet};

use farmhand_protocol::{BatchId, JobId, NodeId};
use serde::{Deserialize, Serialize, Serializer};

use crate::job::Batch;

/// All running batches. What is stored is the batches; the ways to find them are made from those.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "BTreeMap<BatchId, Batch>")]
pub(crate) struct Batches {
    all: BTreeMap<BatchId, Batch>,
    on: BTreeMap<NodeId, BTreeSet<BatchId>>,
    of: BTreeMap<JobId, BTreeSet<BatchId>>,
    /// Copies of a batch, which may have ended itself.
    copies: BTreeMap<BatchId, BTreeSet<BatchId>>,
}

impl Serialize for Batches {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

impl From<BTreeMap<BatchId, Batch>> for Batches {
    fn from(all: BTreeMap<BatchId, Batch>) -> Self {
        let mut batches = Self::default();
        for (id, batch) in all {
            batches.insert(id, batch);
        }
        batches
    }
}

impl Batches {
    /// A frame that takes long is copied no more often than this: a first copy may be on a slow node, because no
    /// other was idle.
    pub(crate) const MOST_TO_BE_SOONER: usize = 2;

    /// All of them, in the order in which they were handed out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.all.iter().map(|(id, batch)| (*id, batch))
    }

    pub(crate) fn get(&self, id: BatchId) -> Option<&Batch> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: BatchId) -> Option<&mut Batch> {
        self.all.get_mut(&id)
    }

    pub(crate) fn insert(&mut self, id: BatchId, batch: Batch) {
        self.on.entry(batch.node).or_default().insert(id);
        self.of.entry(batch.job).or_default().insert(id);
        if let Some(original) = batch.copy_of {
            self.copies.entry(original).or_default().insert(id);
        }
        self.all.insert(id, batch);
    }

    pub(crate) fn remove(&mut self, id: BatchId) -> Option<Batch> {
        let batch = self.all.remove(&id)?;
        take_out(&mut self.on, batch.node, id);
        take_out(&mut self.of, batch.job, id);
        if let Some(original) = batch.copy_of {
            take_out(&mut self.copies, original, id);
        }
        Some(batch)
    }

    /// Batches on a node, in the order in which they were handed out.
    pub(crate) fn on(&self, node: NodeId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.found(self.on.get(&node))
    }

    /// Batches of a job, in the order in which they were handed out.
    pub(crate) fn of(&self, job: JobId) -> impl Iterator<Item = (BatchId, &Batch)> {
        self.found(self.of.get(&job))
    }

    /// How many batches of a job there are.
    pub(crate) fn count_of(&self, job: JobId) -> usize {
        self.of.get(&job).map_or(0, BTreeSet::len)
    }

    /// What a batch is a copy of; the batch itself where it is none.
    pub(crate) fn original(&self, id: BatchId) -> BatchId {
        self.all.get(&id).and_then(|batch| batch.copy_of).unwrap_or(id)
    }

    /// The other batches that were handed frames of this one: its copies, or what it is a copy of and the other
    /// copies of that.
    pub(crate) fn twins(&self, id: BatchId) -> impl Iterator<Item = (BatchId, &Batch)> {
        let members = self.members(self.original(id));
        members.filter(move |(twin, _)| *twin != id)
    }

    /// A batch, if it is still there, and its copies.
    pub(crate) fn members(&self, original: BatchId) -> impl Iterator<Item = (BatchId, &Batch)> {
        let copies = self.copies.get(&original).into_iter().flatten().copied();
        std::iter::once(original)
            .chain(copies)
            .filter_map(|id| Some((id, self.all.get(&id)?)))
    }

    /// How many copies there are of a batch.
    pub(crate) fn count_of_copies(&self, original: BatchId) -> usize {
        self.copies.get(&original).map_or(0, BTreeSet::len)
    }

    /// Batches, ended ones too, of which there are more copies than to be done sooner: these wait.
    pub(crate) fn much_copied(&self) -> impl Iterator<Item = BatchId> {
        let copies = self.copies.iter();
        let many = copies.filter(|(_, copies)| copies.len() > Self::MOST_TO_BE_SOONER);
        many.map(|(original, _)| *original)
    }

    fn found(&self, ids: Option<&BTreeSet<BatchId>>) -> impl Iterator<Item = (BatchId, &Batch)> {
        let ids = ids.into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.all.get(id)?)))
    }
}

fn take_out<K: Ord>(index: &mut BTreeMap<K, BTreeSet<BatchId>>, key: K, id: BatchId) {
    if let std::collections::btree_map::Entry::Occupied(mut ids) = index.entry(key) {
        ids.get_mut().remove(&id);
        if ids.get().is_empty() {
            ids.remove();
        }
    }
}
