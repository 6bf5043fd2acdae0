//! Agents on this machine, started by us and gone with us: for the demo only.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, eyre};
use tokio::process::{Child, Command};

/// A running agent. Dropped, it is killed; [`LocalAgents::stop`] asks first.
#[derive(Debug)]
struct LocalAgent {
    address: String,
    child: Child,
}

/// Several agents with one slot of one thread each.
#[derive(Debug)]
pub(crate) struct LocalAgents(Vec<LocalAgent>);

impl LocalAgents {
    /// Starts `count` agents with data folders and logs below `folder`.
    ///
    /// # Errors
    /// When the program is not beside this one, or does not start.
    pub(crate) fn start(folder: &Path, count: usize) -> Result<Self> {
        let program = agent_program()?;
        (1..=count)
            .map(|number| start(&program, &folder.join(format!("agent-{number}")), number))
            .collect::<Result<Vec<_>>>()
            .map(Self)
    }

    /// Their base addresses.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.0.iter().map(|agent| agent.address.clone()).collect()
    }

    /// What an agent that has already ended said, if one has.
    pub(crate) fn first_failure(&mut self) -> Option<String> {
        self.0.iter_mut().find_map(|agent| {
            let status = agent.child.try_wait().ok().flatten()?;
            Some(format!("the agent at {} ended ({status})", agent.address))
        })
    }

    /// Asks all to end, and kills those that do not within ten seconds.
    pub(crate) async fn stop(mut self) {
        for agent in &self.0 {
            if let Some(pid) = agent.child.id().and_then(|pid| i32::try_from(pid).ok()) {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _already_gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
            }
        }
        let all = self.0.iter_mut().map(|agent| agent.child.wait());
        let ended = tokio::time::timeout(Duration::from_secs(10), futures_util::future::join_all(all)).await;
        if ended.is_err() {
            tracing::warn!("an agent did not end in time and is killed");
        }
    }
}

/// `farmhand-agent` beside this program, else wherever the shell finds it.
fn agent_program() -> Result<PathBuf> {
    let own = std::env::current_exe().wrap_err("cannot find this program")?;
    let beside = own.with_file_name("farmhand-agent");
    if beside.is_file() {
        return Ok(beside);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("farmhand-agent"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            eyre!(
                "farmhand-agent is not beside {}: build or install both",
                own.display()
            )
        })
}

fn start(program: &Path, data: &Path, number: usize) -> Result<LocalAgent> {
    std::fs::create_dir_all(data).wrap_err_with(|| format!("cannot make {}", data.display()))?;
    let log = data.join("agent.log");
    let log = std::fs::File::create(&log).wrap_err_with(|| format!("cannot write {}", log.display()))?;
    let listen = free_port()?;
    let child = Command::new(program)
        .args(["--slots", "1", "--threads", "1", "--name"])
        .arg(format!("demo-{number}"))
        .arg("--listen")
        .arg(listen.to_string())
        .arg("--data")
        .arg(data)
        // Nobody else reaches them, and a token lying about must not keep us out.
        .env_remove("FARMHAND_TOKEN")
        .env_remove("FARMHAND_TOKEN_FILE")
        .env_remove("FARMHAND_CA")
        .env_remove("FARMHAND_TLS_CERT")
        .env_remove("FARMHAND_TLS_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::from(log.try_clone().wrap_err("cannot share a log file")?))
        .stderr(Stdio::from(log))
        .process_group(0) // Ctrl-C is for us; we end them in order.
        .kill_on_drop(true)
        .spawn()
        .wrap_err_with(|| format!("cannot start {}", program.display()))?;
    Ok(LocalAgent {
        address: format!("http://{listen}"),
        child,
    })
}

/// A port that nobody listens on at the moment.
fn free_port() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .wrap_err("cannot find a free port")
}
