//! `make bench`, third part: how fast a large file travels, against `curl` on loopback to the same disk.
//!
//! One file of 1 GB (or as many MB as the first argument says) of bytes that no disk can pack. `curl` fetches it
//! from an agent and has it on disk with `fsync`; a client sends it to an orchestrator, and a node pulls it from
//! another node: both check its BLAKE3 on the way, and answer when it is on disk. It prints figures and judges nothing.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use farmhand_client::{PackedScene, pack_scene};
use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::PullBlobs;
use farmhand_tests::figures::{median, rounded};
use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, http};

const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let megabytes = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let bytes = megabytes.unwrap_or(1000) * 1_000_000_u64;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let large = folder.path().join("large.bin");
    write(&large, bytes).expect("the temporary folder has room");
    let packed = pack_scene(large.clone(), Vec::new(), Vec::new());
    let packed = packed.await.expect("the file can be packed");
    let hash = packed.manifest().files().values().next();
    let hash = hash.expect("what was packed has a file").hash;
    println!(
        "one file of {} MB on loopback, {ROUNDS} rounds, MB/s\n",
        bytes / 1_000_000
    );
    println!("round       curl   to the farm   node to node");
    let mut all: [Vec<f64>; 3] = Default::default();
    for round in 1..=ROUNDS {
        let source = Agent::start(folder.path(), &format!("source-{round}"), AgentPlan::default()).await;
        put(&source, hash, &large).await;
        let took = [
            curl(&source, hash, &folder.path().join("fetched")),
            send(&packed).await,
            pull(&source, hash, folder.path(), round).await,
        ];
        #[expect(clippy::cast_precision_loss, reason = "a file is far smaller than 2^52 bytes")]
        let speeds = took.map(|took| bytes as f64 / 1e6 / took.as_secs_f64());
        println!(
            "{round:5} {:10.0} {:13.0} {:14.0}",
            speeds[0], speeds[1], speeds[2]
        );
        for (all, speed) in all.iter_mut().zip(speeds) {
            all.push(speed);
        }
        drop(source);
        let _the_next_round_needs_the_room =
            std::fs::remove_dir_all(folder.path().join(format!("source-{round}")));
    }
    let [curl, farm, node] = all.map(median);
    println!("median {curl:9.0} {farm:13.0} {node:14.0}");
    println!("\npromised: at least 0.70 of curl");
    println!(
        "{}",
        serde_json::json!({
            "bench": "transfer", "bytes": bytes, "rounds": ROUNDS, "curl_mb_s": curl.round(),
            "to_farm_mb_s": farm.round(), "node_to_node_mb_s": node.round(),
            "to_farm_ratio": rounded(farm / curl), "node_to_node_ratio": rounded(node / curl),
        })
    );
}

/// Bytes that look like chance.
fn write(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut chance = fastrand::Rng::with_seed(1);
    let mut block = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        chance.fill(&mut block);
        file.write_all(&block[..length])?;
        left -= length as u64;
    }
    file.sync_all()
}

async fn put(agent: &Agent, hash: BlobHash, path: &Path) {
    let file = tokio::fs::File::open(path)
        .await
        .expect("it was written just now");
    let answer = http()
        .put(format!("{}/v1/blobs/{hash}", agent.address))
        .timeout(Duration::from_mins(5))
        .body(file)
        .send()
        .await;
    assert!(answer.is_ok_and(|answer| answer.status().is_success()));
}

fn curl(source: &Agent, hash: BlobHash, to: &Path) -> Duration {
    let begun = Instant::now();
    let status = Command::new("curl")
        .args(["-sS", "--fail", "-o"])
        .arg(to)
        .arg(format!("{}/v1/blobs/{hash}", source.address))
        .status()
        .expect("curl can be started");
    assert!(status.success(), "curl ended with {status}");
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.expect("what curl wrote can be synced");
    let took = begun.elapsed();
    std::fs::remove_file(to).expect("what curl wrote can be removed");
    took
}

/// From a client's disk to the orchestrator's. Hashing before it is sent, which tells whether it need be, is left out:
/// `curl` knows no such thing.
async fn send(packed: &PackedScene) -> Duration {
    let farm = Farm::start(FarmPlan::default()).await;
    let begun = Instant::now();
    let sent = farm.client.upload(packed, |_| ()).await;
    sent.expect("the file is taken");
    begun.elapsed()
}

async fn pull(source: &Agent, hash: BlobHash, folder: &Path, round: usize) -> Duration {
    let name = format!("node-{round}");
    let agent = Agent::start(folder, &name, AgentPlan::default()).await;
    let request = PullBlobs {
        blobs: vec![hash],
        sources: vec![source.address.clone()],
    };
    let begun = Instant::now();
    let answer = http()
        .post(format!("{}/v1/blobs", agent.address))
        .timeout(Duration::from_mins(5))
        .json(&request)
        .send()
        .await
        .expect("the agent answers");
    assert!(answer.status().is_success());
    let took = begun.elapsed();
    drop(agent);
    let _the_next_round_needs_the_room = std::fs::remove_dir_all(folder.join(name));
    took
}
