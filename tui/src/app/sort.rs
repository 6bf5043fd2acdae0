//! By what a table is sorted.

use std::cmp::Ordering;

use farmhand_protocol::farm::{BatchView, JobView};
use serde::Deserialize;

use super::{NodeEntry, NodeRow};

/// Something that rows can be sorted by.
pub(crate) trait SortColumn: Copy + PartialEq + 'static {
    /// In the order in which a key goes through them; the first is the default.
    const ALL: &'static [Self];
    /// How it is called above the table.
    fn word(self) -> &'static str;
    /// Whether its first order is from high to low.
    fn falls(self) -> bool;
}

/// An order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort<C> {
    pub(crate) column: C,
    /// Against the column's first order.
    pub(crate) reversed: bool,
}

impl<C: SortColumn> Default for Sort<C> {
    fn default() -> Self {
        Self {
            column: C::ALL[0],
            reversed: false,
        }
    }
}

impl<C: SortColumn> Sort<C> {
    /// By the next column.
    pub(crate) fn cycle(&mut self) {
        let place = C::ALL.iter().position(|one| *one == self.column).unwrap_or(0);
        *self = Self {
            column: C::ALL[(place + 1) % C::ALL.len()],
            reversed: false,
        };
    }

    /// Whether high values come first.
    pub(crate) fn falls(self) -> bool {
        self.column.falls() != self.reversed
    }

    /// Puts two rows in order that compare as `low_first`; rows alike keep the order of `then`.
    pub(crate) fn order(self, low_first: Ordering, then: Ordering) -> Ordering {
        let ordered = if self.falls() {
            low_first.reverse()
        } else {
            low_first
        };
        ordered.then(then)
    }
}

/// Orders of the table of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JobSort {
    /// What may run by priority, then what ended, newest first.
    Queue,
    Id,
    Name,
    State,
    Progress,
    Failed,
    Started,
    Left,
    User,
}

impl SortColumn for JobSort {
    const ALL: &'static [Self] = &[
        Self::Queue,
        Self::Id,
        Self::Name,
        Self::State,
        Self::Progress,
        Self::Failed,
        Self::Started,
        Self::Left,
        Self::User,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Queue => "priority",
            Self::Id => "id",
            Self::Name => "name",
            Self::State => "state",
            Self::Progress => "progress",
            Self::Failed => "fail",
            Self::Started => "elapsed",
            Self::Left => "eta",
            Self::User => "user",
        }
    }

    fn falls(self) -> bool {
        matches!(self, Self::Queue | Self::Id | Self::Progress | Self::Failed)
    }
}

impl JobSort {
    /// Low first; for the queue the job that goes first is the highest.
    pub(crate) fn compare(self, a: &JobView, b: &JobView) -> Ordering {
        match self {
            Self::Queue => queue(b).cmp(&queue(a)),
            Self::Id => a.id.cmp(&b.id),
            Self::Name => a.name.cmp(&b.name),
            Self::State => a.state.word().cmp(b.state.word()),
            Self::Progress => share(a).cmp(&share(b)),
            Self::Failed => a.counts.failed.cmp(&b.counts.failed),
            // The longest time is the earliest start; jobs without one stay behind.
            Self::Started => b.started.cmp(&a.started),
            Self::Left => (a.eta_ms.is_none(), a.eta_ms).cmp(&(b.eta_ms.is_none(), b.eta_ms)),
            Self::User => a.user.cmp(&b.user),
        }
    }
}

/// A job's place in the queue; the lowest goes first.
fn queue(job: &JobView) -> (bool, i32, i128) {
    let id = i128::from(job.id.0);
    if job.state.has_ended() {
        (true, 0, -id)
    } else {
        (false, -job.priority, id)
    }
}

/// Delivered frames in millionths of all.
fn share(job: &JobView) -> u64 {
    (u64::from(job.counts.delivered) * 1_000_000)
        .checked_div(job.counts.total().into())
        .unwrap_or(1_000_000)
}

/// Orders of the table of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeSort {
    Name,
    State,
    Job,
    Frame,
    Memory,
    Rate,
}

impl SortColumn for NodeSort {
    const ALL: &'static [Self] = &[
        Self::Name,
        Self::State,
        Self::Job,
        Self::Frame,
        Self::Memory,
        Self::Rate,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Name => "node",
            Self::State => "state",
            Self::Job => "job/batch",
            Self::Frame => "frame",
            Self::Memory => "mem",
            Self::Rate => "f/min",
        }
    }

    fn falls(self) -> bool {
        matches!(self, Self::Memory | Self::Rate)
    }
}

impl NodeSort {
    pub(crate) fn compare(self, a: (&NodeEntry, &NodeRow), b: (&NodeEntry, &NodeRow)) -> Ordering {
        let slot = |(node, row): (&NodeEntry, &NodeRow)| {
            let slot = node.view.running.get(row.place);
            slot.map(|slot| {
                let progress = &slot.progress;
                (
                    slot.job,
                    progress.key.batch,
                    progress.frame,
                    progress.memory_bytes,
                )
            })
        };
        match self {
            Self::Name => Ordering::Equal,
            Self::State => a.0.view.state.word().cmp(b.0.view.state.word()),
            Self::Job => {
                let of = |row| slot(row).map(|slot| (slot.0, slot.1));
                // Idle ones last.
                (of(a).is_none(), of(a)).cmp(&(of(b).is_none(), of(b)))
            }
            Self::Frame => {
                let of = |row| slot(row).and_then(|slot| slot.2);
                (of(a).is_none(), of(a)).cmp(&(of(b).is_none(), of(b)))
            }
            Self::Memory => slot(a).map(|slot| slot.3).cmp(&slot(b).map(|slot| slot.3)),
            Self::Rate => a.0.view.frames_per_minute.total_cmp(&b.0.view.frames_per_minute),
        }
    }
}

/// Orders of the table of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BatchSort {
    Newest,
    Frames,
    Node,
    State,
    Failed,
}

impl SortColumn for BatchSort {
    const ALL: &'static [Self] = &[Self::Newest, Self::Frames, Self::Node, Self::State, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Newest => "batch",
            Self::Frames => "frames",
            Self::Node => "node",
            Self::State => "state",
            Self::Failed => "fail",
        }
    }

    fn falls(self) -> bool {
        matches!(self, Self::Newest | Self::Failed)
    }
}

impl BatchSort {
    pub(crate) fn compare(self, a: &BatchView, b: &BatchView) -> Ordering {
        let first = |batch: &BatchView| batch.frames.first();
        match self {
            Self::Newest => a.id.cmp(&b.id),
            Self::Frames => first(a).cmp(&first(b)),
            Self::Node => a.node_name.cmp(&b.node_name),
            Self::State => crate::words::batch_state(a.state).cmp(crate::words::batch_state(b.state)),
            Self::Failed => a.failed.len().cmp(&b.failed.len()),
        }
    }
}
