//! A farm before its first moment: who is there, what is submitted when, and what will go wrong.

use std::collections::{BTreeMap, BinaryHeap};

use farmhand_engine::{Farm, Policy};
use farmhand_protocol::{Epoch, FarmId};
use uuid::Uuid;

use super::super::agent::Agent;
use super::super::bound::bound;
use super::super::chance::Chance;
use super::super::plan::{Faults, Plan};
use super::{Cpu, EtaCheck, Happening, Outcome, Run, TICK, Waited};

impl Run {
    /// A farm before its first moment.
    pub fn new(plan: Plan) -> Self {
        let mut farm = Farm::new(FarmId(Uuid::from_u128(7)));
        farm.open(Epoch(1), Policy::default());
        let nodes = plan.nodes;
        let mut run = Self {
            chance: Chance::of(&[plan.seed, 3]),
            journal: (plan.faults == Faults::All).then(Vec::new),
            farm,
            epoch: 1,
            agents: Vec::new(),
            at: 0.0,
            opened: 0.0,
            happenings: BinaryHeap::new(),
            what: BTreeMap::new(),
            count: 0,
            tokens: 0,
            uplink_free: 0.0,
            leaves: vec![None; nodes],
            beat: 0.0,
            jobs: Vec::new(),
            times: Vec::new(),
            delivered: BTreeMap::new(),
            expected: Vec::new(),
            outcome: Outcome {
                makespan: 0.0,
                bound: 0.0,
                idle: 0.0,
                delivered: 0,
                failed: 0,
                batches: 0,
                copies: 0,
                frame_events: 0,
                etas: EtaCheck::default(),
                jobs: Vec::new(),
                second: Waited::default(),
            },
            cpu: Cpu::default(),
            wrong: None,
            plan,
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        let all = self.plan.faults == Faults::All;
        for n in 0..self.plan.nodes {
            let speed = self.plan.speed(n);
            let is_broken = all && n > 0 && self.chance.share() < 0.05;
            self.agents.push(Agent {
                speed,
                is_broken,
                ..Agent::default()
            });
            let late = all && n > 0 && self.chance.share() < 0.2;
            let joins = if late {
                self.chance.between(0.0, 300.0)
            } else {
                0.0
            };
            self.later(joins, Happening::Join(n));
        }
        for (job, plan) in self.plan.jobs.clone().into_iter().enumerate() {
            self.later(plan.at, Happening::Submit(job));
        }
        self.later(TICK, Happening::Tick);
        self.plan_faults();
    }

    fn plan_faults(&mut self) {
        let usual = bound(&self.plan, &self.leaves);
        match self.plan.faults {
            Faults::None => {}
            Faults::Loss(share) => {
                for n in 1..self.plan.nodes {
                    if self.chance.share() < share {
                        let at = self.chance.between(0.0, usual);
                        self.leaves[n] = Some(at);
                        self.later(at, Happening::Leave(n));
                    }
                }
            }
            Faults::All => {
                for n in 0..self.plan.nodes {
                    for _ in 0..self.chance.below(4) {
                        let at = self.chance.between(0.0, usual * 1.5);
                        let what = match self.chance.below(10) {
                            0 if n > 0 => Happening::Leave(n),
                            0..=4 => Happening::Crash(n),
                            _ => Happening::CutOff(n, self.chance.between(0.5, 40.0)),
                        };
                        self.later(at, what);
                    }
                }
                for _ in 0..self.chance.below(3) {
                    let at = self.chance.between(0.0, usual * 1.5);
                    self.later(at, Happening::Restart);
                }
            }
        }
    }
}
