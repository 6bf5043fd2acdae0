//! The farm that is broken, and the harness's eyes and hands on it.

mod end;
mod faults;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use farmhand_client::FarmClient;
use farmhand_protocol::farm::{JobView, NodeView};
use tempfile::TempDir;

use super::cast::Player;
use super::clock::Clock;
use super::disk::Disk;
use super::fault::{Deck, Kind};
use super::ledger::Ledger;
use super::report::Report;
use super::run::Plan;
use crate::{Blender, Proc, Program, Scene, build_path, free_port, http};

use faults::Going;
use watch::{Recovering, Unheard};

/// How long the farm may take to finish its jobs once nothing happens to it any more.
const PATIENCE: Duration = Duration::from_mins(3);

#[derive(Debug)]
pub(super) struct Stage {
    luck: fastrand::Rng,
    deck: Deck,
    frames: u32,
    going: Vec<Going>,
    recovering: Vec<Recovering>,
    unheard: Vec<Unheard>,
    /// Blenders of killed agents, and when they must be gone.
    dying: Vec<(Instant, Vec<Proc>)>,
    jobs: BTreeMap<u64, JobView>,
    nodes: Vec<NodeView>,
    started: Instant,
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
    pub(super) async fn set(plan: &Plan) -> Self {
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
            unheard: Vec::new(),
            dying: Vec::new(),
            jobs: BTreeMap::new(),
            nodes: Vec::new(),
            started: Instant::now(),
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
    pub(super) async fn beat(&mut self) {
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
        self.note_the_lost();
        self.note_memory();
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

    /// Waits until every job has ended and every agent has handed over what it had.
    pub(super) async fn settle(&mut self) {
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
}
