//! `make bench`: what a farm costs over other ways to render the same frames on the same two threads.
//!
//! Two scenes: 60 light frames (320x180, 16 samples), and 40 heavy ones (265,000 vertices with pictures on
//! them). Each is rendered by plain `blender -b -a -t 2`, by one process a frame, by cold batches of five, and by
//! two agents of one thread each, from cold: starting agents, orchestrator and Blenders, submitting and ending
//! are all counted. It prints figures and judges nothing: machines differ, and loaded ones differ from
//! themselves.
//!
//! Arguments: how many rounds (the best one of each way is told), and `light` or `heavy` where only that scene is
//! wanted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use farmhand_tests::{Blender, Farm, FarmPlan, Scene, cpu_seconds};

const ROUNDS: usize = 3;
const WAYS: [Way; 4] = [Way::Plain, Way::ProcessAFrame, Way::BatchesOfFive, Way::Farm];

/// What is rendered.
struct Work {
    scene: Scene,
    name: &'static str,
    frames: usize,
}

/// How it is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    ProcessAFrame,
    BatchesOfFive,
    Farm,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ProcessAFrame => "process-a-frame",
            Self::BatchesOfFive => "batches-of-five",
            Self::Farm => "farm",
        }
    }
}

/// What one run took, in seconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut rounds = ROUNDS;
    let mut only = None;
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => rounds = number,
            Err(_) => only = Some(argument),
        }
    }
    let works = [
        Work {
            scene: Scene::LIGHT,
            name: "light",
            frames: 60,
        },
        Work {
            scene: Scene::HEAVY,
            name: "heavy",
            frames: 40,
        },
    ];
    for work in works
        .iter()
        .filter(|work| only.as_ref().is_none_or(|name| name == work.name))
    {
        bench(work, rounds).await;
    }
}

async fn bench(work: &Work, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = work.scene.make(Blender::Executable, folder.path());
    println!(
        "{} scene, {} frames, two threads in all, best of {rounds}\n\n{:16} {:>10} {:>10} {:>12} {:>12}",
        work.name, work.frames, "way", "wall", "CPU", "wall ratio", "CPU ratio"
    );
    let mut plain = None;
    let mut line = serde_json::json!({"bench": work.name, "frames": work.frames, "rounds": rounds});
    for way in WAYS {
        let mut costs = Vec::new();
        for round in 1..=rounds {
            let output = folder.path().join(format!("{}-{round}", way.name()));
            costs.push(measured(async || render(way, work, &scene, &output).await).await);
        }
        let cost = best(&costs);
        let beside = *plain.get_or_insert(cost);
        let (wall_ratio, cpu_ratio) = (cost.wall / beside.wall, cost.cpu / beside.cpu);
        println!(
            "{:16} {:8.2} s {:8.2} s {wall_ratio:12.3} {cpu_ratio:12.3}",
            way.name(),
            cost.wall,
            cost.cpu
        );
        line[way.name()] = serde_json::json!({
            "wall_s": rounded(cost.wall), "cpu_s": rounded(cost.cpu),
            "wall_ratio": rounded(wall_ratio), "cpu_ratio": rounded(cpu_ratio),
        });
    }
    println!("\n{line}\n");
}

async fn render(way: Way, work: &Work, scene: &Path, output: &Path) -> Duration {
    let size = match way {
        Way::Plain => work.frames,
        Way::ProcessAFrame => 1,
        Way::BatchesOfFive => 5,
        Way::Farm => return render_on_a_farm(work, scene).await,
    };
    let started = Instant::now();
    for first in (1..=work.frames).step_by(size) {
        render_coldly(scene, output, first, work.frames.min(first + size - 1));
    }
    let took = started.elapsed();
    assert_eq!(files_in(output), work.frames);
    took
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

/// One Blender from its start to its end.
fn render_coldly(scene: &Path, output: &Path, first: usize, last: usize) {
    let status = Command::new(Blender::Executable.argument())
        .args(["-b", "--factory-startup"])
        .arg(scene)
        .arg("-o")
        .arg(output.join("frame_####"))
        .args(["-s", &first.to_string(), "-e", &last.to_string(), "-t", "2", "-a"])
        .stdout(Stdio::null())
        .status()
        .expect("Blender can be started");
    assert!(status.success(), "Blender ended with {status}");
}

async fn render_on_a_farm(work: &Work, scene: &Path) -> Duration {
    let started = Instant::now();
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let frames = format!("1-{}", work.frames);
    let said = farm.farmhand([
        "submit".as_ref(),
        scene.as_os_str(),
        "--frames".as_ref(),
        frames.as_ref(),
        "--wait".as_ref(),
    ]);
    let took = started.elapsed();
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert_eq!(files_in(&farm.output().join(work.name)), work.frames);
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

/// The round that took the least CPU: what else the machine did only adds.
fn best(costs: &[Cost]) -> Cost {
    let least = costs.iter().copied().min_by(|a, b| a.cpu.total_cmp(&b.cpu));
    least.unwrap_or(Cost {
        wall: f64::NAN,
        cpu: f64::NAN,
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
