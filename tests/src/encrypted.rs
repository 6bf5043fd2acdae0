//! A farm with a CA of its own: it speaks https, and agents join it by join tokens.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use farmhand_client::FarmClient;
use farmhand_http::Tokens;
use farmhand_protocol::farm::{NodeState, NodeView};
use farmhand_tls::{Anchor, Authority, Role, Trust};
use tempfile::TempDir;

use crate::{AgentPlan, Program, Said, build_path, eventually, free_port, within};

/// A running one.
#[derive(Debug)]
pub struct Encrypted {
    /// Its agents, in the order in which they were started.
    pub agents: Vec<Program>,
    /// The orchestrator's process.
    pub orchestrator: Program,
    /// Its port.
    pub port: u16,
    /// A client of it.
    pub client: FarmClient,
    // Last, so that everything has ended before its folder goes.
    folder: TempDir,
}

impl Encrypted {
    /// Makes a token and a CA and starts the farm.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn start(more: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("farmhand-test-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let data = folder.path().join("farm");
        for verb in [&["token"][..], &["ca", "init"]] {
            let said = run(farmhand(folder.path(), &data).args(verb));
            assert_eq!(said.code, Some(0), "{verb:?}: {}", said.all());
        }
        let port = free_port();
        let mut command = farmhand(folder.path(), &data);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        command
            .arg("--output")
            .arg(folder.path().join("output"))
            .args(more);
        let orchestrator = Program::start("orchestrator", command, folder.path().join("serve.log"));
        let address = format!("https://127.0.0.1:{port}").parse().expect("an address");
        let tokens = Tokens::from_file(&data.join("token")).expect("it was just made");
        let anchor = Anchor::from_file(&Authority::certificate_in(&data)).expect("it was just made");
        tokio::spawn(tokens.clone().keep_fresh());
        let mut farm = Self {
            agents: Vec::new(),
            orchestrator,
            port,
            client: FarmClient::new(address, Some(tokens)).trusting(anchor),
            folder,
        };
        within(Duration::from_secs(10), "the orchestrator answers", async || {
            if let Some(status) = farm.orchestrator.ended() {
                panic!(
                    "the orchestrator ended with {status}:\n{}",
                    farm.orchestrator.said()
                );
            }
            farm.client.health().await.ok()
        })
        .await;
        farm
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The farm's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("farm")
    }

    /// The farm's token.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn token(&self) -> String {
        let tokens = Tokens::from_file(&self.data().join("token"));
        tokens.expect("the farm has a token").first()
    }

    /// The farm's authority.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn anchor(&self) -> Anchor {
        Anchor::from_file(&self.ca()).expect("the farm has a CA")
    }

    /// The file of the farm's authority.
    pub fn ca(&self) -> PathBuf {
        Authority::certificate_in(&self.data())
    }

    /// A client that believes those of the farm who have this role.
    ///
    /// # Panics
    /// Never.
    pub fn http(&self, role: Role) -> reqwest::Client {
        farmhand_http::client(&Trust::Farm(self.anchor(), role))
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a plain client can be built")
    }

    /// Where the farm listens, `https://...`.
    pub fn address(&self) -> String {
        self.client.address().to_string()
    }

    /// Runs `farmhand ARGS` on the farm's own machine.
    pub fn here<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        run(farmhand(self.folder(), &self.data()).args(args))
    }

    /// Runs `farmhand ARGS` as on another machine that has the farm's CA and token.
    ///
    /// # Panics
    /// When a folder cannot be made.
    pub fn elsewhere<S: AsRef<OsStr>>(&self, address: &str, args: impl IntoIterator<Item = S>) -> Said {
        let home = self.folder().join("elsewhere");
        std::fs::create_dir_all(&home).expect("a folder in a temporary one can be made");
        let mut command = farmhand(&home, &home.join("data"));
        command
            .env("FARMHAND_FARM", address)
            .env("FARMHAND_CA", self.ca())
            .env("FARMHAND_TOKEN_FILE", self.data().join("token"));
        run(command.args(args))
    }

    /// A join token in a file of its own.
    ///
    /// # Panics
    /// When there is none.
    pub fn join_token(&self, name: &str, more: &[&str]) -> PathBuf {
        let said = self.here([&["ca", "token"], more].concat());
        assert_eq!(said.code, Some(0), "{}", said.all());
        assert_eq!(said.out.lines().count(), 1, "one line: {}", said.out);
        let file = self.folder().join(name);
        std::fs::write(&file, said.out).expect("a temporary folder can be written");
        file
    }

    /// Starts an agent that joins by this token; nothing is waited for.
    pub fn agent(&self, name: &str, port: u16, farm: &str, token: Option<&Path>, more: &[&str]) -> Program {
        let mut arguments = vec!["--name".to_owned(), name.to_owned()];
        arguments.extend(["--join".to_owned(), farm.to_owned()]);
        if let Some(token) = token {
            arguments.extend(["--join-token-file".to_owned(), token.display().to_string()]);
        }
        arguments.extend([
            "--blender".to_owned(),
            build_path("farmhand-stand-in").display().to_string(),
        ]);
        arguments.extend(more.iter().map(|one| (*one).to_owned()));
        let plan = AgentPlan {
            more: arguments,
            ..AgentPlan::default()
        };
        let command = crate::Agent::command(&self.folder().join(name), port, plan);
        Program::start(name, command, self.folder().join(format!("{name}.log")))
    }

    /// Starts an agent that joins the farm, and waits until the farm has reached it. Its base address.
    pub async fn joined_agent(&mut self, name: &str) -> String {
        let token = self.join_token(&format!("{name}.join-token"), &[]);
        let agent = self.agent(name, free_port(), &self.address(), Some(&token), &[]);
        self.agents.push(agent);
        self.reached(name).await.address
    }

    /// Waits until the farm has reached a node of this name.
    pub async fn reached(&self, name: &str) -> NodeView {
        eventually(&format!("the farm reaches {name}"), async || {
            let nodes = self.client.nodes().await.ok()?;
            nodes.into_iter().find(|node| {
                node.name == name && !matches!(node.state, NodeState::Lost | NodeState::Connecting)
            })
        })
        .await
    }
}

fn farmhand(home: &Path, data: &Path) -> Command {
    let mut command = Command::new(build_path("farmhand"));
    command
        .env("HOME", home)
        .env("FARMHAND_DATA", data)
        .env_remove("XDG_DATA_HOME")
        .env_remove("FARMHAND_TOKEN");
    command
}

fn run(command: &mut Command) -> Said {
    let output = command.output().expect("farmhand can be started");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
