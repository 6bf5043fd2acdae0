//! `make bench`: what a farm costs over one plain Blender that renders the same frames.
//!
//! 60 light frames (320x180, 16 samples) on two agents of one thread each, from cold: starting agents,
//! orchestrator and Blenders, submitting and ending are all counted. Against `blender -b -a -t 2`. It prints
//! figures and judges nothing: machines differ, and loaded ones differ from themselves.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use farmhand_tests::{Blender, Farm, FarmPlan, Scene, cpu_seconds};

const FRAMES: usize = 60;
const ROUNDS: usize = 3;

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::LIGHT.make(Blender::Executable, folder.path());
    let (mut plain, mut farm) = (Vec::new(), Vec::new());
    println!("{FRAMES} frames of 320x180 with 16 samples, two threads in all, {rounds} rounds\n");
    println!("round   plain wall   plain CPU   farm wall   farm CPU   wall ratio   CPU ratio");
    for round in 1..=rounds {
        let one =
            measured(async || render_plainly(&scene, &folder.path().join(format!("plain-{round}")))).await;
        let other = measured(async || render_on_a_farm(&scene).await).await;
        row(&round.to_string(), one, other);
        plain.push(one);
        farm.push(other);
    }
    let (one, other) = (middle(&plain), middle(&farm));
    row("median", one, other);
    println!("\npromised: wall at most 1.10, CPU at most 1.15");
    println!(
        "{}",
        serde_json::json!({
            "bench": "farm-over-plain", "frames": FRAMES, "rounds": rounds,
            "plain_wall_s": rounded(one.wall), "plain_cpu_s": rounded(one.cpu),
            "farm_wall_s": rounded(other.wall), "farm_cpu_s": rounded(other.cpu),
            "wall_ratio": rounded(other.wall / one.wall), "cpu_ratio": rounded(other.cpu / one.cpu),
        })
    );
}

/// Wall time until `run` has what was asked for, and the CPU time of all processes it started and waited for.
/// They are our children, so the system adds theirs to ours when they have ended.
async fn measured(run: impl AsyncFnOnce() -> Duration) -> Cost {
    let own = i32::try_from(std::process::id()).expect("process numbers are small");
    let before = cpu_seconds(own);
    let wall = run().await.as_secs_f64();
    Cost {
        wall,
        cpu: cpu_seconds(own) - before,
    }
}

fn render_plainly(scene: &Path, output: &Path) -> Duration {
    let started = Instant::now();
    let status = Command::new(Blender::Executable.argument())
        .args(["-b", "--factory-startup"])
        .arg(scene)
        .arg("-o")
        .arg(output.join("light_####"))
        .args(["-s", "1", "-e", &FRAMES.to_string(), "-t", "2", "-a"])
        .stdout(Stdio::null())
        .status()
        .expect("Blender can be started");
    let took = started.elapsed();
    assert!(status.success(), "Blender ended with {status}");
    assert_eq!(files_in(output), FRAMES);
    took
}

async fn render_on_a_farm(scene: &Path) -> Duration {
    let started = Instant::now();
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let frames = format!("1-{FRAMES}");
    let said = farm.farmhand([
        "submit".as_ref(),
        scene.as_os_str(),
        "--frames".as_ref(),
        frames.as_ref(),
        "--wait".as_ref(),
    ]);
    let took = started.elapsed();
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert_eq!(files_in(&farm.output().join("light")), FRAMES);
    // An orderly end, so that every Blender is waited for and its time is counted.
    farm.orchestrator.terminate(Duration::from_secs(10));
    for agent in &mut farm.agents {
        agent.program.terminate(Duration::from_secs(10));
    }
    took
}

/// Counted, not decoded: that would be our own time.
fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn middle(costs: &[Cost]) -> Cost {
    let median = |of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Cost {
        wall: median(|cost| cost.wall),
        cpu: median(|cost| cost.cpu),
    }
}

fn row(name: &str, plain: Cost, farm: Cost) {
    println!(
        "{name:6} {:9.2} s {:9.2} s {:9.2} s {:8.2} s {:12.3} {:11.3}",
        plain.wall,
        plain.cpu,
        farm.wall,
        farm.cpu,
        farm.wall / plain.wall,
        farm.cpu / plain.cpu
    );
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
