//! The run: happenings in the order of their times, through the engine and through the agents.

mod judge;
mod links;
mod rendering;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use farmhand_engine::{
    Command, Decision, Effect, Event, Farm, Now, Policy, Report, Stamped, decide, schedule,
};
use farmhand_protocol::{Epoch, FarmId, Frame, FrameSet, JobId, SceneHash};
use jiff::Timestamp;
use uuid::Uuid;

pub use judge::{Cpu, EtaCheck, Outcome, Waited};

use super::agent::{Agent, node_id};
use super::bound::bound;
use super::chance::Chance;
use super::plan::{Faults, Plan};
use crate::figures::thread_time;
use crate::made_up;

/// Virtual seconds after which a run has failed.
const FOREVER: f64 = 400_000.0;
/// The orchestrator's loop tells the engine of time so often.
const TICK: f64 = 0.5;
/// Agents give a sign of life so often.
const BEAT: f64 = 2.0;

enum Happening {
    Tick,
    Arrives(Box<Report>),
    Reaches(usize, Box<Effect>),
    Rendered(usize, u64),
    Started(usize, u64),
    Submit(usize),
    Join(usize),
    Leave(usize),
    Crash(usize),
    CutOff(usize, f64),
    Heal(usize),
    Restart,
}

/// A run under way.
pub struct Run {
    plan: Plan,
    farm: Farm,
    /// Facts, where an orchestrator may have to start from them.
    journal: Option<Vec<Stamped>>,
    epoch: u64,
    agents: Vec<Agent>,
    chance: Chance,
    at: f64,
    /// When the orchestrator was started.
    opened: f64,
    happenings: BinaryHeap<Reverse<(u64, u64)>>,
    what: BTreeMap<(u64, u64), Happening>,
    count: u64,
    tokens: u64,
    uplink_free: f64,
    leaves: Vec<Option<f64>>,
    beat: f64,
    jobs: Vec<JobId>,
    times: Vec<(f64, f64, f64)>,
    delivered: BTreeMap<(JobId, Frame), u32>,
    expected: Vec<(usize, f64, f64, f64, f64)>,
    outcome: Outcome,
    cpu: Cpu,
    /// What is wrong, in words.
    wrong: Option<String>,
}

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

    /// Runs until every job has ended.
    ///
    /// # Errors
    /// In words, when a frame is lost or delivered twice, or a job does not end.
    pub fn finish(mut self) -> Result<(Outcome, Cpu), String> {
        while let Some(Reverse(key)) = self.happenings.pop() {
            let Some(what) = self.what.remove(&key) else {
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "microseconds of days are exact")]
            let at = key.0 as f64 / 1e6;
            self.at = at;
            if self.at > FOREVER {
                return Err(self.stuck());
            }
            self.happen(what);
            if let Some(wrong) = self.wrong {
                return Err(wrong);
            }
            if self.jobs.len() == self.plan.jobs.len() && self.times.iter().all(|(_, _, end)| *end > 0.0) {
                break;
            }
        }
        self.conclude()
    }

    fn later(&mut self, seconds: f64, what: Happening) {
        self.count += 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "times are positive and below an age"
        )]
        let key = (((self.at + seconds) * 1e6) as u64, self.count);
        self.happenings.push(Reverse(key));
        self.what.insert(key, what);
    }

    fn now(&self) -> Now {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of days")]
        let ms = 1_800_000_000_000 + (self.at * 1000.0) as i64;
        Now {
            since_start: Duration::from_secs_f64((self.at - self.opened).max(0.0)),
            wall: Timestamp::from_millisecond(ms).unwrap_or_default(),
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Tick => self.tick(),
            Happening::Arrives(report) => self.hear(*report),
            Happening::Reaches(n, effect) => self.reach(n, *effect),
            Happening::Started(n, token) => self.started(n, token),
            Happening::Rendered(n, token) => self.rendered(n, token),
            Happening::Submit(job) => self.submit(job),
            Happening::Join(n) => {
                self.agents[n].is_up = true;
                self.agents[n].boots += 1;
                self.meet(n);
            }
            Happening::Leave(n) => {
                self.stop(n);
                self.leaves[n] = Some(self.at);
            }
            Happening::Crash(n) => {
                // Who left stays away.
                if self.leaves[n].is_none_or(|at| at > self.at) && self.agents[n].is_up {
                    self.stop(n);
                    let away = self.chance.between(1.0, 60.0);
                    self.later(away, Happening::Join(n));
                }
            }
            Happening::CutOff(n, seconds) => {
                self.agents[n].is_cut_off = true;
                self.later(seconds, Happening::Heal(n));
            }
            Happening::Heal(n) => {
                self.agents[n].is_cut_off = false;
                self.meet(n);
            }
            Happening::Restart => self.restart(),
        }
    }

    fn stop(&mut self, n: usize) {
        self.agents[n].die();
        if let Some(since) = self.agents[n].idle_since.take() {
            self.agents[n].idle += self.at - since;
        }
    }

    fn tick(&mut self) {
        self.later(TICK, Happening::Tick);
        if self.at >= self.beat {
            self.beat = self.at + BEAT;
            for n in 0..self.agents.len() {
                if self.agents[n].is_up && !self.agents[n].is_cut_off {
                    self.tell(Event::Report(Report::NodeHeard(node_id(n))));
                }
            }
        }
        self.tell(Event::Tick);
        self.check_etas();
    }

    fn hear(&mut self, report: Report) {
        if let Report::FrameStarted { batch, .. } = &report
            && let Some(index) = self.farm.batch(*batch).and_then(|held| self.index_of(held.job))
            && self.times[index].1 == 0.0
        {
            self.times[index].1 = self.at;
        }
        let counts = matches!(
            report,
            Report::FrameStarted { .. }
                | Report::FrameFinished { .. }
                | Report::FrameFailed { .. }
                | Report::Fetched { .. }
        );
        self.outcome.frame_events += u64::from(counts);
        self.tell(Event::Report(report));
    }

    fn index_of(&self, job: JobId) -> Option<usize> {
        self.jobs.iter().position(|id| *id == job)
    }

    /// One turn of the orchestrator's loop with one event.
    fn tell(&mut self, event: Event) -> Option<JobId> {
        let now = self.now();
        let started = thread_time();
        let decision = decide(&self.farm, now, event);
        let Ok(decision) = decision else {
            return None;
        };
        let mut stamped = decision.apply_to(&mut self.farm, now);
        let plan = schedule(&self.farm, now);
        stamped.extend(plan.apply_to(&mut self.farm, now));
        let took = thread_time().saturating_sub(started);
        self.cpu.all += took;
        self.cpu.slowest = self.cpu.slowest.max(took);
        self.remember(stamped);
        let submitted = decision.submitted();
        let Decision { effects, .. } = decision;
        for effect in effects.into_iter().chain(plan.effects) {
            self.carry_out(effect);
        }
        submitted
    }

    fn submit(&mut self, index: usize) {
        let plan = self.plan.jobs[index];
        let frames = FrameSet::range(frame(1), frame(plan.frames.cast_signed())).unwrap_or_default();
        let scene = SceneHash::of(&index.to_le_bytes());
        let spec = made_up::job(format!("shot-{index}"), scene, frames, format!("/out/{index}"));
        self.times.push((self.at, 0.0, 0.0));
        self.jobs.push(JobId(index as u64 + 1));
        let told = self.tell(Event::Command(Command::Submit(Box::new(spec))));
        if told != self.jobs.last().copied() {
            self.wrong = Some("a job got another id than was expected".to_owned());
        }
    }

    /// The orchestrator dies and starts from its journal; what was on its way to it is gone.
    fn restart(&mut self) {
        let Some(journal) = &self.journal else { return };
        let mut farm = Farm::new(self.farm.id());
        journal.iter().for_each(|fact| farm.apply(fact));
        self.epoch += 1;
        farm.open(Epoch(self.epoch), Policy::default());
        self.farm = farm;
        self.opened = self.at;
        self.what
            .retain(|_, what| !matches!(what, Happening::Arrives(_) | Happening::Reaches(..)));
        for n in 0..self.agents.len() {
            // A dispatch that was on its way brought nothing.
            self.agents[n].has_files.clear();
            self.meet(n);
        }
    }
}

fn frame(n: i32) -> Frame {
    Frame::try_from(i64::from(n)).unwrap_or(Frame::MAX)
}
