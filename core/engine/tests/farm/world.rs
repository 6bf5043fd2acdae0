//! A whole farm without a clock, a network or a Blender: the real engine, and agents that do what real ones
//! do, with messages that are lost, repeated and reordered, and processes that die.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use farmhand_engine::{
    Command, Effect, Event, Farm, JobSpec, Now, Policy, Report, Stamped, decide, schedule,
};
use farmhand_protocol::agent::{
    BatchPhase, BatchReport, EngineInfo, FailedFrame, FinishedFrame, FrameFile, Hardware, Load, NodeInfo,
    Proof, StartBatch,
};
use farmhand_protocol::farm::JobState;
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
    pub(crate) up: bool,
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
    pub(crate) fn report(&self, id: BatchId) -> BatchReport {
        let phase = match (self.interrupted, self.waiting.is_empty()) {
            (true, _) => BatchPhase::Interrupted,
            (false, true) => BatchPhase::Completed,
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
            rendering: None,
            finished: self.finished.iter().map(|frame| finished(*frame)).collect(),
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

fn finished(frame: Frame) -> FinishedFrame {
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
        render_ms: 10,
        peak_memory_bytes: 0,
        device: Device::Cpu,
        film: None,
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
            Effect::Connect { .. } | Effect::Disconnect { .. } | Effect::Release { .. } => {}
        }
    }

    pub(crate) fn agent(&mut self, id: NodeId) -> &mut Agent {
        &mut self.agents[usize::try_from(id.0.as_u128()).unwrap() - 1]
    }

    pub(crate) fn list(&mut self, id: NodeId) {
        let agent = self.agent(id);
        if agent.up {
            let batches = agent.batches.iter().map(|(id, held)| held.report(*id)).collect();
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

    /// The agent renders one frame of its first batch that has one.
    pub(crate) fn work(&mut self, n: usize) -> bool {
        let (bad_frames, bad_scene) = (self.bad_frames.clone(), self.bad_scene);
        let agent = &mut self.agents[n];
        if !agent.up {
            return false;
        }
        let next = agent
            .batches
            .iter_mut()
            .find(|(_, held)| !held.waiting.is_empty() && !held.interrupted);
        let Some((&batch, held)) = next else { return false };
        let frame = held.waiting.pop_front().unwrap();
        self.mail.push_back(Report::FrameStarted { batch, frame });
        let kind = match (bad_scene, bad_frames.contains(&frame.get())) {
            (true, _) => Some(FailureKind::NoCamera),
            (false, true) => Some(FailureKind::BlenderKilled),
            (false, false) => None,
        };
        if let Some(kind) = kind {
            let failure = Failure::new(kind, "broken");
            held.failed.insert(frame, failure.clone());
            self.mail.push_back(Report::FrameFailed {
                batch,
                failed: FailedFrame { frame, failure },
            });
        } else {
            held.finished.insert(frame);
            self.mail.push_back(Report::FrameFinished {
                batch,
                finished: finished(frame),
            });
        }
        if held.waiting.is_empty() {
            self.mail.push_back(Report::BatchEnded {
                batch,
                phase: BatchPhase::Completed,
            });
        }
        true
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
