//! What is seen while faults go on: what recovers, who is missed, what outlives its agent, and memory.

use std::time::{Duration, Instant};

use farmhand_protocol::farm::NodeState;

use super::super::cast::Player;
use super::super::fault::{Kind, Target};
use super::super::memory::Role;
use super::Stage;
use crate::{is_alive, rss_bytes};

/// What a fault has hit and is not yet seen well again.
#[derive(Debug)]
pub(super) struct Recovering {
    pub(super) kind: Kind,
    pub(super) target: Target,
    pub(super) since: Instant,
    pub(super) delivered_then: u32,
}

/// An agent that cannot be heard, and since when; the farm has not yet said that it is lost.
#[derive(Debug)]
pub(super) struct Unheard {
    pub(super) agent: usize,
    pub(super) since: Instant,
}

impl Stage {
    /// Well again is: the orchestrator answers, the node may render, a picture comes in.
    pub(super) fn note_recoveries(&mut self) {
        let delivered = self.delivered();
        let well = |fault: &Recovering| match fault.target {
            Target::Orchestrator => !self.nodes.is_empty(),
            Target::Output => delivered > fault.delivered_then,
            Target::Agent(agent) => self.nodes.iter().any(|node| {
                node.address == self.players[agent].link.address()
                    && matches!(node.state, NodeState::Idle | NodeState::Rendering)
                    // What it said before is no sign of what it is now.
                    && node.silent_ms.is_some_and(|ms| Duration::from_millis(ms) < fault.since.elapsed())
            }),
        };
        let recovering = std::mem::take(&mut self.recovering);
        let (over, still): (Vec<Recovering>, Vec<Recovering>) = recovering.into_iter().partition(well);
        self.recovering = still;
        for fault in over {
            self.report
                .recoveries
                .entry(fault.kind)
                .or_default()
                .push(fault.since.elapsed());
        }
    }

    /// How long the farm took to see that an agent is lost; to within the time between two looks.
    pub(super) fn note_the_lost(&mut self) {
        let is_lost = |unheard: &Unheard| {
            self.nodes.iter().any(|node| {
                node.address == self.players[unheard.agent].link.address() && node.state == NodeState::Lost
            })
        };
        let (lost, unheard) = std::mem::take(&mut self.unheard).into_iter().partition(is_lost);
        self.unheard = unheard;
        let lost: Vec<Unheard> = lost;
        self.report
            .noticed
            .extend(lost.iter().map(|unheard| unheard.since.elapsed()));
    }

    pub(super) fn note_memory(&mut self) {
        let after = self.started.elapsed();
        for agent in self.players.iter().filter_map(Player::pid) {
            self.report.memory.note(after, Role::Agent, rss_bytes(agent));
        }
        if let Some(orchestrator) = &self.orchestrator {
            self.report
                .memory
                .note(after, Role::Orchestrator, rss_bytes(orchestrator.pid()));
        }
    }

    pub(super) fn note_the_dying(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) = self.dying.drain(..).partition(|(by, _)| *by <= now);
        self.dying = later;
        for (_, blenders) in due {
            for orphan in blenders.iter().filter(|blender| is_alive(blender)) {
                let said = format!(
                    "Blender {} is an orphan: its agent was killed 2 s ago",
                    orphan.pid
                );
                self.report.violations.push(said);
            }
        }
    }
}
