//! `make bench`: how much an orchestrator does with many agents. `farmhand serve` runs as people run it; its agents are
//! made up, 1,000 of them in this process, each with an address of loopback of its own, whose frames are finished as
//! soon as they are asked for, each with a small PNG that is fetched, proved, and on disk for good.
//!
//! Three parts. An idle farm: from the answer to a submit to the arrival of its batch at an agent, and from an agent's
//! word that a batch has ended to the arrival of the next. A busy one: frames delivered a second, the orchestrator's
//! processor time for a frame, events a second that a client hears. And calls of `GET /v1/jobs` a second. It prints
//! figures and judges nothing.
//!
//! Arguments: how many agents, and how many frames in the busy part.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use farmhand_client::FarmClient;
use farmhand_protocol::farm::{FarmView, SubmitJob};
use farmhand_protocol::{JobId, SceneHash};
use farmhand_tests::crowd::{Crowd, Seen, Sight};
use farmhand_tests::figures::{Times, number, rounded, thread_seconds};
use farmhand_tests::{Farm, FarmPlan, cpu_seconds, eventually, http, rss_bytes};
use futures_util::StreamExt;
use tokio::sync::mpsc::UnboundedReceiver;

const AGENTS: usize = 1000;
const FRAMES: u64 = 30_000;
/// Frames of a batch in the busy part.
const BATCH: u32 = 10;
/// Dispatches of each kind that are timed.
const DISPATCHES: usize = 300;
/// A frame of the idle part takes so long on its agent.
const FRAME_TIME: Duration = Duration::from_millis(30);
const CALLERS: usize = 4;
const CALLED_FOR: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let agents = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(AGENTS);
    let frames = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(FRAMES);
    let (crowd, mut seen) = Crowd::start(agents).await;
    let more = crowd
        .addresses()
        .flat_map(|address| ["--node".to_owned(), address]);
    // All of it comes from one address.
    let more = more.chain(["--limit-api", "0"].map(str::to_owned));
    let plan = FarmPlan {
        more: more.collect(),
        ..FarmPlan::default()
    };
    let farm = Farm::start(plan).await;
    let ready = eventually("all agents are met", async || {
        let view: FarmView = farm.client.farm().await.ok()?;
        (view.nodes_ready as usize == agents).then_some(view.nodes_ready)
    });
    let ready = ready.await;
    println!(
        "{ready} agents on loopback, pictures of {} bytes\n",
        crowd.bytes_a_frame()
    );
    println!("what                                   figure   promised");
    let scene = scene(&farm).await;

    let submitted = dispatch_of_submitted(&farm, scene, &mut seen).await;
    row("submit to batch, p50", &format!("{} ms", submitted.at(50)), "");
    row(
        "submit to batch, p99",
        &format!("{} ms", submitted.at(99)),
        "10 ms",
    );
    crowd.take(FRAME_TIME);
    let next = dispatch_of_next(&farm, scene, &mut seen).await;
    crowd.take(Duration::ZERO);
    let (arrived, idle) = (&next.arrived, &next.idle);
    row(
        "batch's end to the next, p50",
        &format!("{} ms", arrived.at(50)),
        "",
    );
    row(
        "batch's end to the next, p99",
        &format!("{} ms", arrived.at(99)),
        "10 ms",
    );
    row("idle between batches, p99", &format!("{} ms", idle.at(99)), "");

    let busy = deliver(&farm, scene, frames, agents).await;
    row(
        "frames delivered a second",
        &format!("{:.0}", busy.per_second),
        "",
    );
    row("CPU of the farm, a frame", &format!("{:.0} us", busy.cpu_us), "");
    row("of that in its loop", &format!("{:.0} us", busy.loop_us), "");
    row("events a second heard", &format!("{:.0}", busy.events), "");
    let memory = rss_bytes(farm.orchestrator.pid());
    row("memory of the farm", &format!("{} MB", memory / 1_000_000), "");

    let called = call(&farm, "/v1/jobs?limit=50").await;
    row(
        "GET /v1/jobs?limit=50, a second",
        &format!("{:.0}", called.per_second),
        "",
    );
    row("CPU of one", &format!("{:.0} us", called.cpu_us), "");
    println!(
        "\n{}",
        serde_json::json!({
            "bench": "throughput", "agents": agents, "frames": frames,
            "submit_to_batch_p50_ms": submitted.at(50), "submit_to_batch_p99_ms": submitted.at(99),
            "end_to_next_batch_p50_ms": next.arrived.at(50), "end_to_next_batch_p99_ms": next.arrived.at(99),
            "idle_between_batches_p99_ms": next.idle.at(99),
            "frames_per_second": busy.per_second.round(), "cpu_us_per_frame": busy.cpu_us.round(),
            "loop_cpu_us_per_frame": busy.loop_us.round(), "events_per_second": busy.events.round(),
            "memory_mb": memory / 1_000_000, "jobs_calls_per_second": called.per_second.round(),
            "cpu_us_per_jobs_call": rounded(called.cpu_us),
        })
    );
}

fn row(what: &str, figure: &str, promised: &str) {
    println!("{what:32} {figure:>12}   {promised}");
}

/// Anything that can be uploaded: these agents look into no scene.
async fn scene(farm: &Farm) -> SceneHash {
    let file = farm.folder().join("made-up.blend");
    std::fs::write(&file, "BLENDER").expect("the temporary folder has room");
    let packed = farmhand_client::pack_scene(file, Vec::new(), Vec::new()).await;
    let packed = packed.expect("the file can be packed");
    farm.client
        .upload(&packed, |_| ())
        .await
        .expect("the file is taken");
    packed.hash()
}

async fn submit(client: &FarmClient, scene: SceneHash, name: &str, frames: u64, batch_size: u32) -> JobId {
    let job = serde_json::json!({
        "name": name, "scene": scene, "frames": format!("1-{frames}"), "batch_size": batch_size,
    });
    let job: SubmitJob = serde_json::from_value(job).expect("the rest of a job may be left out");
    client.submit(&job, name).await.expect("the job is taken").id
}

/// Jobs of one frame, one after the other: from the answer to the arrival of the batch, which may come first.
async fn dispatch_of_submitted(farm: &Farm, scene: SceneHash, seen: &mut UnboundedReceiver<Seen>) -> Times {
    let mut times = Vec::new();
    for number in 0..DISPATCHES {
        let job = submit(&farm.client, scene, &format!("single-{number}"), 1, 1).await;
        let answered = Instant::now();
        let arrived = until(seen, job, Sight::Arrived).await;
        times.push(arrived.saturating_duration_since(answered));
        ended(farm, job).await;
    }
    Times::new(times)
}

/// What an agent got after its batches had ended.
struct Next {
    /// From a batch's end to the arrival of the next one.
    arrived: Times,
    /// The same where the agent had nothing to do in the meantime; no time where a batch waited behind the one that
    /// ended.
    idle: Times,
}

/// One agent at a time gets a job of batches of one frame.
async fn dispatch_of_next(farm: &Farm, scene: SceneHash, seen: &mut UnboundedReceiver<Seen>) -> Next {
    let job = serde_json::json!({
        "name": "chain", "scene": scene, "frames": format!("1-{DISPATCHES}"), "batch_size": 1, "max_nodes": 1,
    });
    let job: SubmitJob = serde_json::from_value(job).expect("the rest of a job may be left out");
    let job = farm
        .client
        .submit(&job, "chain")
        .await
        .expect("the job is taken")
        .id;
    let (mut arrived, mut idle) = (Vec::new(), Vec::new());
    let mut agents: BTreeMap<usize, Held> = BTreeMap::new();
    let mut ends = 0;
    while ends < DISPATCHES {
        let Some(sight) = seen.recv().await else { break };
        if sight.job != job {
            continue;
        }
        let held = agents.entry(sight.agent).or_default();
        match sight.what {
            Sight::Arrived => {
                if let Some(end) = held.ends.pop_front() {
                    let took = sight.at.saturating_duration_since(end);
                    arrived.push(took);
                    idle.push(if held.batches == 0 { took } else { Duration::ZERO });
                }
                held.batches += 1;
            }
            Sight::Ended => {
                ends += 1;
                held.batches = held.batches.saturating_sub(1);
                held.ends.push_back(sight.at);
            }
        }
    }
    ended(farm, job).await;
    Next {
        arrived: Times::new(arrived),
        idle: Times::new(idle),
    }
}

/// What an agent has of the job.
#[derive(Default)]
struct Held {
    batches: usize,
    /// Ends that no batch has arrived for.
    ends: VecDeque<Instant>,
}

async fn until(seen: &mut UnboundedReceiver<Seen>, job: JobId, what: Sight) -> Instant {
    loop {
        let sight = seen.recv().await.expect("the crowd stays");
        if sight.job == job && sight.what == what {
            return sight.at;
        }
    }
}

async fn ended(farm: &Farm, job: JobId) {
    let url = format!("{}/v1/jobs/{job}?wait=20", farm.address);
    let client = http();
    loop {
        let answer = client.get(&url).send().await.expect("the farm answers");
        let detail: serde_json::Value = answer.json().await.expect("a job is JSON");
        match detail["state"].as_str() {
            Some("completed") => return,
            Some("failed" | "cancelled") => panic!("{job} did not complete: {detail}"),
            _ => {}
        }
    }
}

struct Busy {
    per_second: f64,
    cpu_us: f64,
    loop_us: f64,
    events: f64,
}

/// Ten jobs at once, with a client that watches.
async fn deliver(farm: &Farm, scene: SceneHash, frames: u64, agents: usize) -> Busy {
    let heard = Arc::new(AtomicU64::new(0));
    let watching = tokio::spawn(watch(format!("{}/v1/events", farm.address), Arc::clone(&heard)));
    let pid = farm.orchestrator.pid();
    let (cpu, in_loop, begun) = (cpu_seconds(pid), thread_seconds(pid, "farm"), Instant::now());
    let mut jobs = Vec::new();
    for number in 0..10 {
        jobs.push(submit(&farm.client, scene, &format!("busy-{number}"), frames / 10, BATCH).await);
    }
    for job in jobs {
        ended(farm, job).await;
    }
    let took = begun.elapsed().as_secs_f64();
    let (cpu, in_loop) = (cpu_seconds(pid) - cpu, thread_seconds(pid, "farm") - in_loop);
    watching.abort();
    let made: usize = (0..10)
        .filter_map(|number| std::fs::read_dir(farm.output().join(format!("busy-{number}"))).ok())
        .map(Iterator::count)
        .sum();
    assert_eq!(
        made as u64,
        frames / 10 * 10,
        "every frame is on disk, from {agents} agents"
    );
    Busy {
        per_second: number(frames) / took,
        cpu_us: cpu * 1e6 / number(frames),
        loop_us: in_loop * 1e6 / number(frames),
        events: number(heard.load(Ordering::Relaxed)) / took,
    }
}

/// Counts the events of a stream, which is reading them without looking at them.
async fn watch(url: String, heard: Arc<AtomicU64>) {
    let client = farmhand_http::client(&farmhand_tls::Trust::Nobody).build();
    let client = client.expect("a plain client can be built");
    loop {
        let Ok(answer) = client.get(&url).send().await else {
            return;
        };
        let mut chunks = answer.bytes_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            let events = chunk.windows(6).filter(|bytes| *bytes == b"\ndata:").count()
                + usize::from(chunk.starts_with(b"data:"));
            heard.fetch_add(events as u64, Ordering::Relaxed);
        }
    }
}

struct Called {
    per_second: f64,
    cpu_us: f64,
}

/// A call made by several callers for a while, each as soon as it has the answer to the one before.
async fn call(farm: &Farm, path: &str) -> Called {
    let url = format!("{}{path}", farm.address);
    let before = cpu_seconds(farm.orchestrator.pid());
    let begun = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let client = http();
            let mut count = 0_u64;
            while begun.elapsed() < CALLED_FOR {
                let answer = client.get(&url).send().await.expect("the farm answers");
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await.expect("the answer is whole");
                count += 1;
            }
            count
        })
    });
    let mut count = 0;
    for caller in callers.collect::<Vec<_>>() {
        count += caller.await.expect("a caller does not panic");
    }
    let took = begun.elapsed().as_secs_f64();
    Called {
        per_second: number(count) / took,
        cpu_us: (cpu_seconds(farm.orchestrator.pid()) - before) * 1e6 / number(count),
    }
}
