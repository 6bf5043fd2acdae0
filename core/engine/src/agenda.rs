//! What the scheduler has still to look at, so that one frame's end costs a look at one node.

use std::collections::BTreeSet;

use farmhand_protocol::NodeId;

/// Farms of more nodes than this are looked at whole only when time passes. Up to here that takes a few milliseconds,
/// which is less than an idle node would wait for the next tick.
pub(crate) const SMALL: usize = 2048;

/// Notes for the next plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Agenda {
    /// Something changed that may matter to any node.
    pub(crate) everything: bool,
    /// Frames have come to wait.
    pub(crate) work: bool,
    /// Time has passed.
    pub(crate) time: bool,
    /// Nodes that have done something.
    pub(crate) nodes: BTreeSet<NodeId>,
    /// Nodes that had room when nothing was left to hand out.
    pub(crate) wanting: BTreeSet<NodeId>,
    /// What all nodes can do together, as it was last counted.
    pub(crate) power: Power,
}

/// What nodes can do together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Power {
    /// Blenders that may run at a time.
    pub(crate) slots: f64,
    /// Their speeds together.
    pub(crate) speed: f64,
}

/// What a plan has looked at. Made by the scheduler alone.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Every node was looked at.
    pub(crate) everything: bool,
    /// Nodes that wanted work were looked at too.
    pub(crate) work: bool,
    pub(crate) looked_at: Vec<NodeId>,
    /// Those of them that have room left.
    pub(crate) wanting: Vec<NodeId>,
    pub(crate) power: Option<Power>,
}

impl Agenda {
    /// Nothing is known: all is to be looked at.
    pub(crate) fn full() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// Whether all nodes are to be looked at now. A big farm waits for time to pass.
    pub(crate) fn wants_everything(&self, nodes: usize) -> bool {
        self.everything && (self.time || nodes <= SMALL)
    }

    /// Whether nodes that found nothing are to be looked at again now.
    pub(crate) fn wants_wanting(&self) -> bool {
        self.time || (self.work && self.wanting.len() <= SMALL)
    }

    pub(crate) fn done(&mut self, planned: &Planned) {
        if planned.everything {
            self.everything = false;
            self.wanting.clear();
        }
        if planned.work {
            self.work = false;
        }
        self.time = false;
        self.nodes.clear();
        for node in &planned.looked_at {
            self.wanting.remove(node);
        }
        self.wanting.extend(&planned.wanting);
        if let Some(power) = planned.power {
            self.power = power;
        }
    }
}
