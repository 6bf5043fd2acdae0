//! What a run came to, and what must not happen in it.

use std::time::Duration;

use farmhand_engine::{Fact, Stamped};
use farmhand_protocol::farm::{JobState, JobView};
use farmhand_protocol::{Frame, JobId};

use super::super::bound::bound;
use super::super::plan::Faults;
use super::Run;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Seconds from the first submission to the last delivery.
    pub makespan: f64,
    /// Seconds that no farm could beat.
    pub bound: f64,
    /// Seconds that nodes were up and had nothing to render, from their first frame to the end.
    pub idle: f64,
    /// Delivered frames of all jobs.
    pub delivered: u32,
    /// Frames that failed for good.
    pub failed: u32,
    /// Batches handed out.
    pub batches: u64,
    /// Frames handed out a second time while the first was rendered.
    pub copies: u64,
    /// Reports about frames.
    pub frame_events: u64,
    /// Whether the jobs' ends lay where they were expected.
    pub etas: EtaCheck,
    /// For each job: when it was submitted, its first frame started, and it ended.
    pub jobs: Vec<(f64, f64, f64)>,
    /// How a second job came to its first slot.
    pub second: Waited,
}

/// How a job that is submitted while all slots are busy comes to one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Waited {
    /// Seconds from its submission until a slot took its first frame.
    pub waited: f64,
    /// The node of that slot.
    pub node: Option<usize>,
    /// Frames that ended before on slots to which the frame, or its scene, was still on its way.
    pub on_its_way: u64,
    /// Frames that ended before on slots which it did not wait for.
    pub passed_over: u64,
}

/// Expectations, at a quarter, half and three quarters of a job, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EtaCheck {
    /// How many were made.
    pub made: u32,
    /// How many held: the end lay between early and late.
    pub held: u32,
    /// Mean of how far off the likely end was, as a share of what was left.
    pub off: f64,
}

/// What the engine cost. Differs from run to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// Processor time of deciding, applying and scheduling.
    pub all: Duration,
    /// The longest of these steps.
    pub slowest: Duration,
}

impl Run {
    pub(super) fn stuck(&self) -> String {
        let mut why = Vec::new();
        for job in &self.jobs {
            let reasons = self
                .farm
                .why(*job, self.now())
                .map_or_else(Vec::new, |why| why.reasons);
            why.push(format!("{job}: {}", reasons.join("; ")));
        }
        format!("a job never ends: {}", why.join(" | "))
    }

    pub(super) fn conclude(mut self) -> Result<(Outcome, Cpu), String> {
        for (index, job) in self.jobs.iter().enumerate() {
            let Some(view) = self.farm.job_view(*job, self.now()) else {
                return Err(format!("{job} is gone"));
            };
            let counts = view.counts;
            let told = self
                .delivered
                .range((*job, Frame::MIN)..=(*job, Frame::MAX))
                .count();
            if told != counts.delivered as usize || counts.total() != self.plan.jobs[index].frames {
                return Err(format!(
                    "{job}: {told} frames were delivered, and it says {counts:?}"
                ));
            }
            let may_fail = self.plan.faults == Faults::All;
            if view.state != JobState::Completed && !may_fail {
                return Err(format!("{job} is {}: {:?}", view.state.word(), view.reason));
            }
            self.outcome.delivered += counts.delivered;
            self.outcome.failed += counts.failed;
        }
        let end = self.times.iter().map(|(_, _, end)| *end).fold(0.0, f64::max);
        for agent in &mut self.agents {
            if let Some(since) = agent.idle_since {
                agent.idle += (end - since).max(0.0);
            }
            self.outcome.idle += agent.idle;
        }
        for (job, at, early, likely, late) in &self.expected {
            let (_, _, ended) = self.times[*job];
            let left = ended - at;
            self.outcome.etas.made += 1;
            self.outcome.etas.held += u32::from(*early <= left && left <= *late);
            self.outcome.etas.off += (likely - left).abs() / left.max(1.0);
        }
        self.outcome.etas.off /= f64::from(self.outcome.etas.made.max(1));
        self.outcome.makespan = end;
        self.outcome.bound = bound(&self.plan, &self.leaves);
        self.outcome.jobs = self.times;
        Ok((self.outcome, self.cpu))
    }

    pub(super) fn remember(&mut self, stamped: Vec<Stamped>) {
        for fact in &stamped {
            match &fact.fact {
                Fact::FrameDelivered { job, frame, .. } => {
                    let times = self.delivered.entry((*job, *frame)).or_default();
                    *times += 1;
                    if *times > 1 {
                        self.wrong = Some(format!("{job} frame {frame} was delivered twice"));
                    }
                    self.note_end(*job);
                }
                Fact::BatchAssigned { copy_of, .. } => {
                    self.outcome.batches += 1;
                    self.outcome.copies += u64::from(copy_of.is_some());
                }
                Fact::FramesFailed { job, .. } | Fact::AttemptFailed { job, .. } => self.note_end(*job),
                _ => {}
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.extend(stamped);
        }
    }

    pub(super) fn note_end(&mut self, job: JobId) {
        let has_ended = self.farm.job(job).is_some_and(|job| job.state().has_ended());
        if let Some(index) = self.index_of(job).filter(|_| has_ended) {
            self.times[index].2 = self.at;
        }
    }

    pub(super) fn check_etas(&mut self) {
        for (index, job) in self.jobs.iter().enumerate() {
            if self.plan.faults != Faults::None || self.plan.jobs[index].frames < 1000 {
                continue;
            }
            let made = self.expected.iter().filter(|(of, ..)| *of == index).count();
            let Some(share) = [0.25, 0.5, 0.75].get(made) else {
                continue;
            };
            let Some(view) = self.view_of_big(*job) else {
                continue;
            };
            let done = f64::from(view.counts.delivered) / f64::from(view.counts.total());
            if done >= *share
                && let Some(((early, likely), late)) =
                    view.eta_early_ms.zip(view.eta_ms).zip(view.eta_late_ms)
            {
                let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
                self.expected
                    .push((index, self.at, seconds(early), seconds(likely), seconds(late)));
            }
        }
    }

    pub(super) fn view_of_big(&self, job: JobId) -> Option<JobView> {
        (self.plan.nodes <= 1000)
            .then(|| self.farm.job_view(job, self.now()))
            .flatten()
    }
}
