//! A running agent.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use farmhand_agent::Slots;
use farmhand_protocol::agent::{BatchReport, NodeInfo};

use crate::{Blender, Proc, Program, build_path, descendants, free_port, http, within};

/// How to start an agent.
#[derive(Debug, Clone, Default)]
pub struct AgentPlan {
    /// Its Blenders; without any it must find none.
    pub blenders: Vec<Blender>,
    /// Slots; 1 without it.
    pub slots: Option<Slots>,
    /// Threads of each Blender, or of all together where the slots are measured; 1 without it.
    pub threads: Option<u32>,
    /// The scene of `POST /job`.
    pub scene: Option<PathBuf>,
    /// The address of loopback to listen on; 127.0.0.1 without it.
    pub ip: Option<Ipv4Addr>,
    /// Further arguments.
    pub more: Vec<String>,
    /// Further variables of its environment.
    pub environment: Vec<(String, String)>,
}

impl AgentPlan {
    /// One slot of one thread with this Blender.
    pub fn with(blender: Blender) -> Self {
        Self {
            blenders: vec![blender],
            ..Self::default()
        }
    }
}

/// A running agent with its data folder.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub program: Program,
    /// Its base address, `http://127.0.0.1:3001`.
    pub address: String,
    /// Its data folder.
    pub data: PathBuf,
}

impl Agent {
    /// Starts an agent in `folder` and waits until it answers.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub async fn start(folder: &Path, name: &str, plan: AgentPlan) -> Self {
        let data = folder.join(name);
        let port = free_port();
        let ip = plan.ip.unwrap_or(Ipv4Addr::LOCALHOST);
        let command = Self::command(&data, port, plan);
        let program = Program::start(name, command, folder.join(format!("{name}.log")));
        let mut agent = Self {
            program,
            address: format!("http://{ip}:{port}"),
            data,
        };
        agent.program.until_healthy(&agent.address).await;
        agent
    }

    /// The command line that starts it.
    pub fn command(data: &Path, port: u16, plan: AgentPlan) -> Command {
        let mut command = Command::new(build_path("farmhand-agent"));
        let ip = plan.ip.unwrap_or(Ipv4Addr::LOCALHOST);
        command
            .args(["--listen", &format!("{ip}:{port}")])
            .arg("--data")
            .arg(data)
            .args(["--slots", &plan.slots.unwrap_or(Slots::Fixed(1)).to_string()])
            .args(["--threads", &plan.threads.unwrap_or(1).to_string()])
            .args(plan.more)
            .envs(plan.environment)
            .env_remove("FARMHAND_BLENDER")
            .env_remove("FARMHAND_TOKEN");
        for blender in &plan.blenders {
            command.args(["--blender", &blender.argument()]);
        }
        if plan.blenders.is_empty() {
            // Nowhere to find one: no PATH, no home with an environment in it.
            command
                .env("PATH", "/nonexistent")
                .env("HOME", data)
                .env_remove("XDG_DATA_HOME");
            command.env_remove("FARMHAND_BPY");
        }
        if let Some(scene) = plan.scene {
            command.arg("--scene").arg(scene);
        }
        command
    }

    pub(crate) async fn restart(&mut self, plan: AgentPlan) {
        self.begin(plan);
        self.program.until_healthy(&self.address).await;
    }

    /// `kill -9`, and a start with the same data and address, without waiting until it answers.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn begin(&mut self, plan: AgentPlan) {
        self.program.kill_nine();
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.expect("an agent's address ends in its port");
        let name = self
            .data
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let log = self.data.with_extension("log");
        self.program = Program::start(&name, Self::command(&self.data, port, plan), log);
    }

    /// What it says of itself.
    ///
    /// # Panics
    /// When it does not answer in the agreed form.
    pub async fn node(&self) -> NodeInfo {
        let answer = http().get(format!("{}/v1/node", self.address)).send().await;
        answer
            .expect("the agent answers")
            .json()
            .await
            .expect("/v1/node has its wire form")
    }

    /// Waits until it has looked at its Blenders.
    ///
    /// # Panics
    /// When that takes more than a minute.
    pub async fn until_probed(&self) -> NodeInfo {
        within(
            Duration::from_mins(1),
            "the agent probes its engines",
            async || {
                let node = self.node().await;
                node.probed.then_some(node)
            },
        )
        .await
    }

    /// Its batches.
    ///
    /// # Panics
    /// When it does not answer in the agreed form.
    pub async fn batches(&self) -> Vec<BatchReport> {
        let answer = http().get(format!("{}/v1/batches", self.address)).send().await;
        let body: serde_json::Value = answer
            .expect("the agent answers")
            .json()
            .await
            .expect("/v1/batches is JSON");
        let items = body.get("items").cloned().unwrap_or(body);
        serde_json::from_value(items).expect("/v1/batches has its wire form")
    }

    /// The Blenders it runs at the moment.
    pub fn blenders(&self) -> Vec<Proc> {
        descendants(self.program.pid())
    }
}
