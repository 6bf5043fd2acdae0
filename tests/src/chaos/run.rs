//! A run: a farm renders job after job, faults come and go, and at the end everything is judged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use farmhand_client::FarmClient;
use farmhand_protocol::farm::{JobView, NodeState, NodeView};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::cast::Player;
use super::checker::{Evidence, judge, read_record};
use super::clock::Clock;
use super::disk::Disk;
use super::fault::{Deck, Kind, Target};
use super::ledger::{Ledger, stored_files};
use super::link::Way;
use super::report::Report;
use crate::{Blender, Proc, Program, Scene, build_path, free_port, http, is_alive, owned_by, rss_bytes};

/// What to do to which farm.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Time in which faults happen.
    pub lasts: Duration,
    /// Time between the beginnings of two faults.
    pub every: Duration,
    /// What the faults and their lengths are drawn from.
    pub seed: u64,
    /// Agents, of one slot each.
    pub agents: usize,
    /// Frames of a job; there is always an unfinished one.
    pub frames: u32,
    /// What to break on purpose when all is done.
    pub sabotage: Option<Sabotage>,
}

/// One thing broken on purpose: the judgement must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A delivered picture is deleted.
    Lose,
    /// A frame is delivered twice.
    Double,
    /// A delivered picture gets other bytes.
    Corrupt,
    /// A Blender outlives its agent.
    Orphan,
}

impl std::str::FromStr for Sabotage {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "lose" => Ok(Self::Lose),
            "double" => Ok(Self::Double),
            "corrupt" => Ok(Self::Corrupt),
            "orphan" => Ok(Self::Orphan),
            _ => Err(format!("{word} is none of lose, double, corrupt, orphan")),
        }
    }
}

/// How long the farm may take to finish its jobs once nothing happens to it any more.
const PATIENCE: Duration = Duration::from_mins(3);
/// A Blender whose agent was killed must be gone by then.
const BLENDER_DIES: Duration = Duration::from_secs(2);
/// No process of ours needs more.
const MOST_MEMORY: u64 = 400 << 20;

/// Runs a plan.
///
/// # Panics
/// When the machine cannot do it: a program is not built, or there is no Blender to make the scene with.
pub async fn run(plan: Plan) -> Report {
    let mut stage = Stage::set(&plan).await;
    let started = Instant::now();
    let mut dealt = started;
    while started.elapsed() < plan.lasts {
        stage.beat().await;
        if dealt.elapsed() >= plan.every {
            dealt = Instant::now();
            stage.deal();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.heal_all();
    stage.settle().await;
    stage.end(plan.sabotage)
}

/// A fault that is going on.
#[derive(Debug)]
struct Going {
    kind: Kind,
    target: Target,
    until: Instant,
    /// The Blender that was stopped.
    frozen: Option<Proc>,
}

/// What a fault has hit and is not yet seen well again.
#[derive(Debug)]
struct Recovering {
    kind: Kind,
    target: Target,
    since: Instant,
    delivered_then: u32,
}

#[derive(Debug)]
struct Stage {
    luck: fastrand::Rng,
    deck: Deck,
    frames: u32,
    going: Vec<Going>,
    recovering: Vec<Recovering>,
    /// Blenders of killed agents, and when they must be gone.
    dying: Vec<(Instant, Vec<Proc>)>,
    jobs: BTreeMap<u64, JobView>,
    nodes: Vec<NodeView>,
    asked: Instant,
    submitting: Option<tokio::task::JoinHandle<bool>>,
    ledger: Ledger,
    report: Report,
    client: FarmClient,
    port: u16,
    scene: PathBuf,
    players: Vec<Player>,
    orchestrator: Option<Program>,
    clock: Clock,
    output: Disk,
    // Last: everything has ended before it goes.
    folder: TempDir,
}

impl Stage {
    async fn set(plan: &Plan) -> Self {
        let folder = tempfile::Builder::new().prefix("farmhand-chaos-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let scene = Scene::BASIC.make(Blender::Executable, &folder.path().join("scenes"));
        let mut players = Vec::new();
        for number in 1..=plan.agents {
            players.push(Player::start(folder.path(), number).await);
        }
        let port = free_port();
        let output = Disk::mount(&folder.path().join("output"), 256);
        let clock = Clock::new(folder.path().join("orchestrator.clock"));
        let mut report = Report {
            seed: plan.seed,
            ..Report::default()
        };
        for kind in Kind::ALL {
            let missing = match kind {
                Kind::FullAgentDisk | Kind::FullOutputDisk if !output.is_small() => {
                    "mounting a tmpfs needs root"
                }
                Kind::AgentClock | Kind::OrchestratorClock if !clock.is_settable() => {
                    "libfaketime is not installed"
                }
                _ => continue,
            };
            report.skipped.insert(kind, missing);
        }
        let possible = Kind::ALL
            .into_iter()
            .filter(|kind| !report.skipped.contains_key(kind));
        let address = format!("http://127.0.0.1:{port}");
        let mut stage = Self {
            luck: fastrand::Rng::with_seed(plan.seed),
            deck: Deck::new(possible.collect()),
            frames: plan.frames,
            going: Vec::new(),
            recovering: Vec::new(),
            dying: Vec::new(),
            jobs: BTreeMap::new(),
            nodes: Vec::new(),
            asked: Instant::now(),
            submitting: None,
            ledger: Ledger::default(),
            report,
            client: FarmClient::new(address.parse().expect("an address is an address"), None),
            port,
            scene,
            players,
            orchestrator: None,
            clock,
            output,
            folder,
        };
        stage.serve();
        stage
    }

    fn serve(&mut self) {
        let path = self.folder.path();
        let mut command = Command::new(build_path("farmhand"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--data")
            .arg(path.join("farm"))
            .arg("--output")
            .arg(path.join("output"))
            .env_remove("FARMHAND_TOKEN");
        for player in &self.players {
            command.args(["--node", &player.link.address()]);
        }
        self.clock.rule(&mut command);
        self.orchestrator = Some(Program::start(
            "orchestrator",
            command,
            path.join("orchestrator.log"),
        ));
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("farm/farm.db")
    }

    /// What has to be done again and again: look, heal, note, and keep the farm busy.
    async fn beat(&mut self) {
        self.heal_due();
        self.look().await;
        self.note_recoveries();
        self.note_the_dying();
        // While the orchestrator makes the journal it cannot be read, and later on the next beat reads it.
        let _next_time = self.ledger.catch_up(&self.journal());
        self.keep_busy().await;
    }

    async fn look(&mut self) {
        if self.asked.elapsed() < Duration::from_millis(250) {
            return;
        }
        self.asked = Instant::now();
        self.nodes.clear();
        let patience = Duration::from_millis(500);
        if let Ok(Ok(nodes)) = tokio::time::timeout(patience, self.client.nodes()).await {
            self.nodes = nodes;
        }
        if let Ok(Ok(jobs)) = tokio::time::timeout(patience, self.client.jobs()).await {
            self.jobs = jobs.into_iter().map(|job| (job.id.0, job)).collect();
        }
        let pids = self.players.iter().filter_map(Player::pid);
        let most = pids
            .chain(self.orchestrator.as_ref().map(Program::pid))
            .map(rss_bytes)
            .max();
        self.report.most_memory = self.report.most_memory.max(most.unwrap_or(0));
    }

    fn delivered(&self) -> u32 {
        self.jobs.values().map(|job| job.counts.delivered).sum()
    }

    async fn keep_busy(&mut self) {
        if let Some(submitting) = self.submitting.take_if(|submitting| submitting.is_finished()) {
            let _tried_again_below = submitting.await;
            return;
        }
        let busy = self.jobs.values().any(|job| !job.state.has_ended());
        // Without nodes nobody answers, and what is known of the jobs may be old.
        if busy || self.submitting.is_some() || self.nodes.is_empty() {
            return;
        }
        let mut command = Command::new(build_path("farmhand"));
        command
            .args(["submit", "--frames", &format!("1-{}", self.frames)])
            .arg(&self.scene)
            .env("FARMHAND_FARM", format!("http://127.0.0.1:{}", self.port))
            .env("HOME", self.folder.path())
            .env_remove("FARMHAND_TOKEN");
        self.submitting = Some(tokio::task::spawn_blocking(move || {
            command.output().is_ok_and(|output| output.status.success())
        }));
    }

    /// Lets the next fault happen, where something is left that it can happen to.
    fn deal(&mut self) {
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
        *self.report.faults.entry(kind).or_default() += 1;
        self.going.push(Going {
            kind,
            target,
            until: Instant::now() + lasts,
            frozen,
        });
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

    fn heal_due(&mut self) {
        let now = Instant::now();
        let (over, going): (Vec<Going>, Vec<Going>) =
            self.going.drain(..).partition(|going| going.until <= now);
        self.going = going;
        for fault in over {
            self.heal(&fault);
        }
    }

    fn heal_all(&mut self) {
        for fault in std::mem::take(&mut self.going) {
            self.heal(&fault);
        }
    }

    fn heal(&mut self, fault: &Going) {
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

    /// Well again is: the orchestrator answers, the node may render, a picture comes in.
    fn note_recoveries(&mut self) {
        let delivered = self.delivered();
        let well = |fault: &Recovering| match fault.target {
            Target::Orchestrator => !self.nodes.is_empty(),
            Target::Output => delivered > fault.delivered_then,
            Target::Agent(agent) => self.nodes.iter().any(|node| {
                node.address == self.players[agent].link.address()
                    && matches!(node.state, NodeState::Idle | NodeState::Rendering)
                    // What it said before is no sign of what it is now.
                    && node.silent_ms.is_some_and(|ms| Duration::from_millis(ms) < fault.since.elapsed())
            }),
        };
        let recovering = std::mem::take(&mut self.recovering);
        let (over, still): (Vec<Recovering>, Vec<Recovering>) = recovering.into_iter().partition(well);
        self.recovering = still;
        for fault in over {
            self.report
                .recoveries
                .entry(fault.kind)
                .or_default()
                .push(fault.since.elapsed());
        }
    }

    fn note_the_dying(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) = self.dying.drain(..).partition(|(by, _)| *by <= now);
        self.dying = later;
        for (_, blenders) in due {
            for orphan in blenders.iter().filter(|blender| is_alive(blender)) {
                let said = format!(
                    "Blender {} is an orphan: its agent was killed 2 s ago",
                    orphan.pid
                );
                self.report.violations.push(said);
            }
        }
    }

    /// Waits until every job has ended and every agent has handed over what it had.
    async fn settle(&mut self) {
        let by = Instant::now() + PATIENCE;
        while Instant::now() < by {
            self.heal_due();
            self.look().await;
            self.note_recoveries();
            self.note_the_dying();
            let _next_time = self.ledger.catch_up(&self.journal());
            let ended = !self.jobs.is_empty() && self.jobs.values().all(|job| job.state.has_ended());
            if self
                .submitting
                .as_ref()
                .is_none_or(tokio::task::JoinHandle::is_finished)
                && ended
                && self.recovering.is_empty()
                && self.held_by_agents().await.is_empty()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for fault in &self.recovering {
            let said = format!("{} ({:?}) has not recovered", fault.kind, fault.target);
            self.report.violations.push(said);
        }
        for held in self.held_by_agents().await {
            self.report.violations.push(held);
        }
    }

    /// Finished frames that agents still keep.
    async fn held_by_agents(&self) -> Vec<String> {
        let mut held = Vec::new();
        for player in &self.players {
            let answer = http()
                .get(format!("{}/v1/batches", player.address()))
                .send()
                .await;
            let Ok(answer) = answer else {
                held.push(format!("{} does not answer", player.name()));
                continue;
            };
            let body: serde_json::Value = answer.json().await.unwrap_or_default();
            let batches = body["items"]
                .as_array()
                .or(body.as_array())
                .cloned()
                .unwrap_or_default();
            for batch in batches {
                let finished = batch["finished"].as_array().map_or(0, Vec::len);
                if finished > 0 {
                    held.push(format!(
                        "{} still holds {finished} frames of {}",
                        player.name(),
                        batch["key"]
                    ));
                }
            }
        }
        held
    }

    fn end(mut self, sabotage: Option<Sabotage>) -> Report {
        let mut orphan = None;
        match sabotage {
            Some(Sabotage::Orphan) => orphan = Some(self.make_orphan()),
            Some(Sabotage::Lose | Sabotage::Corrupt) => {
                self.spoil_a_picture(sabotage == Some(Sabotage::Lose));
            }
            Some(Sabotage::Double) | None => {}
        }
        for player in &mut self.players {
            player.stop();
        }
        if let Some(mut program) = self.orchestrator.take() {
            program.terminate(Duration::from_secs(20));
        }
        if sabotage == Some(Sabotage::Double) {
            self.deliver_twice();
        }
        self.judge();
        for left in owned_by(self.folder.path()) {
            let said = format!(
                "process {} ({}) is an orphan: everything was stopped",
                left.pid, left.name
            );
            self.report.violations.push(said);
        }
        if let Some(mut orphan) = orphan {
            let _gone = orphan.kill();
            let _gone = orphan.wait();
        }
        self.report
    }

    fn judge(&mut self) {
        let journal = self.journal();
        if let Err(error) = self.ledger.catch_up(&journal) {
            self.report
                .violations
                .push(format!("the journal cannot be read: {error}"));
        }
        let stored = stored_files(&journal).unwrap_or_default();
        let jobs: Vec<JobView> = self.jobs.values().cloned().collect();
        let records = self
            .players
            .iter()
            .map(|player| std::fs::read_to_string(player.record()));
        let evidence = Evidence {
            ledger: &self.ledger,
            stored,
            jobs: &jobs,
            rendered: records
                .flat_map(|text| read_record(&text.unwrap_or_default()))
                .collect(),
        };
        let verdict = judge(&evidence);
        self.report.jobs = jobs.len();
        self.report.frames = verdict.frames;
        self.report.facts = self.ledger.len();
        self.report.failed_attempts = verdict.failed_attempts;
        self.report.violations.extend(verdict.violations);
        if verdict.frames == 0 {
            self.report
                .violations
                .push("nothing was rendered at all".to_owned());
        }
        if self.report.most_memory > MOST_MEMORY {
            let said = format!("a process has grown to {} MB", self.report.most_memory >> 20);
            self.report.violations.push(said);
        }
    }

    fn spoil_a_picture(&self, lose: bool) {
        let files = stored_files(&self.journal()).expect("the journal can be read");
        let file = files.first().expect("something was delivered");
        let job = &self.jobs[&file.job];
        let path = PathBuf::from(&job.output).join(&file.path);
        let done = if lose {
            std::fs::remove_file(path)
        } else {
            std::fs::write(path, b"no picture")
        };
        done.expect("a delivered picture can be spoilt");
    }

    /// Adds a delivered fact a second time, under the next number.
    fn deliver_twice(&self) {
        let db = rusqlite::Connection::open(self.journal()).expect("the journal can be opened");
        let added = db.execute(
            "INSERT INTO facts (seq, fact) SELECT (SELECT max(seq) + 1 FROM facts), fact FROM facts \
             WHERE fact LIKE '%\"frame_delivered\"%' LIMIT 1",
            [],
        );
        assert_eq!(added.expect("the journal can be written"), 1, "a fact is doubled");
    }

    fn make_orphan(&self) -> std::process::Child {
        Command::new("sleep")
            .arg("1000")
            .env("STAND_IN_RECORD", self.players[0].record())
            .spawn()
            .expect("sleep can be started")
    }
}
