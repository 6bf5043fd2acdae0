//! Faults happen and pass.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::super::fault::{Kind, Target};
use super::super::link::Way;
use super::Stage;
use super::watch::{Recovering, Unheard};
use crate::Proc;

/// A Blender whose agent was killed must be gone by then.
const BLENDER_DIES: Duration = Duration::from_secs(2);

/// A fault that is going on.
#[derive(Debug)]
pub(super) struct Going {
    kind: Kind,
    target: Target,
    until: Instant,
    /// The Blender that was stopped.
    frozen: Option<Proc>,
}

impl Stage {
    /// Lets the next fault happen, where something is left that it can happen to.
    pub(in super::super) fn deal(&mut self) {
        let taken: Vec<Target> = self.going.iter().map(|going| going.target).collect();
        let free: Vec<usize> = (0..self.players.len())
            .filter(|agent| !taken.contains(&Target::Agent(*agent)))
            .collect();
        let agent = self.luck.choice(&free).copied();
        let suits = |kind: Kind| match agent {
            Some(agent) => !taken.contains(&kind.target(agent)),
            None => !matches!(kind.target(0), Target::Agent(_)) && !taken.contains(&kind.target(0)),
        };
        let Some(kind) = self.deck.deal(&mut self.luck, suits) else {
            return;
        };
        let target = kind.target(agent.unwrap_or(0));
        let lasts = kind.lasts(self.luck.f64());
        let frozen = self.strike(kind, target);
        self.watch_for_loss(kind, target);
        *self.report.faults.entry(kind).or_default() += 1;
        self.going.push(Going {
            kind,
            target,
            until: Instant::now() + lasts,
            frozen,
        });
    }

    /// An agent that falls silent must be missed, and only by an orchestrator that is well itself: one that was
    /// away gives every node a full lease again.
    fn watch_for_loss(&mut self, kind: Kind, target: Target) {
        match (kind, target) {
            (Kind::FreezeAgent | Kind::CutLink, Target::Agent(agent)) => self.unheard.push(Unheard {
                agent,
                since: Instant::now(),
            }),
            (Kind::KillOrchestrator | Kind::FreezeOrchestrator, _) => self.unheard.clear(),
            _ => {}
        }
    }

    fn strike(&mut self, kind: Kind, target: Target) -> Option<Proc> {
        let step = if self.luck.bool() { 3600 } else { -3600 };
        match (target, kind) {
            (Target::Output, _) => self.output.fill(),
            (Target::Orchestrator, Kind::KillOrchestrator) => {
                if let Some(mut program) = self.orchestrator.take() {
                    program.kill_nine();
                }
            }
            (Target::Orchestrator, Kind::FreezeOrchestrator) => self.signal_orchestrator(Signal::SIGSTOP),
            (Target::Orchestrator, _) => self.clock.set_off(step),
            (Target::Agent(agent), kind) => {
                let player = &mut self.players[agent];
                match kind {
                    Kind::KillAgent => {
                        self.dying
                            .push((Instant::now() + BLENDER_DIES, player.blenders()));
                        player.kill();
                    }
                    Kind::FreezeAgent => player.signal(Signal::SIGSTOP),
                    Kind::CutLink => player.link.set(Way::Cut),
                    Kind::SlowLink => player.link.set(Way::Slow(Duration::from_millis(80))),
                    Kind::FullAgentDisk => player.disk.fill(),
                    Kind::AgentClock => player.clock.set_off(step),
                    Kind::KillBlender | Kind::FreezeBlender => {
                        let signal = if kind == Kind::KillBlender {
                            Signal::SIGKILL
                        } else {
                            Signal::SIGSTOP
                        };
                        let blender = player.blenders().into_iter().next();
                        if let Some(blender) = &blender {
                            blender.signal(signal);
                        }
                        return blender;
                    }
                    _ => {}
                }
            }
        }
        None
    }

    fn signal_orchestrator(&self, signal: Signal) {
        if let Some(program) = &self.orchestrator {
            program.signal(signal);
        }
    }

    pub(super) fn heal_due(&mut self) {
        let now = Instant::now();
        let (over, going): (Vec<Going>, Vec<Going>) =
            self.going.drain(..).partition(|going| going.until <= now);
        self.going = going;
        for fault in over {
            self.heal(&fault);
        }
    }

    pub(in super::super) fn heal_all(&mut self) {
        for fault in std::mem::take(&mut self.going) {
            self.heal(&fault);
        }
    }

    fn heal(&mut self, fault: &Going) {
        self.unheard
            .retain(|unheard| Target::Agent(unheard.agent) != fault.target);
        match (fault.target, fault.kind) {
            (Target::Output, _) => self.output.clear(),
            (Target::Orchestrator, Kind::KillOrchestrator) => self.serve(),
            (Target::Orchestrator, Kind::FreezeOrchestrator) => self.signal_orchestrator(Signal::SIGCONT),
            (Target::Orchestrator, _) => self.clock.set_off(0),
            (Target::Agent(agent), kind) => {
                let player = &mut self.players[agent];
                match kind {
                    Kind::KillAgent => player.begin(),
                    Kind::FreezeAgent => player.signal(Signal::SIGCONT),
                    Kind::CutLink | Kind::SlowLink => player.link.set(Way::Open),
                    Kind::FullAgentDisk => player.disk.clear(),
                    Kind::AgentClock => player.clock.set_off(0),
                    _ => {
                        if let Some(blender) = &fault.frozen {
                            blender.signal(Signal::SIGCONT);
                        }
                    }
                }
            }
        }
        self.recovering.push(Recovering {
            kind: fault.kind,
            target: fault.target,
            since: Instant::now(),
            delivered_then: self.delivered(),
        });
    }
}
