//! The run: happenings in the order of their times, through the engine and through the agents.

mod beginning;
mod judge;
mod links;
mod orchestrator;
mod rendering;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use farmhand_engine::{Effect, Farm, Now, Report, Stamped};
use farmhand_protocol::{Frame, JobId};
use jiff::Timestamp;

pub use judge::{Cpu, EtaCheck, Outcome, Waited};

use super::agent::Agent;
use super::chance::Chance;
use super::plan::Plan;

/// Virtual seconds after which a run has failed.
const FOREVER: f64 = 400_000.0;
/// The orchestrator's loop tells the engine of time so often.
const TICK: f64 = 0.5;

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

    fn index_of(&self, job: JobId) -> Option<usize> {
        self.jobs.iter().position(|id| *id == job)
    }
}
