//! The job screen in a real terminal: a job from its submission by keyboard to its last picture, and how soon a
//! sample that Blender reports is on the screen. The Blender is clockwork, so that time is what is measured.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use farmhand_client::FarmClient;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    Agent, AgentPlan, Blender, Scene, Terminal, build_path, eventually, free_port, pictures_in,
};

/// Makes `folder/blender`, which runs the clockwork with these settings.
fn clockwork(folder: &Path, settings: &[(&str, String)]) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/clockwork.py");
    // Itself and no shim of it: an agent without named Blenders has no PATH.
    let found = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let python = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    assert!(!python.is_empty(), "python3 is installed: run `make setup`");
    let mut text = "#!/bin/sh\n".to_owned();
    for (name, value) in settings {
        writeln!(text, "export {name}='{value}'").unwrap();
    }
    writeln!(text, "exec '{python}' '{}' \"$@\"", script.display()).unwrap();
    let path = folder.join("blender");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

struct Watched {
    terminal: Terminal,
    client: FarmClient,
    output: PathBuf,
    scene: PathBuf,
    _agents: Vec<Agent>,
    folder: tempfile::TempDir,
}

/// A dashboard on a farm of some clockwork agents.
async fn watched(agents: usize, settings: &[(&str, String)], width: u16, height: u16) -> Watched {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::BASIC.make(Blender::Executable, &folder.path().join("scenes"));
    let blender = clockwork(folder.path(), settings);
    let mut running = Vec::new();
    for number in 1..=agents {
        let name = format!("agent-{number}");
        let more = ["--blender", blender.to_str().unwrap(), "--name", &name].map(str::to_owned);
        let plan = AgentPlan {
            more: more.to_vec(),
            ..AgentPlan::default()
        };
        running.push(Agent::start(folder.path(), &name, plan).await);
    }
    let data = folder.path().join("farm");
    let output = folder.path().join("out");
    let address = format!("127.0.0.1:{}", free_port());
    let mut nodes = String::new();
    for agent in &running {
        write!(nodes, " --node {}", agent.address).unwrap();
    }
    let program = format!(
        "env -u FARMHAND_TOKEN -u NO_COLOR TZ=UTC '{}' --listen {address} --data '{}' --output '{}'{nodes}",
        build_path("farmhand").display(),
        data.display(),
        output.display(),
    );
    let terminal = Terminal::run(&data, &program, width, height);
    let client = FarmClient::new(address.parse().unwrap(), None);
    eventually("every agent is ready", async || {
        let farm = client.farm().await.ok()?;
        (farm.nodes_ready as usize == agents).then_some(())
    })
    .await;
    Watched {
        terminal,
        client,
        output,
        scene,
        _agents: running,
        folder,
    }
}

#[tokio::test]
async fn a_job_is_submitted_watched_cancelled_in_part_retried_and_delivered_by_keyboard_alone() {
    let pace = [
        ("CLOCKWORK_SAMPLES", "3".to_owned()),
        ("CLOCKWORK_PACE", "0.25".to_owned()),
    ];
    let watched = watched(2, &pace, 100, 30).await;
    let terminal = &watched.terminal;
    terminal.until_shown("No jobs").await;

    terminal.press(&["n"]);
    terminal.until_shown("Submit").await;
    terminal.type_in(watched.scene.to_str().unwrap());
    terminal.until_shown("1-12").await;
    terminal.press(&["C-s"]);
    terminal.until_shown("j1").await;

    terminal.press(&["Enter"]);
    terminal.until_shown("1 cell = 1 frame").await;
    let filling = |screen: &str, least: usize| count_after(screen, "done").is_some_and(|done| done >= least);
    terminal
        .until("the first cell fills", |screen| filling(screen, 1))
        .await;

    // The newest batch has frames left: it is cancelled from the table, and asks first.
    terminal.press(&["Tab"]);
    terminal.press(&["c"]);
    terminal.until_shown("Cancel batch").await;
    terminal.press(&["y"]);
    let screen = terminal
        .until("cells are cancelled", |screen| {
            count_after(screen, "cancel").is_some()
        })
        .await;
    assert!(count_after(&screen, "cancel").unwrap() > 0, "{screen}");

    terminal.press(&["w"]);
    terminal.until_shown("a person cancelled it").await;
    terminal.press(&["Escape"]);
    terminal.until_shown("1 cell = 1 frame").await;

    let ended = eventually("what is left ends", async || {
        let job = watched.client.jobs().await.ok()?.pop()?;
        job.state.has_ended().then_some(job)
    })
    .await;
    assert_eq!(ended.state, JobState::Cancelled, "{:?}", ended.reason);
    terminal.press(&["r"]);
    terminal
        .until("every cell is full", |screen| {
            filling(screen, 12) && screen.contains("✓ done")
        })
        .await;
    let job = watched.client.jobs().await.unwrap().pop().unwrap();
    assert_eq!(job.state, JobState::Completed);
    assert_eq!(pictures_in(Path::new(&job.output)).len(), 12);
    assert!(Path::new(&job.output).starts_with(watched.output.canonicalize().unwrap()));
    assert!(watched.folder.path().exists());
}

/// The number behind a word of the legend.
fn count_after(screen: &str, word: &str) -> Option<usize> {
    let rows = screen.lines().filter(|line| !line.contains("[2]"));
    let mut found = rows.filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|other| *other == word);
        at.and_then(|at| words.get(at + 1)?.parse().ok())
    });
    found.next()
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[tokio::test]
async fn a_sample_that_blender_reports_is_on_the_screen_within_a_second() {
    const SAMPLES: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let settings = [
        ("CLOCKWORK_SAMPLES", SAMPLES.to_string()),
        ("CLOCKWORK_PACE", "0.5".to_owned()),
        ("CLOCKWORK_REPORTS", reports.display().to_string()),
    ];
    let watched = watched(1, &settings, 100, 30).await;
    let said = Command::new(build_path("farmhand"))
        .args([
            "submit",
            "--frames",
            "1",
            "--name",
            "timed",
            "--farm",
            &watched.client.address().to_string(),
        ])
        .arg(&watched.scene)
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    watched.terminal.until_shown("timed").await;

    // The time at which each sample was first seen, at most some 30 ms late: that long takes a look.
    let mut seen: HashMap<u32, f64> = HashMap::new();
    let began = Instant::now();
    while !seen.contains_key(&SAMPLES) && began.elapsed() < Duration::from_secs(90) {
        let screen = watched.terminal.screen().unwrap();
        let at = now();
        for word in screen.split_whitespace() {
            let Some((sample, all)) = word.split_once('/') else {
                continue;
            };
            if all == SAMPLES.to_string()
                && let Ok(sample) = sample.parse()
            {
                seen.entry(sample).or_insert(at);
            }
        }
        if seen.len() + 5 >= SAMPLES as usize && watched.client.jobs().await.unwrap()[0].state.has_ended() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut delays: Vec<f64> = Vec::new();
    for line in fs::read_to_string(&reports).unwrap().lines() {
        let mut words = line.split_whitespace();
        let reported: f64 = words.next().unwrap().parse().unwrap();
        let sample: u32 = words.nth(1).unwrap().parse().unwrap();
        delays.extend(seen.get(&sample).map(|seen| seen - reported));
    }
    delays.sort_unstable_by(f64::total_cmp);
    assert!(
        delays.len() >= 20,
        "only {} samples were seen: {delays:?}",
        delays.len()
    );
    let (median, most) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!(
        "{} samples: median {median:.3} s, slowest {most:.3} s",
        delays.len()
    );
    assert!(
        median < 1.0,
        "half of the samples came later than {median} s: {delays:?}"
    );
    // A look that comes late because the machine is busy with other tests is not the dashboard's delay.
    assert!(delays[delays.len() * 9 / 10] < 1.0, "{delays:?}");
}
