//! What is seen of agents beyond what the farm decides by: load, progress within frames, trouble on the way.
//! Shown, never journalled.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use farmhand_protocol::agent::{Load, Progress};
use farmhand_protocol::{BatchKey, NodeId};
use jiff::Timestamp;

/// Signs from every agent that there is a link to, by its address.
#[derive(Debug, Default)]
pub(crate) struct Telemetry(Mutex<BTreeMap<String, Signs>>);

/// Signs from one agent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs {
    /// Who answered there last.
    pub(crate) node: Option<NodeId>,
    /// Why nobody answers, or why the answer is of no use.
    pub(crate) problem: Option<String>,
    /// How busy it is, as it last said.
    pub(crate) load: Option<Load>,
    /// What its busy slots do.
    pub(crate) slots: BTreeMap<u32, Progress>,
    /// Bytes of scenes that it was sent.
    pub(crate) sent_bytes: u64,
    /// Bytes of scenes that it got from other nodes.
    pub(crate) pulled_bytes: u64,
    /// Since when there is a link.
    pub(crate) since: Option<Timestamp>,
    changed: bool,
}

impl Telemetry {
    /// Changes what is known of an agent.
    pub(crate) fn note(&self, address: &str, change: impl FnOnce(&mut Signs)) {
        let mut all = self.lock();
        let signs = all.entry(address.to_owned()).or_default();
        signs.since.get_or_insert_with(Timestamp::now);
        change(signs);
        signs.changed = true;
    }

    /// Forgets an agent.
    pub(crate) fn forget(&self, address: &str) {
        self.lock().remove(address);
    }

    /// Signs of all agents, and which of them have changed since the last call.
    pub(crate) fn take_changed(&self) -> Vec<(String, Signs)> {
        let mut all = self.lock();
        let changed = all
            .iter_mut()
            .filter_map(|(address, signs)| std::mem::take(&mut signs.changed).then_some((address, signs)));
        changed
            .map(|(address, signs)| (address.clone(), signs.clone()))
            .collect()
    }

    /// Signs of all agents.
    pub(crate) fn all(&self) -> BTreeMap<String, Signs> {
        self.lock().clone()
    }

    /// Signs of one node, which was reached last at this address.
    pub(crate) fn of(&self, node: NodeId, address: &str) -> Option<Signs> {
        let all = self.lock();
        let is_its = |signs: &&Signs| signs.node == Some(node);
        let elsewhere = || all.values().find(is_its);
        all.get(address).filter(is_its).or_else(elsewhere).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Signs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signs {
    /// A slot reports what it does.
    pub(crate) fn progress(&mut self, progress: Progress) {
        self.slots.insert(progress.slot, progress);
    }

    /// Nothing more is rendered for a batch.
    pub(crate) fn batch_over(&mut self, key: BatchKey) {
        self.slots.retain(|_, progress| progress.key != key);
    }
}
