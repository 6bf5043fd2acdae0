//! The dashboard in a real terminal (tmux), on a real farm.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use farmhand_client::FarmClient;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    Agent, AgentPlan, Blender, Scene, build_path, eventually, free_port, pictures_in, within,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A terminal of 100x30 that runs one program. Dropped, it goes, and so does an orchestrator left behind.
struct Terminal {
    socket: String,
    data: PathBuf,
}

impl Terminal {
    fn run(data: PathBuf, program: &str) -> Self {
        let socket = format!("farmhand-test-{}", free_port());
        let terminal = Self { socket, data };
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            program,
        ]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(args)
            .output();
        let output = output.expect("tmux is installed: run `make setup`");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What is on the screen; nothing once the program has ended.
    fn screen(&self) -> Option<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    fn press(&self, keys: &[&str]) {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        self.tmux(&args);
    }

    async fn until_shown(&self, text: &str) -> String {
        within(
            Duration::from_secs(20),
            &format!("the screen shows {text:?}"),
            async || {
                let screen = self.screen()?;
                screen.contains(text).then_some(screen)
            },
        )
        .await
    }

    async fn until_ended(&self) {
        within(Duration::from_secs(20), "the dashboard ends", async || {
            self.screen().is_none().then_some(())
        })
        .await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen:\n{}", self.screen().unwrap_or_default());
        }
        self.tmux(&["kill-server"]);
        let note = std::fs::read(self.data.join("orchestrator.json")).unwrap_or_default();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap_or_default();
        if let Some(pid) = note["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()) {
            let _already_gone = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

struct Screened {
    terminal: Terminal,
    client: FarmClient,
    job: JobId,
    agent: Agent,
    folder: tempfile::TempDir,
}

/// A dashboard that holds a farm of one agent, in the middle of a job of 16 frames.
async fn in_the_middle_of_a_job() -> Screened {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let agent = Agent::start(folder.path(), "agent", AgentPlan::with(Blender::Executable)).await;
    let data = folder.path().join("farm");
    let address = format!("127.0.0.1:{}", free_port());
    let program = format!(
        "env -u FARMHAND_TOKEN '{}' --listen {address} --data '{}' --output '{}' --node {}",
        build_path("farmhand").display(),
        data.display(),
        folder.path().join("out").display(),
        agent.address
    );
    let terminal = Terminal::run(data, &program);
    let client = FarmClient::new(address.parse().expect("an address is an address"), None);
    eventually("the dashboard's farm answers", async || {
        client.health().await.ok()
    })
    .await;

    let scene = Scene::STEADY.make(Blender::Executable, &folder.path().join("scenes"));
    let said = Command::new(build_path("farmhand"))
        .arg("submit")
        .arg(scene)
        .args(["--frames", "1-16", "--name", "watched", "--farm", &address])
        .output()
        .expect("farmhand can be started");
    assert!(said.status.success(), "{said:?}");
    let job = client.jobs().await.expect("the farm lists its jobs")[0].id;
    eventually("two frames are delivered", async || {
        (client.job(job).await.ok()?.job.counts.delivered >= 2).then_some(())
    })
    .await;
    Screened {
        terminal,
        client,
        job,
        agent,
        folder,
    }
}

impl Screened {
    async fn must_finish(&self) {
        let ended = eventually("the job ends", async || {
            let job = self.client.job(self.job).await.ok()?.job;
            job.state.has_ended().then_some(job)
        })
        .await;
        assert_eq!(ended.state, JobState::Completed, "{:?}", ended.reason);
        assert_eq!(pictures_in(&self.folder.path().join("out/watched")).len(), 16);
        assert!(!self.agent.blenders().is_empty(), "its Blender stayed warm");
    }
}

#[tokio::test]
async fn the_dashboard_shows_a_job_and_hands_it_over_when_it_quits() {
    let screened = in_the_middle_of_a_job().await;
    screened.terminal.until_shown("watched").await;
    screened.terminal.press(&["q"]);
    screened.terminal.until_shown("Leave it running").await;
    screened.terminal.press(&["y"]);
    screened.terminal.until_ended().await;
    screened.must_finish().await;
}

#[tokio::test]
async fn a_closed_terminal_harms_no_job() {
    let screened = in_the_middle_of_a_job().await;
    screened.terminal.tmux(&["kill-server"]);
    screened.must_finish().await;
}
