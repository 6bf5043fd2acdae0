//! The run: happenings in the order of their times, through the engine and through the agents.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use farmhand_engine::{
    Command, Decision, Effect, Event, Fact, Farm, JobSpec, Now, Policy, Report, Stamped, decide, schedule,
};
use farmhand_protocol::agent::{BatchPhase, FailedFrame};
use farmhand_protocol::farm::{JobState, JobView};
use farmhand_protocol::{
    BatchId, Epoch, Failure, FailureKind, FarmId, Frame, FrameSet, JobId, RenderSettings, SceneHash,
};
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use super::agent::{Agent, Rendering, finished, node_id, number_of};
use super::bound::bound;
use super::chance::Chance;
use super::plan::{Faults, LOAD, Plan, START, UPLINK};

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
    /// Seconds from the submission of the second job until a slot took its first frame.
    pub second_waited: f64,
    /// Frames that other slots finished in that time.
    pub finished_before_second: u64,
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
                second_waited: 0.0,
                finished_before_second: 0,
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

    fn stuck(&self) -> String {
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

    fn conclude(mut self) -> Result<(Outcome, Cpu), String> {
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

    /// The orchestrator reaches an agent: it says who it is and what it has.
    fn meet(&mut self, n: usize) {
        if !self.agents[n].is_up || self.agents[n].is_cut_off {
            return;
        }
        let info = Box::new(self.agents[n].info(n));
        let seen = Report::NodeSeen {
            address: format!("http://node-{n}:3000"),
            info,
        };
        self.tell_later(n, seen);
        let batches = self.agents[n].reports();
        self.tell_later(
            n,
            Report::BatchesListed {
                node: node_id(n),
                batches,
            },
        );
    }

    /// A message of an agent is on its way, if it can be.
    fn tell_later(&mut self, n: usize, report: Report) {
        let agent = &self.agents[n];
        if !agent.is_up || agent.is_cut_off {
            return;
        }
        let chaos = self.plan.faults == Faults::All;
        let passing = matches!(
            report,
            Report::FrameStarted { .. }
                | Report::FrameFinished { .. }
                | Report::FrameFailed { .. }
                | Report::BatchEnded { .. }
        );
        if chaos && passing {
            match self.chance.below(60) {
                0 => {
                    // The event is lost; the stream's gap is noticed, and the list is read.
                    self.later(
                        1.0,
                        Happening::Reaches(n, Box::new(Effect::List { node: node_id(n) })),
                    );
                    return;
                }
                1 => {
                    let late = self.chance.between(0.0, 5.0);
                    self.later(late, Happening::Arrives(Box::new(report.clone())));
                }
                _ => {}
            }
        }
        let way = self.way();
        self.later(way, Happening::Arrives(Box::new(report)));
    }

    /// Seconds that a message takes.
    fn way(&mut self) -> f64 {
        self.chance.between(0.001, 0.005)
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

    fn remember(&mut self, stamped: Vec<Stamped>) {
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

    fn note_end(&mut self, job: JobId) {
        let has_ended = self.farm.job(job).is_some_and(|job| job.state().has_ended());
        if let Some(index) = self.index_of(job).filter(|_| has_ended) {
            self.times[index].2 = self.at;
        }
    }

    fn submit(&mut self, index: usize) {
        let plan = self.plan.jobs[index];
        let frames = FrameSet::range(frame(1), frame(plan.frames.cast_signed())).unwrap_or_default();
        let spec = JobSpec {
            name: format!("shot-{index}"),
            user: String::new(),
            scene: SceneHash::of(&index.to_le_bytes()),
            frames,
            skipped: FrameSet::default(),
            settings: RenderSettings::default(),
            priority: 0,
            output: format!("/out/{index}"),
            written_by: None,
            tags: Vec::new(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        };
        self.times.push((self.at, 0.0, 0.0));
        self.jobs.push(JobId(index as u64 + 1));
        let told = self.tell(Event::Command(Command::Submit(Box::new(spec))));
        if told != self.jobs.last().copied() {
            self.wrong = Some("a job got another id than was expected".to_owned());
        }
    }

    /// What the orchestrator's links do.
    fn carry_out(&mut self, effect: Effect) {
        let (n, seconds) = match &effect {
            Effect::Dispatch { node, start } => {
                let n = number_of(*node);
                let way = self.way();
                if self.agents[n].has_files.insert(start.scene) {
                    self.uplink_free = self.uplink_free.max(self.at) + self.plan.scene_bytes / UPLINK;
                    (n, self.uplink_free - self.at + way)
                } else {
                    (n, way)
                }
            }
            Effect::Fetch { node, .. } => (number_of(*node), 0.02),
            Effect::Revoke { node, .. }
            | Effect::Drop { node, .. }
            | Effect::Acknowledge { node, .. }
            | Effect::List { node } => {
                let way = self.way();
                (number_of(*node), way)
            }
            Effect::Connect { .. }
            | Effect::Disconnect { .. }
            | Effect::Release { .. }
            | Effect::MakeFilms { .. } => return,
        };
        self.later(seconds, Happening::Reaches(n, Box::new(effect)));
    }

    fn reach(&mut self, n: usize, effect: Effect) {
        let reached = self.agents[n].is_up && !self.agents[n].is_cut_off;
        match effect {
            Effect::Dispatch { start, .. } => {
                let batch = start.batch;
                if start.epoch.0 < self.epoch {
                    return; // The orchestrator that sent it is gone.
                }
                if !reached {
                    self.later(1.0, Happening::Arrives(Box::new(Report::BatchUnclear(batch))));
                    return;
                }
                self.agents[n].accept(*start);
                self.tell_later(n, Report::BatchAccepted(batch));
                self.go_on(n);
            }
            Effect::Revoke { batch, frames, .. } if reached => {
                let frames = self.agents[n].revoke(batch, &frames);
                self.tell_later(n, Report::Revoked { batch, frames });
            }
            Effect::Drop { batch, .. } if reached => {
                self.agents[n].drop_batch(batch);
                self.go_on(n);
            }
            Effect::Acknowledge { batch, frame, .. } if reached => self.agents[n].acknowledge(batch, frame),
            Effect::List { node } if reached => {
                let batches = self.agents[n].reports();
                self.tell_later(n, Report::BatchesListed { node, batches });
            }
            Effect::Fetch { batch, finished, .. } => self.fetch(n, batch, *finished, reached),
            _ => {}
        }
    }

    fn fetch(
        &mut self,
        n: usize,
        batch: BatchId,
        finished: farmhand_protocol::agent::FinishedFrame,
        reached: bool,
    ) {
        let frame = finished.frame;
        let answer = if reached && self.agents[n].has_finished(batch, frame) {
            Report::Fetched { batch, finished }
        } else {
            let failure = Failure::new(FailureKind::NotDelivered, "the frame is gone");
            Report::FetchFailed {
                batch,
                frame,
                failure,
            }
        };
        self.later(0.0, Happening::Arrives(Box::new(answer)));
    }

    /// An agent that renders nothing takes its next frame.
    fn go_on(&mut self, n: usize) {
        let at = self.at;
        let Some((batch, frame, scene)) = self.agents[n].take() else {
            let agent = &mut self.agents[n];
            if agent.rendering.is_none() && agent.has_blender && agent.is_up {
                agent.idle_since.get_or_insert(at);
            }
            return;
        };
        self.tokens += 1;
        let token = self.tokens;
        let agent = &mut self.agents[n];
        if let Some(since) = agent.idle_since.take() {
            agent.idle += at - since;
        }
        let mut wait = 0.0;
        if agent.loaded != Some(scene) {
            wait += if std::mem::replace(&mut agent.has_blender, true) {
                0.0
            } else {
                START
            };
            wait += LOAD;
            agent.loaded = Some(scene);
        }
        agent.rendering = Some(Rendering { batch, frame, token });
        let job = self
            .farm
            .batch(batch)
            .and_then(|held| self.index_of(held.job))
            .unwrap_or(0);
        if job == 1 && self.outcome.second_waited == 0.0 {
            self.outcome.second_waited = at - self.times[1].0;
            // The slot that has just finished its frame is the one that was waited for.
            self.outcome.finished_before_second = self.outcome.finished_before_second.saturating_sub(1);
        }
        let seconds = self.plan.seconds(job, frame.get()) / self.agents[n].speed;
        self.later(wait, Happening::Started(n, token));
        self.later(wait + seconds, Happening::Rendered(n, token));
    }

    fn started(&mut self, n: usize, token: u64) {
        let Some(now) = self.agents[n].rendering.filter(|now| now.token == token) else {
            return;
        };
        let Rendering { batch, frame, .. } = now;
        self.tell_later(n, Report::FrameStarted { batch, frame });
    }

    fn rendered(&mut self, n: usize, token: u64) {
        let Some(now) = self.agents[n].rendering.filter(|now| now.token == token) else {
            return;
        };
        let Rendering { batch, frame, .. } = now;
        let job = self
            .farm
            .batch(batch)
            .and_then(|held| self.index_of(held.job))
            .unwrap_or(0);
        if self.jobs.len() > 1 && self.outcome.second_waited == 0.0 {
            self.outcome.finished_before_second += 1;
        }
        let chaos = self.plan.faults == Faults::All;
        let is_bad = Chance::of(&[self.plan.seed, 4, u64::from(frame.get().unsigned_abs())]).share() < 0.01;
        let ended = if chaos && (is_bad || self.agents[n].is_broken) {
            let failure = Failure::new(FailureKind::BlenderKilled, "Blender was ended by SIGSEGV");
            let ended = self.agents[n].fail(batch, frame, failure.clone());
            self.tell_later(
                n,
                Report::FrameFailed {
                    batch,
                    failed: FailedFrame { frame, failure },
                },
            );
            ended
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a frame takes minutes"
            )]
            let ms = (self.plan.seconds(job, frame.get()) / self.agents[n].speed * 1000.0) as u64;
            let ended = self.agents[n].finish(batch, frame, ms);
            let finished = finished(frame, ms);
            self.tell_later(n, Report::FrameFinished { batch, finished });
            ended
        };
        if ended {
            let phase = BatchPhase::Completed;
            self.tell_later(n, Report::BatchEnded { batch, phase });
        }
        self.go_on(n);
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

    fn check_etas(&mut self) {
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

    fn view_of_big(&self, job: JobId) -> Option<JobView> {
        (self.plan.nodes <= 1000)
            .then(|| self.farm.job_view(job, self.now()))
            .flatten()
    }
}

fn frame(n: i32) -> Frame {
    Frame::try_from(i64::from(n)).unwrap_or(Frame::MAX)
}

/// Processor time of this thread: what others do on the machine does not count.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
