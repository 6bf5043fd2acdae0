//! Who plays: the orchestrator, its agents, their links, disks and clocks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::clock::Clock;
use super::disk::Disk;
use super::link::Link;
use crate::{Agent, AgentPlan, Proc, Program, build_path, descendants, free_port};

/// How long a frame takes, in milliseconds.
const FRAME_MS: &str = "60";

/// An agent and what it depends on.
#[derive(Debug)]
pub(super) struct Player {
    name: String,
    folder: PathBuf,
    port: u16,
    pub(super) link: Link,
    pub(super) clock: Clock,
    program: Option<Program>,
    // Last: it is unmounted when nobody writes to it any more.
    pub(super) disk: Disk,
}

impl Player {
    pub(super) async fn start(folder: &Path, number: usize) -> Self {
        let name = format!("agent-{number}");
        let port = free_port();
        let mut player = Self {
            link: Link::to(port).await,
            clock: Clock::new(folder.join(format!("{name}.clock"))),
            disk: Disk::mount(&folder.join(&name), 24),
            program: None,
            folder: folder.to_owned(),
            name,
            port,
        };
        player.begin();
        player
    }

    /// Starts it, with the data it had.
    pub(super) fn begin(&mut self) {
        let stand_in = build_path("farmhand-stand-in").display().to_string();
        let plan = AgentPlan {
            more: ["--grace", "2", "--name", &self.name, "--blender", &stand_in]
                .map(str::to_owned)
                .to_vec(),
            ..AgentPlan::default()
        };
        let mut command = Agent::command(&self.folder.join(&self.name), self.port, plan);
        command
            .env("STAND_IN_MS", FRAME_MS)
            .env("STAND_IN_RECORD", self.record());
        self.clock.rule(&mut command);
        let log = self.folder.join(format!("{}.log", self.name));
        self.program = Some(Program::start(&self.name, command, log));
    }

    /// Where its Blenders note what they render; also what tells its Blenders from all other processes.
    pub(super) fn record(&self) -> PathBuf {
        self.folder.join(format!("{}.rendered", self.name))
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill_nine();
        }
    }

    /// Asks it to end, as a person does; it has its grace time and a little more.
    pub(super) fn stop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.terminate(Duration::from_secs(20));
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(program) = &self.program {
            program.signal(signal);
        }
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.program.as_ref().map(Program::pid)
    }

    /// Its Blenders that run at the moment.
    pub(super) fn blenders(&self) -> Vec<Proc> {
        self.pid().map(descendants).unwrap_or_default()
    }
}
