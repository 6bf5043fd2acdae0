//! The orchestrator of a run: what its loop does with time, reports and jobs, and how it starts anew.

use farmhand_engine::{Command, Decision, Event, Farm, Policy, Report, decide, schedule};
use farmhand_protocol::{Epoch, Frame, FrameSet, JobId, SceneHash};

use super::super::agent::node_id;
use super::{Happening, Run, TICK};
use crate::figures::thread_time;
use crate::made_up;

/// Agents give a sign of life so often.
const BEAT: f64 = 2.0;

impl Run {
    pub(super) fn tick(&mut self) {
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

    pub(super) fn hear(&mut self, report: Report) {
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

    /// One turn of the orchestrator's loop with one event.
    pub(super) fn tell(&mut self, event: Event) -> Option<JobId> {
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

    pub(super) fn submit(&mut self, index: usize) {
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
    pub(super) fn restart(&mut self) {
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
