//! `make bench`: what a farm costs over other ways to render the same frames on the same two threads.
//!
//! Two scenes: 60 light frames (320x180, 16 samples), and 40 heavy ones (265,000 vertices with pictures on
//! them). Each is rendered by plain `blender -b -a -t 2`, by one process a frame, by cold batches of five, and by
//! two agents of one thread each, from cold: starting agents, orchestrator and Blenders, submitting and ending
//! are all counted: every process, the client's too. The pictures of both are decoded and compared.
//!
//! Of the light scene it tells further what a frame costs on a warm farm, whose Blenders have the scene loaded from an
//! earlier job, against what a further frame costs plain Blender: the time of all frames without that of one, spread
//! over the others. It prints figures and judges nothing: machines differ, and loaded ones differ from themselves.
//!
//! Arguments: how many rounds (the best one of each way is told), and `light` or `heavy` where only that scene is
//! wanted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use farmhand_tests::figures::{Cost, measured, own_pid, rounded};
use farmhand_tests::{Blender, Farm, FarmPlan, Picture, Scene, cpu_seconds, pictures_in};

const ROUNDS: usize = 3;
const WAYS: [Way; 4] = [Way::Plain, Way::ProcessAFrame, Way::BatchesOfFive, Way::Farm];

/// What is rendered.
struct Work {
    scene: Scene,
    name: &'static str,
    frames: usize,
    /// Whether a warm farm is measured too.
    warm: bool,
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
            warm: true,
        },
        Work {
            scene: Scene::HEAVY,
            name: "heavy",
            frames: 40,
            warm: false,
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
        let cost = Cost::least(&costs);
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
    if work.warm
        && let Some(plain) = plain
    {
        line["warm_farm"] = warm(work, &scene, folder.path(), rounds, plain).await;
    }
    line["pictures"] = compare(work, folder.path(), rounds).into();
    println!("\n{line}\n");
}

/// Tells how a frame of a warm farm compares with a further frame of plain Blender.
async fn warm(work: &Work, scene: &Path, folder: &Path, rounds: usize, plain: Cost) -> serde_json::Value {
    let mut firsts = Vec::new();
    for round in 1..=rounds {
        let output = folder.join(format!("first-{round}"));
        let render = async || {
            let started = Instant::now();
            render_coldly(scene, &output, 1, 1);
            started.elapsed()
        };
        firsts.push(measured(render).await);
    }
    let first = Cost::least(&firsts);
    let farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    submit(&farm, scene, "1-12", "warm-up");
    assert!(
        farm.agents.iter().all(|agent| agent.blenders().len() == 1),
        "every agent has a warm Blender"
    );
    let mut costs = Vec::new();
    for round in 1..=rounds {
        // Ours is that of the client, which we have waited for.
        let spent = || farm.cpu_seconds() + cpu_seconds(own_pid());
        let (before, started) = (spent(), Instant::now());
        submit(
            &farm,
            scene,
            &format!("1-{}", work.frames),
            &format!("warm-{round}"),
        );
        costs.push(Cost {
            wall: started.elapsed().as_secs_f64(),
            cpu: spent() - before,
        });
    }
    let frames = u32::try_from(work.frames).map_or(f64::NAN, f64::from);
    let warm = Cost::least(&costs).cpu / frames;
    let further = (plain.cpu - first.cpu) / (frames - 1.0);
    println!(
        "\na frame of a warm farm {warm:.3} s of CPU, a further frame of plain Blender {further:.3} s, ratio {:.3}",
        warm / further
    );
    serde_json::json!({
        "cpu_s_per_frame": rounded(warm), "plain_cpu_s_per_frame": rounded(further),
        "cpu_ratio": rounded(warm / further),
    })
}

/// Tells whether the farm's pictures are plain Blender's, pixel by pixel.
fn compare(work: &Work, folder: &Path, round: usize) -> String {
    let of = |way: Way| -> Vec<Picture> {
        let pictures = pictures_in(&folder.join(format!("{}-{round}", way.name())));
        pictures.into_values().collect() // Their names end in the frame's number: one order for both.
    };
    let (plain, farm) = (of(Way::Plain), of(Way::Farm));
    assert_eq!((plain.len(), farm.len()), (work.frames, work.frames));
    let differ = plain
        .iter()
        .zip(&farm)
        .filter(|(plain, farm)| plain != farm)
        .count();
    let verdict = match differ {
        0 => "identical".to_owned(),
        differ => format!("{differ} of {} differ", work.frames),
    };
    println!("\npictures of the farm and of plain Blender: {verdict}");
    verdict
}

async fn render(way: Way, work: &Work, scene: &Path, output: &Path) -> Duration {
    let size = match way {
        Way::Plain => work.frames,
        Way::ProcessAFrame => 1,
        Way::BatchesOfFive => 5,
        Way::Farm => return render_on_a_farm(work, scene, output).await,
    };
    let started = Instant::now();
    for first in (1..=work.frames).step_by(size) {
        render_coldly(scene, output, first, work.frames.min(first + size - 1));
    }
    let took = started.elapsed();
    assert_eq!(files_in(output), work.frames);
    took
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

async fn render_on_a_farm(work: &Work, scene: &Path, output: &Path) -> Duration {
    let before = cpu_seconds(own_pid());
    let started = Instant::now();
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    submit(&farm, scene, &format!("1-{}", work.frames), work.name);
    let took = started.elapsed();
    let made = farm.output().join(work.name);
    assert_eq!(files_in(&made), work.frames);
    std::fs::rename(made, output).expect("both are temporary folders");
    let living = farm.cpu_seconds();
    // An orderly end, so that every Blender is waited for and its time is counted.
    farm.orchestrator.terminate(Duration::from_secs(10));
    for agent in &mut farm.agents {
        agent.program.terminate(Duration::from_secs(10));
    }
    let counted = cpu_seconds(own_pid()) - before;
    // Hundredths of a second are all that the system tells of each.
    assert!(
        counted > living - 0.1,
        "{living} s were used, {counted} s counted"
    );
    took
}

/// Submits with the command line, and waits for the job's end.
fn submit(farm: &Farm, scene: &Path, frames: &str, output: &str) {
    let more = ["--frames", frames, "--output", output, "--wait"];
    let more = more.map(std::ffi::OsStr::new);
    let said = farm.farmhand(["submit".as_ref(), scene.as_os_str()].into_iter().chain(more));
    assert_eq!(said.code, Some(0), "{}", said.all());
}

/// Counted, not decoded: that would be our own time.
fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}
