//! A running farm: an orchestrator and its agents in one temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use farmhand_client::{FarmClient, pack_scene};
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{JobDetail, JobView};
use tempfile::TempDir;

use crate::{
    Agent, AgentPlan, Blender, Program, build_path, cpu_seconds, descendants, eventually, free_port,
};

/// How to start a farm.
#[derive(Debug, Clone, Default)]
pub struct FarmPlan {
    /// Its agents.
    pub agents: Vec<AgentPlan>,
    /// The scene of `POST /render`.
    pub scene: Option<PathBuf>,
    /// Further arguments of `farmhand serve`.
    pub more: Vec<String>,
}

impl FarmPlan {
    /// So many agents, each of one slot of one thread with this Blender.
    pub fn agents(count: usize, blender: Blender) -> Self {
        Self {
            agents: vec![AgentPlan::with(blender); count],
            ..Self::default()
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Both outputs, one behind the other.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// The last line that is not empty.
    pub fn last_line(&self) -> &str {
        let of = |text: &'_ str| text.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let text = if self.err.trim().is_empty() {
            &self.out
        } else {
            &self.err
        };
        text[of(text)..].trim()
    }
}

/// A running farm.
#[derive(Debug)]
pub struct Farm {
    /// Its agents, in the order of the plan.
    pub agents: Vec<Agent>,
    /// The orchestrator's process.
    pub orchestrator: Program,
    /// Its address, `http://127.0.0.1:4000`.
    pub address: String,
    /// A client of it.
    pub client: FarmClient,
    plan: FarmPlan,
    port: u16,
    // Last, so that everything has ended before its folder goes.
    folder: TempDir,
}

impl Farm {
    /// Starts agents and orchestrator and waits until both answer.
    ///
    /// # Panics
    /// When one does not.
    pub async fn start(plan: FarmPlan) -> Self {
        Self::start_at(free_port(), plan).await
    }

    /// The same with its orchestrator on this port.
    ///
    /// # Panics
    /// When one does not.
    pub async fn start_at(port: u16, plan: FarmPlan) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("farmhand-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        let mut agents = Vec::new();
        for (number, agent) in plan.agents.iter().enumerate() {
            let name = format!("agent-{}", number + 1);
            agents.push(Agent::start(folder.path(), &name, agent.clone()).await);
        }
        let address = format!("http://127.0.0.1:{port}");
        let command = serve_command(folder.path(), port, &agents, &plan);
        let orchestrator = start_serving(folder.path(), command, &[]);
        let mut farm = Self {
            client: FarmClient::new(address.parse().expect("an address is an address"), None),
            agents,
            orchestrator,
            address,
            plan,
            port,
            folder,
        };
        farm.orchestrator.until_healthy(&farm.address).await;
        farm
    }

    /// Processor seconds of every process that lives for it, and of those that these have waited for: orchestrator,
    /// agents, their Blenders.
    pub fn cpu_seconds(&self) -> f64 {
        let agents = self.agents.iter().map(|agent| agent.program.pid());
        let roots: Vec<i32> = agents.chain([self.orchestrator.pid()]).collect();
        let below = roots.iter().flat_map(|pid| descendants(*pid));
        let all: Vec<i32> = below.map(|process| process.pid).chain(roots.clone()).collect();
        all.into_iter().map(cpu_seconds).sum()
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Below which the farm writes pictures.
    pub fn output(&self) -> PathBuf {
        self.folder().join("output")
    }

    /// The farm's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("farm")
    }

    /// Starts an orchestrator anew with the same data, address and nodes, as after a crash.
    pub async fn restart_orchestrator(&mut self) {
        self.begin_orchestrator(&[]);
        self.orchestrator.until_healthy(&self.address).await;
    }

    /// The same with these variables in its environment, and without waiting until it answers.
    pub fn begin_orchestrator(&mut self, environment: &[(String, String)]) {
        let command = serve_command(self.folder.path(), self.port, &self.agents, &self.plan);
        self.orchestrator = start_serving(self.folder.path(), command, environment);
    }

    /// `kill -9` of an agent and a start with the same data and address.
    pub async fn restart_agent(&mut self, number: usize) {
        self.agents[number]
            .restart(self.plan.agents[number].clone())
            .await;
    }

    /// Runs `farmhand ARGS` against this farm, as a person on another machine would: with an empty home.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn farmhand<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        let mut command = self.farmhand_command();
        let output = command.args(args).output().expect("farmhand can be started");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The command of [`Self::farmhand`], without arguments.
    ///
    /// # Panics
    /// When the program is not built.
    pub fn farmhand_command(&self) -> Command {
        let home = self.folder().join("elsewhere");
        std::fs::create_dir_all(&home).expect("a folder in a temporary one can be made");
        let mut command = Command::new(build_path("farmhand"));
        command
            .env("FARMHAND_FARM", &self.address)
            .env("HOME", &home)
            .env_remove("XDG_DATA_HOME")
            .env_remove("FARMHAND_TOKEN")
            .current_dir(&home);
        command
    }

    /// Submits with the command line and returns the job's id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn submit(&self, scene: &Path, frames: &str, more: &[&str]) -> JobId {
        let mut args = vec![
            "submit",
            scene.to_str().expect("the path is text"),
            "--frames",
            frames,
        ];
        args.extend(["--json"]);
        args.extend(more);
        let said = self.farmhand(args);
        assert_eq!(said.code, Some(0), "submit failed: {}", said.all());
        let first = serde_json::Deserializer::from_str(&said.out)
            .into_iter::<JobView>()
            .next();
        first
            .unwrap_or_else(|| panic!("submit --json said nothing: {said:?}"))
            .unwrap_or_else(|error| panic!("submit --json is no job ({error}): {said:?}"))
            .id
    }

    /// Submits without looking into the scene, as a client may that is not ours; returns the job's id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn submit_unseen(&self, scene: &Path, frames: &str) -> JobId {
        let packed = pack_scene(scene.to_owned(), Vec::new(), Vec::new())
            .await
            .expect("the scene can be packed");
        self.client
            .upload(&packed, |_| ())
            .await
            .expect("the scene can be uploaded");
        let name = scene.file_stem().expect("a scene has a name");
        let job = serde_json::json!({"name": name.to_str(), "scene": packed.hash(), "frames": frames});
        let job = serde_json::from_value(job).expect("the rest of a job may be left out");
        let key = scene.display().to_string();
        self.client.submit(&job, &key).await.expect("the job is taken").id
    }

    /// How a job stands.
    ///
    /// # Panics
    /// When the farm does not answer.
    pub async fn job(&self, id: JobId) -> JobDetail {
        self.client.job(id).await.expect("the farm shows the job")
    }

    /// Waits for a job's end, four minutes at most.
    ///
    /// # Panics
    /// When it has not ended by then.
    pub async fn ended(&self, id: JobId) -> JobDetail {
        eventually(&format!("job {id} ends"), async || {
            // A farm that is away for a moment is asked again.
            let detail = self.client.job(id).await.ok()?;
            detail.job.state.has_ended().then_some(detail)
        })
        .await
    }
}

fn serve_command(folder: &Path, port: u16, agents: &[Agent], plan: &FarmPlan) -> Command {
    let mut command = Command::new(build_path("farmhand"));
    command
        .arg("serve")
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--data")
        .arg(folder.join("farm"))
        .arg("--output")
        .arg(folder.join("output"))
        .args(&plan.more)
        .env_remove("FARMHAND_TOKEN");
    for agent in agents {
        command.args(["--node", &agent.address]);
    }
    if let Some(scene) = &plan.scene {
        command.arg("--scene").arg(scene);
    }
    command
}

fn start_serving(folder: &Path, mut command: Command, environment: &[(String, String)]) -> Program {
    command.envs(environment.iter().cloned());
    Program::start("orchestrator", command, folder.join("orchestrator.log"))
}
