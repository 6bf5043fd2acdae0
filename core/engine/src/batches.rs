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
    /// The copy of a batch.
    copies: BTreeMap<BatchId, BatchId>,
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
            self.copies.insert(original, id);
        }
        self.all.insert(id, batch);
    }

    pub(crate) fn remove(&mut self, id: BatchId) -> Option<Batch> {
        let batch = self.all.remove(&id)?;
        take_out(&mut self.on, batch.node, id);
        take_out(&mut self.of, batch.job, id);
        if let Some(original) = batch.copy_of
            && self.copies.get(&original) == Some(&id)
        {
            self.copies.remove(&original);
        }
        self.copies.remove(&id);
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

    /// The other batch that has a frame of this one: its copy, or what it is a copy of.
    pub(crate) fn twin(&self, id: BatchId) -> Option<(BatchId, &Batch)> {
        let original = || self.all.get(&id)?.copy_of;
        let twin = self.copies.get(&id).copied().or_else(original)?;
        Some((twin, self.all.get(&twin)?))
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
