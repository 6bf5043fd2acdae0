//! A person who has never seen it, with the dashboard alone: told how to add a node, submits a scene that fails, asks
//! why, mends it, submits it again and sees the picture. And a dashboard that outlives its farm's orchestrator.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use farmhand_client::FarmClient;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    Agent, AgentPlan, Blender, Farm, FarmPlan, Scene, Terminal, build_path, eventually, free_port,
};

/// Waits for the end of a job.
async fn ended(client: &FarmClient, job: JobId) -> JobState {
    eventually("the job ends", async || {
        let job = client.job(job).await.ok()?.job;
        job.state.has_ended().then_some(job.state)
    })
    .await
}

async fn submit_by_keyboard(terminal: &Terminal, scene: &Path) {
    terminal.press(&["n"]);
    terminal.until_shown("Submit a job").await;
    terminal.type_in(scene.to_str().unwrap());
    // The whole file was looked into once it tells what it needs.
    terminal.until_shown("the file's own range").await;
    terminal.press(&["Down", "Down"]);
    terminal.press(&["C-u"]);
    terminal.type_in("1-3");
    terminal.until_shown("3 frames").await;
    terminal.press(&["C-s"]);
    terminal.until_shown("[1] Jobs").await;
}

#[tokio::test]
async fn from_no_nodes_to_a_mended_scene_and_its_picture_by_keyboard_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("farm");
    let address = format!("127.0.0.1:{}", free_port());
    let program = format!(
        "env -u FARMHAND_TOKEN '{}' --listen {address} --data '{}' --output '{}'",
        build_path("farmhand").display(),
        data.display(),
        folder.path().join("out").display(),
    );
    let terminal = Terminal::run(&data, &program, 100, 30);
    let told = terminal.until_shown("No nodes yet").await;
    assert!(told.contains("farmhand-agent --listen"), "{told}");
    assert!(told.contains("then press a here"), "{told}");

    let agent = Agent::start(folder.path(), "agent", AgentPlan::with(Blender::Executable)).await;
    terminal.press(&["a"]);
    terminal.until_shown("esc back").await;
    terminal.press(&["C-u"]);
    terminal.type_in(&agent.address);
    terminal.press(&["Enter"]);
    terminal.until_shown("nodes 1/1").await;

    let scenes = folder.path().join("scenes");
    let broken = Scene::NO_CAMERA.make(Blender::Executable, &scenes);
    let good = Scene::LIGHT.make(Blender::Executable, &scenes);
    let scene = scenes.join("first.blend");
    fs::copy(broken, &scene).unwrap();
    submit_by_keyboard(&terminal, &scene).await;
    let client = FarmClient::new(address.parse().unwrap(), None);
    assert_eq!(ended(&client, JobId(1)).await, JobState::Failed);

    terminal.until_shown("✗ fail ").await;
    terminal.press(&["w"]);
    let why = terminal.until_shown("camera").await;
    for said in [
        "Why: j1 first",
        "frame 1 on",
        "shown by",
        "Scene properties, Camera",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    terminal.press(&["Escape"]);
    terminal.until_shown("[1] Jobs").await;

    // Somebody gives it a camera, and saves it.
    fs::copy(good, &scene).unwrap();
    submit_by_keyboard(&terminal, &scene).await;
    assert_eq!(ended(&client, JobId(2)).await, JobState::Completed);
    terminal.until_shown("✓ done").await;
    terminal.press(&["v"]);
    let picture = terminal
        .until("the picture is shown", |screen| {
            screen.contains("half blocks") && screen.matches(['▀', '▄']).count() > 50
        })
        .await;
    assert!(
        picture.contains("j2 first > frame") && picture.contains("320x180"),
        "{picture}"
    );
    terminal.press(&["Escape"]);
    terminal.until_shown("[1] Jobs").await;
    // All has ended: nobody is asked.
    terminal.press(&["q"]);
    terminal.until_ended().await;
}

#[tokio::test]
async fn a_connected_dashboard_outlives_a_restart_of_the_orchestrator() {
    let mut farm = Farm::start(FarmPlan::default()).await;
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-20", &[]);
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "exec env -u FARMHAND_TOKEN '{}' --connect {} --data '{}'",
        build_path("farmhand").display(),
        farm.address,
        folder.path().display()
    );
    let terminal = Terminal::run(folder.path(), &program, 100, 30);
    terminal.until_shown("0/20").await;
    farm.orchestrator.kill_nine();
    let lost = terminal.until_shown("connection lost at").await;
    assert!(lost.contains("trying again in"), "{lost}");
    assert!(lost.contains("0/20"), "what was known is still there: {lost}");
    // It can be looked at meanwhile, and counts.
    let waits = |screen: &str| {
        let wait = screen.split("trying again in ").nth(1)?.split(' ').next()?;
        wait.parse::<u32>().ok()
    };
    let mut seen = Vec::new();
    terminal
        .until("the wait goes by", |screen| {
            seen.extend(waits(screen).filter(|wait| !seen.contains(wait)));
            seen.len() > 1
        })
        .await;
    terminal.press(&["?"]);
    terminal.until_shown("Help: Farm").await;
    terminal.press(&["Escape"]);

    farm.restart_orchestrator().await;
    terminal.until_shown("● live").await;
    let back = terminal.until_shown("0/20").await;
    assert!(!back.contains("connection lost"), "{back}");
    // And it is told what happens again.
    farm.farmhand(["pause", &id.to_string()]);
    terminal.until_shown("paused").await;
}
