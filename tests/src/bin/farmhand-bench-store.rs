//! `make bench`: what a farm's store costs when it is large. The real loop and the real journal; agents are pretended:
//! their reports come as they would through their links.
//!
//! 100 jobs of 10,000 frames are rendered to their ends, each delivery decided, applied and committed; that gives
//! deliveries a second, and the store's bytes a frame. Then `farmhand serve` opens what is there, in a process of its
//! own: how long until it answers, and its memory. It prints figures and judges nothing.
//!
//! Arguments: how many jobs, and how many frames each has.

use std::path::Path;
use std::process::Command as Program;
use std::time::{Duration, Instant};

use farmhand_engine::{Command, JobSpec, Report};
use farmhand_orchestrator::{Config, Rehearsal, start};
use farmhand_protocol::agent::{BatchPhase, FinishedFrame, FrameFile, Proof};
use farmhand_protocol::farm::JobState;
use farmhand_protocol::{BatchId, BlobHash, BootId, Device, EventId, Frame, FrameSet, NodeId, SceneHash};
use farmhand_tests::figures::{Times, number, own_memory, own_pid, rounded, thread_seconds};
use farmhand_tests::{Program as Started, build_path, cpu_seconds, free_port, http, made_up, rss_bytes};
use uuid::Uuid;

const JOBS: u64 = 100;
const FRAMES: u32 = 10_000;
const NODES: u64 = 50;
/// Batches of some twenty frames come of that.
const RENDER_MS: u64 = 1500;
const OPENINGS: usize = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let jobs = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(JOBS);
    let frames = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(FRAMES);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!("{jobs} jobs of {frames} frames, a file each, {NODES} nodes\n");
    println!("what                                   figure   promised");
    let filled = fill(folder.path(), jobs, frames).await;
    row(
        "deliveries a second",
        &format!("{:.0}", filled.per_second),
        "10000",
    );
    row(
        "the loop's CPU, a delivery",
        &format!("{:.1} us", filled.loop_us),
        "100 us",
    );
    row(
        "turns behind a question, p50",
        &format!("{} ms", filled.turns.at(50)),
        "",
    );
    row(
        "turns behind a question, most",
        &format!("{} ms", filled.turns.at(100)),
        "",
    );
    row("memory at the end", &megabytes(filled.memory), "");
    let bytes = size_of(&folder.path().join("data"));
    let per_frame = number(bytes) / number(jobs * u64::from(frames));
    row(
        "store on disk, a frame",
        &format!("{per_frame:.0} bytes"),
        "200 bytes",
    );
    let mut openings = Vec::new();
    for number in 0..OPENINGS {
        openings.push(open(folder.path(), number).await);
    }
    openings.sort_by_key(|opened| opened.wall);
    let opened = &openings[0];
    row(
        "opened until it answers",
        &format!("{:.2} s", opened.wall.as_secs_f64()),
        "2 s",
    );
    row("CPU of that", &format!("{:.2} s", opened.cpu), "");
    row("memory, opened", &megabytes(opened.memory), "");
    println!(
        "\n{}",
        serde_json::json!({
            "bench": "store", "jobs": jobs, "frames": jobs * u64::from(frames), "nodes": NODES,
            "deliveries_per_second": filled.per_second.round(), "loop_cpu_us_per_delivery": rounded(filled.loop_us),
            "longest_turns_ms": filled.turns.at(100), "bytes_per_frame": per_frame.round(),
            "open_s": rounded(opened.wall.as_secs_f64()), "open_cpu_s": rounded(opened.cpu),
            "opened_memory_mb": opened.memory / 1_000_000, "filled_memory_mb": filled.memory / 1_000_000,
        })
    );
}

fn row(what: &str, figure: &str, promised: &str) {
    println!("{what:30} {figure:>14}   {promised}");
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

struct Filled {
    per_second: f64,
    loop_us: f64,
    turns: Times,
    memory: u64,
}

/// Has all jobs rendered.
async fn fill(folder: &Path, jobs: u64, frames: u32) -> Filled {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config::new(nowhere, folder.join("data"), folder.join("output"));
    let running = start(config).await.expect("a new farm can be opened");
    let farm = Rehearsal::of(&running);
    for n in 1..=NODES {
        farm.report(seen(n)).await;
    }
    for job in 1..=jobs {
        let command = Command::Submit(Box::new(spec(job, frames, folder)));
        farm.command(command).await.expect("the job is taken");
    }
    let (begun, before) = (Instant::now(), thread_seconds(own_pid(), "farm"));
    let mut turns = Vec::new();
    let (mut next, mut delivered) = (1, 0_u64);
    let all = jobs * u64::from(frames);
    while delivered < all {
        let asked = Instant::now();
        let batches = farm.ask(move |farm, _| {
            let new = (next..).map_while(|id| Some((BatchId(id), farm.batch(BatchId(id))?.clone())));
            new.collect::<Vec<_>>()
        });
        let batches = batches.await.expect("the loop runs");
        turns.push(asked.elapsed());
        for n in 1..=NODES {
            farm.report(Report::NodeHeard(node(n))).await;
        }
        for (batch, held) in batches {
            next = batch.0 + 1;
            delivered += render(&farm, batch, held.job.0, &held.frames).await;
        }
    }
    let (wall, cpu) = (begun.elapsed(), thread_seconds(own_pid(), "farm") - before);
    let states = farm.ask(|farm, _| {
        let jobs = farm.job_ids().filter_map(|id| farm.job(id));
        jobs.filter(|job| job.state() == JobState::Completed).count()
    });
    let completed = states.await.expect("the loop runs");
    assert_eq!(completed as u64, jobs, "every job is completed");
    let memory = own_memory();
    running.shutdown().await;
    Filled {
        per_second: number(all) / wall.as_secs_f64(),
        loop_us: cpu * 1e6 / number(all),
        turns: Times::new(turns),
        memory,
    }
}

/// Everything that is reported of a batch from its start to its end; how many frames that delivers.
async fn render(farm: &Rehearsal, batch: BatchId, job: u64, frames: &FrameSet) -> u64 {
    farm.report(Report::BatchAccepted(batch)).await;
    for frame in frames.iter() {
        farm.report(Report::FrameStarted { batch, frame }).await;
        let finished = finished(frame, job, &format!("{:04}.png", frame.get()));
        farm.report(Report::FrameFinished { batch, finished }).await;
        let path = format!("shot_{job:03}_lighting_{:04}.png", frame.get());
        let finished = self::finished(frame, job, &path);
        farm.report(Report::Fetched { batch, finished }).await;
    }
    let phase = BatchPhase::Completed;
    farm.report(Report::BatchEnded { batch, phase }).await;
    u64::from(frames.len())
}

fn finished(frame: Frame, job: u64, path: &str) -> FinishedFrame {
    let hash = BlobHash::of(format!("{job} {frame}").as_bytes());
    FinishedFrame {
        frame,
        files: vec![FrameFile {
            path: path.parse().expect("it is a plain path"),
            hash,
            size: 3_000_000 + u64::from(hash.0[0]) * 1000,
            proof: Proof::Decoded,
        }],
        render_ms: RENDER_MS + u64::from(hash.0[1]),
        peak_memory_bytes: 2_000_000_000,
        device: Device::Cpu,
        film: None,
    }
}

fn node(n: u64) -> NodeId {
    NodeId(Uuid::from_u128(u128::from(n) << 64 | 0x7000))
}

fn seen(n: u64) -> Report {
    let last_event = EventId {
        boot: BootId(n),
        seq: 0,
    };
    let info = made_up::node(node(n), format!("node-{n:03}"), last_event);
    Report::NodeSeen {
        address: format!("http://node-{n:03}:3000"),
        info: Box::new(info),
    }
}

fn spec(job: u64, frames: u32, folder: &Path) -> JobSpec {
    let name = format!("shot_{job:03}_lighting");
    let output = folder.join("output").join(&name).display().to_string();
    let frames = format!("1-{frames}").parse().expect("it is a range");
    made_up::job(name, SceneHash::of(&job.to_le_bytes()), frames, output)
}

/// Bytes of the journal's file and of what lies beside it for it.
fn size_of(data: &Path) -> u64 {
    let entries = std::fs::read_dir(data).expect("the data folder can be listed");
    let ours = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("farm.db"));
    ours.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

struct Opened {
    wall: Duration,
    cpu: f64,
    memory: u64,
}

/// `farmhand serve` on the filled folder, from its start until it answers.
async fn open(folder: &Path, number: usize) -> Opened {
    let port = free_port();
    let mut command = Program::new(build_path("farmhand"));
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
    command
        .arg(folder.join("data"))
        .arg("--output")
        .arg(folder.join("output"));
    command.env_remove("FARMHAND_TOKEN");
    let begun = Instant::now();
    let mut started = Started::start(
        "orchestrator",
        command,
        folder.join(format!("opened-{number}.log")),
    );
    let (client, url) = (http(), format!("http://127.0.0.1:{port}/v1/jobs?limit=1"));
    let answered = || client.get(&url).send();
    while answered().await.is_err() {
        if let Some(status) = started.ended() {
            panic!("it ended with {status}:\n{}", started.said());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let wall = begun.elapsed();
    let opened = Opened {
        wall,
        cpu: cpu_seconds(started.pid()),
        memory: rss_bytes(started.pid()),
    };
    started.terminate(Duration::from_secs(20));
    opened
}
