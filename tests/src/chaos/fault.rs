//! What can happen to a farm, and the order in which it does.

use std::fmt;
use std::time::Duration;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kill -9` of an agent, started again after a while.
    KillAgent,
    /// `kill -9` of the orchestrator, started again after a while.
    KillOrchestrator,
    /// `kill -9` of a Blender.
    KillBlender,
    /// An agent stands still for longer than its lease.
    FreezeAgent,
    /// The orchestrator stands still for longer than a lease.
    FreezeOrchestrator,
    /// A Blender stands still for a while.
    FreezeBlender,
    /// Nothing passes between orchestrator and agent for longer than a lease.
    CutLink,
    /// Every piece between orchestrator and agent is late.
    SlowLink,
    /// An agent's disk is full.
    FullAgentDisk,
    /// The disk of the pictures is full.
    FullOutputDisk,
    /// An agent's clock is set an hour forth or back.
    AgentClock,
    /// The orchestrator's clock is set an hour forth or back.
    OrchestratorClock,
}

/// What a fault hits: one thing suffers one fault at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    Agent(usize),
    Orchestrator,
    Output,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::KillAgent,
        Self::KillOrchestrator,
        Self::KillBlender,
        Self::FreezeAgent,
        Self::FreezeOrchestrator,
        Self::FreezeBlender,
        Self::CutLink,
        Self::SlowLink,
        Self::FullAgentDisk,
        Self::FullOutputDisk,
        Self::AgentClock,
        Self::OrchestratorClock,
    ];

    /// How it is called in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::KillAgent => "kill -9 agent",
            Self::KillOrchestrator => "kill -9 orchestrator",
            Self::KillBlender => "kill -9 Blender",
            Self::FreezeAgent => "freeze agent",
            Self::FreezeOrchestrator => "freeze orchestrator",
            Self::FreezeBlender => "freeze Blender",
            Self::CutLink => "cut link",
            Self::SlowLink => "slow link",
            Self::FullAgentDisk => "full disk, agent",
            Self::FullOutputDisk => "full disk, output",
            Self::AgentClock => "clock step, agent",
            Self::OrchestratorClock => "clock step, orchestrator",
        }
    }

    /// How long it lasts, with a `luck` from 0 to 1.
    pub(super) fn lasts(self, luck: f64) -> Duration {
        let (shortest, longest) = match self {
            Self::KillBlender => (0.0, 0.1),
            Self::KillAgent | Self::KillOrchestrator => (0.1, 3.0),
            Self::FreezeAgent | Self::CutLink | Self::FreezeOrchestrator => (10.5, 13.0), // A lease is 10 s.
            Self::FreezeBlender | Self::SlowLink => (1.0, 4.0),
            Self::FullAgentDisk | Self::FullOutputDisk => (1.0, 3.0),
            Self::AgentClock | Self::OrchestratorClock => (1.0, 5.0),
        };
        Duration::from_secs_f64(shortest + (longest - shortest) * luck)
    }

    pub(super) fn target(self, agent: usize) -> Target {
        match self {
            Self::KillOrchestrator | Self::FreezeOrchestrator | Self::OrchestratorClock => {
                Target::Orchestrator
            }
            Self::FullOutputDisk => Target::Output,
            Self::KillAgent
            | Self::KillBlender
            | Self::FreezeAgent
            | Self::FreezeBlender
            | Self::CutLink
            | Self::SlowLink
            | Self::FullAgentDisk
            | Self::AgentClock => Target::Agent(agent),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Deals kinds of fault in random order, each as often as the others.
#[derive(Debug)]
pub(super) struct Deck {
    kinds: Vec<Kind>,
    left: Vec<Kind>,
}

impl Deck {
    pub(super) fn new(kinds: Vec<Kind>) -> Self {
        Self {
            kinds,
            left: Vec::new(),
        }
    }

    /// The next kind that `suits`; nothing where none of those left does.
    pub(super) fn deal(&mut self, luck: &mut fastrand::Rng, suits: impl Fn(Kind) -> bool) -> Option<Kind> {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
            luck.shuffle(&mut self.left);
        }
        let at = self.left.iter().position(|kind| suits(*kind))?;
        Some(self.left.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_dealt_as_often_as_any_other() {
        let mut deck = Deck::new(Kind::ALL.to_vec());
        let mut luck = fastrand::Rng::with_seed(1);
        let mut dealt: Vec<Kind> = (0..36).filter_map(|_| deck.deal(&mut luck, |_| true)).collect();
        dealt.sort_unstable();
        let expected: Vec<Kind> = Kind::ALL.iter().flat_map(|kind| [*kind; 3]).collect();
        assert_eq!(dealt, expected);
    }

    #[test]
    fn a_kind_that_does_not_suit_waits_for_its_turn() {
        let mut deck = Deck::new(vec![Kind::CutLink, Kind::KillAgent]);
        let mut luck = fastrand::Rng::with_seed(1);
        assert_eq!(
            deck.deal(&mut luck, |kind| kind == Kind::KillAgent),
            Some(Kind::KillAgent)
        );
        assert_eq!(deck.deal(&mut luck, |kind| kind == Kind::KillAgent), None);
        assert_eq!(deck.deal(&mut luck, |_| true), Some(Kind::CutLink));
    }
}
