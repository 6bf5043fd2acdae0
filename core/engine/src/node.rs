//! Nodes: what is remembered of them, and what is seen of them now.

use std::collections::VecDeque;
use std::time::Duration;

use farmhand_protocol::agent::NodeInfo;
use farmhand_protocol::{Failure, JobId, NodeId, SceneHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its agent's base address.
    pub address: String,
    /// Gets no work.
    pub drained: bool,
    /// When it joined, or was last drained or resumed.
    pub since: Timestamp,
    /// Scenes that need more memory than it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub too_small_for: Vec<SceneHash>,
}

/// A node with which nothing would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentNode {
    /// Which.
    pub node: NodeId,
    /// Where it was last reached.
    pub address: String,
    /// Another node answers there now.
    pub is_replaced: bool,
}

/// What is seen of a node since this start. Times are of [`crate::Now::since_start`].
#[derive(Debug, Clone)]
pub struct Presence {
    /// What it last said of itself.
    pub info: NodeInfo,
    /// Its last sign of life.
    pub heard: Duration,
    /// It was silent for a lease and has not been heard since.
    pub silent: bool,
    /// It is left alone until then, for that reason.
    pub rests: Option<(Duration, Failure)>,
    /// When its latest frames were delivered, at most five minutes back.
    pub(crate) deliveries: VecDeque<Duration>,
    /// The job that its Blender has a scene loaded for, as far as is known.
    pub(crate) warm: Option<JobId>,
    /// Since when it has been with that scene, as those settings make it.
    pub(crate) warm_since: Duration,
}

/// Why a node cannot take a batch of a job at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    Drained,
    Silent,
    Probing,
    Broken(String),
    Rests(String),
    Excluded(String),
    Banned(Timestamp, String),
    TooSmall,
    ManyNodes(u32),
    LacksTag(String),
    LacksBlender,
}

impl Presence {
    pub(crate) fn new(info: NodeInfo, heard: Duration) -> Self {
        Self {
            info,
            heard,
            silent: false,
            rests: None,
            deliveries: VecDeque::new(),
            warm: None,
            warm_since: heard,
        }
    }

    /// Frames delivered in the last five minutes, for each minute.
    pub fn frames_per_minute(&self, now: Duration) -> f32 {
        let window = now.min(RATE_WINDOW);
        let recent = self
            .deliveries
            .iter()
            .filter(|at| **at + RATE_WINDOW >= now)
            .count();
        let recent = f32::from(u16::try_from(recent).unwrap_or(u16::MAX));
        // Before a minute has passed a rate would be a guess upwards.
        recent * 60.0 / window.as_secs_f32().max(60.0)
    }

    pub(crate) fn delivered(&mut self, now: Duration) {
        while self.deliveries.front().is_some_and(|at| *at + RATE_WINDOW < now) {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(now);
    }
}

const RATE_WINDOW: Duration = Duration::from_mins(5);
