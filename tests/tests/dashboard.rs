//! The dashboard in a real terminal (tmux), on a real farm.

use std::process::Command;

use farmhand_client::FarmClient;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    Agent, AgentPlan, Blender, Scene, Terminal, build_path, eventually, free_port, pictures_in,
};

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
    let terminal = Terminal::run(&data, &program, 100, 30);
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
    screened.terminal.close();
    screened.must_finish().await;
}
