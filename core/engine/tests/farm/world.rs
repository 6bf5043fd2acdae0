//! A whole farm without a clock, a network or a Blender: the real engine, and agents that do what real ones
//! do, with messages that are lost, repeated and reordered, and processes that die.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use farmhand_engine::{
    Command, Effect, Event, Farm, JobSpec, Now, Policy, Report, Stamped, decide, schedule,
};
use farmhand_protocol::agent::{
    BatchPhase, BatchReport, EngineInfo, FailedFrame, Film, FinishedFrame, FrameFile, Hardware, Load,
    NodeInfo, Proof, StartBatch,
};
use farmhand_protocol::farm::{BatchState, FrameState, JobState};
use farmhand_protocol::{
    BatchId, BatchKey, BlobHash, BootId, Device, Epoch, EventId, Failure, FailureKind, FarmId, Frame,
    FrameSet, JobId, NodeId, PROTOCOL, RenderSettings, SceneHash,
};
use jiff::Timestamp;
use uuid::Uuid;

/// An agent as the engine meets it: batches, a spool, and reports on their way.
#[derive(Default)]
pub(crate) struct Agent {
    pub(crate) batches: BTreeMap<BatchId, Held>,
    /// Batches in the order in which it renders them.
    pub(crate) queue: Vec<BatchId>,
    /// What it renders at the moment.
    pub(crate) rendering: Option<(BatchId, Frame)>,
    pub(crate) up: bool,
}

impl Agent {
    /// Its process dies: what it rendered is lost, what it has finished is not.
    pub(crate) fn die(&mut self) {
        self.up = false;
        self.rendering = None;
        self.batches.values_mut().for_each(|held| held.interrupted = true);
    }
}

pub(crate) struct Held {
    pub(crate) start: StartBatch,
    pub(crate) waiting: VecDeque<Frame>,
    pub(crate) finished: BTreeSet<Frame>,
    pub(crate) acknowledged: BTreeSet<Frame>,
    pub(crate) failed: BTreeMap<Frame, Failure>,
    pub(crate) interrupted: bool,
}

impl Held {
    fn has_not_begun(&self) -> bool {
        self.waiting.len() == self.start.frames.len() as usize
    }

    pub(crate) fn report(&self, id: BatchId, rendering: Option<Frame>, render_ms: u64) -> BatchReport {
        let is_idle = self.waiting.is_empty() && rendering.is_none();
        let phase = match (self.interrupted, is_idle) {
            (true, _) => BatchPhase::Interrupted,
            (false, true) => BatchPhase::Completed,
            (false, false) if rendering.is_none() && self.has_not_begun() => BatchPhase::Queued,
            (false, false) => BatchPhase::Rendering,
        };
        BatchReport {
            key: BatchKey {
                farm: self.start.farm,
                batch: id,
            },
            epoch: self.start.epoch,
            job: self.start.job,
            scene: self.start.scene,
            phase,
            frames: self.start.frames.clone(),
            waiting: self.waiting.iter().copied().collect(),
            rendering,
            finished: self
                .finished
                .iter()
                .map(|frame| finished(*frame, render_ms))
                .collect(),
            acknowledged: self.acknowledged.iter().copied().collect(),
            failed: self
                .failed
                .iter()
                .map(|(frame, failure)| FailedFrame {
                    frame: *frame,
                    failure: failure.clone(),
                })
                .collect(),
            blender: None,
        }
    }
}

fn finished(frame: Frame, render_ms: u64) -> FinishedFrame {
    let path = format!("{:04}.png", frame.get().abs()).parse().unwrap();
    let files = vec![FrameFile {
        path,
        hash: BlobHash::of(&frame.get().to_le_bytes()),
        size: 4,
        proof: Proof::Decoded,
    }];
    FinishedFrame {
        frame,
        files,
        render_ms,
        peak_memory_bytes: 0,
        device: Device::Cpu,
        film: Some(Film {
            rate: (24, 1),
            movie: None,
        }),
    }
}

pub(crate) struct World {
    pub(crate) farm: Farm,
    pub(crate) journal: Vec<Stamped>,
    pub(crate) agents: Vec<Agent>,
    /// Reports that are on their way to the engine.
    pub(crate) mail: VecDeque<Report>,
    pub(crate) at: Duration,
    /// How often each frame was delivered, by revision.
    pub(crate) delivered: BTreeMap<(JobId, Frame, u32), u32>,
    pub(crate) bad_frames: BTreeSet<i32>,
    pub(crate) bad_scene: bool,
    /// What agents say a frame took.
    pub(crate) render_ms: u64,
    /// Agents on which every frame fails.
    pub(crate) bad_nodes: BTreeSet<usize>,
    /// Jobs of which films are to be made, as often as that was asked.
    pub(crate) films: Vec<JobId>,
}

pub(crate) fn node(n: usize) -> NodeId {
    NodeId(Uuid::from_u128(n as u128 + 1))
}

impl World {
    pub(crate) fn new(agents: usize) -> Self {
        let mut farm = Farm::new(FarmId(Uuid::from_u128(99)));
        farm.open(Epoch(1), Policy::default());
        let mut world = Self {
            farm,
            journal: Vec::new(),
            agents: (0..agents)
                .map(|_| Agent {
                    up: true,
                    ..Agent::default()
                })
                .collect(),
            mail: VecDeque::new(),
            at: Duration::ZERO,
            delivered: BTreeMap::new(),
            bad_frames: BTreeSet::new(),
            bad_scene: false,
            render_ms: 10,
            bad_nodes: BTreeSet::new(),
            films: Vec::new(),
        };
        (0..agents).for_each(|n| world.connect(n));
        world
    }

    pub(crate) fn add_agent(&mut self) {
        self.agents.push(Agent {
            up: true,
            ..Agent::default()
        });
    }

    pub(crate) fn now(&self) -> Now {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(self.at.as_secs()).unwrap()).unwrap();
        Now {
            since_start: self.at,
            wall,
        }
    }

    /// One event through the engine, its facts into the journal, its effects carried out.
    pub(crate) fn tell(&mut self, event: Event) -> Result<Option<JobId>, farmhand_engine::Refusal> {
        let decision = decide(&self.farm, self.now(), event)?;
        let submitted = decision.submitted();
        let mut effects = decision.effects.clone();
        self.remember(&decision);
        let plan = schedule(&self.farm, self.now());
        self.remember(&plan);
        effects.extend(plan.effects);
        effects.into_iter().for_each(|effect| self.carry_out(effect));
        self.check();
        Ok(submitted)
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.tell(Event::Report(report))
            .expect("reports are never refused");
    }

    pub(crate) fn remember(&mut self, decision: &farmhand_engine::Decision) {
        let now = self.now();
        let facts = decision.apply_to(&mut self.farm, now);
        for stamped in &facts {
            if let farmhand_engine::Fact::FrameDelivered {
                job, frame, revision, ..
            } = &stamped.fact
            {
                *self.delivered.entry((*job, *frame, *revision)).or_default() += 1;
            }
        }
        self.journal.extend(facts);
    }

    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dispatch { node: to, start } => {
                let agent = self.agent(to);
                let id = start.batch;
                if !agent.up {
                    self.mail.push_back(Report::BatchUnclear(id));
                    return;
                }
                let waiting = start.frames.iter().collect();
                let (finished, acknowledged) = (BTreeSet::new(), BTreeSet::new());
                let held = Held {
                    start: *start,
                    waiting,
                    finished,
                    acknowledged,
                    failed: BTreeMap::new(),
                    interrupted: false,
                };
                let place = held
                    .start
                    .before
                    .and_then(|before| agent.queue.iter().position(|id| *id == before));
                agent.queue.insert(place.unwrap_or(agent.queue.len()), id);
                agent.batches.entry(id).or_insert(held);
                self.mail.push_back(Report::BatchAccepted(id));
            }
            Effect::Revoke {
                node: to,
                batch,
                frames,
            } => {
                let agent = self.agent(to);
                let Some(held) = agent.batches.get_mut(&batch).filter(|_| agent.up) else {
                    return;
                };
                let revoked: FrameSet = held
                    .waiting
                    .iter()
                    .copied()
                    .filter(|f| frames.contains(*f))
                    .collect();
                held.waiting.retain(|frame| !revoked.contains(*frame));
                held.start.frames = held.start.frames.difference(&revoked);
                self.mail.push_back(Report::Revoked {
                    batch,
                    frames: revoked,
                });
            }
            Effect::Drop { node: to, batch } => {
                let agent = self.agent(to);
                if agent.up {
                    agent.batches.remove(&batch);
                    agent.queue.retain(|waiting| *waiting != batch);
                    agent.rendering = agent.rendering.filter(|(rendering, _)| *rendering != batch);
                }
            }
            Effect::Fetch {
                node: to,
                batch,
                finished,
                ..
            } => {
                let agent = self.agent(to);
                let there = agent.up
                    && agent
                        .batches
                        .get(&batch)
                        .is_some_and(|held| held.finished.contains(&finished.frame));
                let frame = finished.frame;
                let failure = Failure::new(FailureKind::NotDelivered, "gone");
                self.mail.push_back(if there {
                    Report::Fetched {
                        batch,
                        finished: *finished,
                    }
                } else {
                    Report::FetchFailed {
                        batch,
                        frame,
                        failure,
                    }
                });
            }
            Effect::Acknowledge {
                node: to,
                batch,
                frame,
            } => {
                let agent = self.agent(to);
                if let Some(held) = agent.batches.get_mut(&batch).filter(|_| agent.up) {
                    held.finished.remove(&frame);
                    held.acknowledged.insert(frame);
                }
            }
            Effect::List { node: to } => self.list(to),
            Effect::MakeFilms { job, .. } => self.films.push(job),
            Effect::Connect { .. } | Effect::Disconnect { .. } | Effect::Release { .. } => {}
        }
    }

    pub(crate) fn agent(&mut self, id: NodeId) -> &mut Agent {
        &mut self.agents[usize::try_from(id.0.as_u128()).unwrap() - 1]
    }

    pub(crate) fn list(&mut self, id: NodeId) {
        let render_ms = self.render_ms;
        let agent = self.agent(id);
        if agent.up {
            let reports = agent.batches.iter().map(|(id, held)| {
                let now = agent.rendering.filter(|(batch, _)| batch == id);
                held.report(*id, now.map(|(_, frame)| frame), render_ms)
            });
            let batches = reports.collect();
            self.mail.push_back(Report::BatchesListed { node: id, batches });
        }
    }

    pub(crate) fn connect(&mut self, n: usize) {
        let slots = 1 + u32::try_from(n).unwrap() % 2;
        self.connect_with(n, |info| info.slots = slots);
    }

    pub(crate) fn connect_with(&mut self, n: usize, change: impl FnOnce(&mut NodeInfo)) {
        let version = "3.4.1".parse().unwrap();
        let engine = EngineInfo {
            version,
            path: "blender".into(),
            devices: vec![Device::Cpu],
            denoiser: false,
        };
        let mut info = NodeInfo {
            id: node(n),
            name: format!("node-{n}"),
            protocol: PROTOCOL,
            version: "0".into(),
            last_event: EventId {
                boot: BootId(1),
                seq: 0,
            },
            slots: 1,
            threads: 1,
            tags: Vec::new(),
            probed: true,
            engines: vec![engine],
            problem: None,
            joining: None,
            hardware: Hardware::default(),
            load: Load::default(),
        };
        change(&mut info);
        self.report(Report::NodeSeen {
            address: format!("http://node-{n}"),
            info: Box::new(info),
        });
        self.list(node(n));
    }

    /// The agent begins the next frame, or ends the one that it renders.
    pub(crate) fn work(&mut self, n: usize) -> bool {
        if self.agents[n].rendering.is_some() {
            self.finish_frame(n);
            return true;
        }
        self.begin_frame(n)
    }

    pub(crate) fn begin_frame(&mut self, n: usize) -> bool {
        let agent = &mut self.agents[n];
        if !agent.up || agent.rendering.is_some() {
            return false;
        }
        let can_begin = |id: &&BatchId| {
            let held = agent.batches.get(*id);
            held.is_some_and(|held| !held.waiting.is_empty() && !held.interrupted)
        };
        let Some(&batch) = agent.queue.iter().find(can_begin) else {
            return false;
        };
        let held = agent.batches.get_mut(&batch).unwrap();
        if held.has_not_begun() {
            self.mail.push_back(Report::BatchBegun(batch));
        }
        let frame = held.waiting.pop_front().unwrap();
        agent.rendering = Some((batch, frame));
        self.mail.push_back(Report::FrameStarted { batch, frame });
        true
    }

    fn finish_frame(&mut self, n: usize) {
        let (is_bad, render_ms) = (self.bad_frames.clone(), self.render_ms);
        let (bad_scene, bad_node) = (self.bad_scene, self.bad_nodes.contains(&n));
        let agent = &mut self.agents[n];
        let Some((batch, frame)) = agent.rendering.take() else {
            return;
        };
        let held = agent.batches.get_mut(&batch).unwrap();
        let kind = match (bad_scene, bad_node || is_bad.contains(&frame.get())) {
            (true, _) => Some(FailureKind::NoCamera),
            (false, true) => Some(FailureKind::BlenderKilled),
            (false, false) => None,
        };
        if let Some(kind) = kind {
            let failure = Failure::new(kind, "broken");
            held.failed.insert(frame, failure.clone());
            if bad_scene {
                held.waiting.clear(); // A real agent ends such a batch.
            }
            self.mail.push_back(Report::FrameFailed {
                batch,
                failed: FailedFrame { frame, failure },
            });
        } else {
            held.finished.insert(frame);
            self.mail.push_back(Report::FrameFinished {
                batch,
                finished: finished(frame, render_ms),
            });
        }
        if held.waiting.is_empty() {
            let phase = if bad_scene {
                BatchPhase::Failed
            } else {
                BatchPhase::Completed
            };
            self.mail.push_back(Report::BatchEnded { batch, phase });
        }
    }

    pub(crate) fn deliver_mail(&mut self) -> bool {
        match self.mail.pop_front() {
            Some(report) => {
                self.report(report);
                true
            }
            None => false,
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.at += time;
        self.tell(Event::Tick).unwrap();
    }

    /// The orchestrator dies: what it was told but did not journal is gone, and it starts from its journal.
    pub(crate) fn restart(&mut self, epoch: u64) {
        let mut farm = Farm::new(self.farm.id());
        self.journal.iter().for_each(|fact| farm.apply(fact));
        let stored = serde_json::to_string(&self.farm).unwrap();
        assert_eq!(
            serde_json::to_string(&farm).unwrap(),
            stored,
            "replay rebuilds what facts built"
        );
        self.farm = serde_json::from_str(&stored).unwrap();
        self.farm.open(Epoch(epoch), Policy::default());
        self.at = Duration::ZERO;
        self.mail.clear();
        (0..self.agents.len())
            .filter(|n| self.agents[*n].up)
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|n| self.connect(n));
    }

    /// Lets everything that can happen without further faults happen.
    pub(crate) fn settle(&mut self) {
        for n in 0..self.agents.len() {
            self.agents[n].up = true;
            self.connect(n);
        }
        for _ in 0..20_000 {
            let mut busy = self.deliver_mail();
            for n in 0..self.agents.len() {
                busy |= self.work(n);
            }
            if !busy {
                let open = self
                    .farm
                    .job_ids()
                    .any(|id| !self.farm.job(id).unwrap().state().has_ended());
                if !open {
                    return;
                }
                self.pass(Duration::from_secs(1));
                (0..self.agents.len()).for_each(|n| self.list(node(n)));
            }
        }
        panic!(
            "the farm never comes to rest: {:?}",
            self.farm
                .job_ids()
                .map(|id| self.farm.why(id, self.now()))
                .collect::<Vec<_>>()
        );
    }

    pub(crate) fn check(&self) {
        self.check_batches();
        for ((job, frame, revision), times) in &self.delivered {
            assert_eq!(
                *times, 1,
                "{job} frame {frame} revision {revision} was delivered {times} times"
            );
        }
        for id in self.farm.job_ids() {
            let view = self.farm.job_view(id, self.now()).unwrap();
            assert_eq!(
                view.counts.total(),
                view.frames.len(),
                "{id} counts every frame once"
            );
        }
    }

    /// A frame is on one node, or on two of which one is a copy; and nothing that is delivered is on any.
    fn check_batches(&self) {
        let mut on: BTreeMap<(JobId, Frame), (u32, u32)> = BTreeMap::new();
        for batch in self
            .farm
            .job_ids()
            .flat_map(|id| self.farm.job_detail(id, self.now()).unwrap().batches)
        {
            let running = self.farm.batch(batch.id).filter(|batch| batch.ended.is_none());
            for frame in running.iter().flat_map(|batch| batch.open.iter()) {
                let (all, rendering) = on.entry((batch.job, frame)).or_default();
                *all += 1;
                *rendering += u32::from(batch.state == BatchState::Rendering);
            }
        }
        for ((job, frame), (all, rendering)) in on {
            let state = &self.farm.frame_views(job, &frame.into())[0].state;
            assert!(all <= 32, "{job} frame {frame} is on {all} nodes");
            assert!(
                rendering <= 3,
                "{job} frame {frame} is rendered by {rendering} nodes"
            );
            assert!(
                matches!(state, FrameState::Leased | FrameState::Rendering),
                "{job} frame {frame} is {state:?} and on a node"
            );
        }
    }

    pub(crate) fn submit(&mut self, frames: &str) -> JobId {
        self.submit_with(frames, |_| ())
    }

    pub(crate) fn submit_with(&mut self, frames: &str, change: impl FnOnce(&mut JobSpec)) -> JobId {
        let mut spec = JobSpec {
            name: "shot".into(),
            user: "ana".into(),
            scene: SceneHash::of(b"scene"),
            frames: frames.parse().unwrap(),
            skipped: FrameSet::default(),
            settings: RenderSettings::default(),
            priority: 0,
            output: "/out/shot".into(),
            written_by: None,
            tags: Vec::new(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        };
        change(&mut spec);
        self.tell(Event::Command(Command::Submit(Box::new(spec))))
            .unwrap()
            .unwrap()
    }

    /// Frames of a job that are on this node, a text for each batch.
    pub(crate) fn on(&self, n: usize, job: JobId) -> Vec<String> {
        let batches = self.farm.job_detail(job, self.now()).unwrap().batches;
        let here = batches
            .iter()
            .rev()
            .filter(|batch| batch.node == node(n) && batch.ended.is_none());
        here.map(|batch| batch.frames.to_string()).collect()
    }

    pub(crate) fn state(&self, job: JobId) -> JobState {
        self.farm.job(job).unwrap().state()
    }
}
