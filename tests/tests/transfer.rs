//! Scenes travel once, go on where they broke off, and come from other nodes where those have them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farmhand_protocol::BlobHash;
use farmhand_protocol::farm::{JobState, NodeView};
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, http, within};
use std::time::Duration;

/// A scene with a file beside it that is worth asking others for.
fn project(farm: &Farm) -> (PathBuf, PathBuf) {
    let folder = farm.folder().join("scenes");
    let scene = Scene::BASIC.make(Blender::Executable, &folder);
    let cache = folder.join("cache.bin");
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&cache, bytes).unwrap();
    (scene, cache)
}

/// Bytes that each node was sent, and got from others.
async fn travelled(farm: &Farm) -> BTreeMap<String, (u64, u64)> {
    let nodes: Vec<NodeView> = farm.client.nodes().await.unwrap();
    let bytes = |node: NodeView| (node.name, (node.sent_bytes, node.pulled_bytes));
    nodes.into_iter().map(bytes).collect()
}

async fn render(farm: &Farm, scene: &Path, with: &Path) {
    let more = [
        "--batch-size",
        "1",
        "--existing",
        "new",
        "--with",
        with.to_str().unwrap(),
    ];
    let id = farm.submit(scene, "1-12", &more);
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
}

#[tokio::test]
async fn a_scene_travels_once_to_each_node_and_then_only_what_has_changed() {
    let mut plan = FarmPlan::agents(4, Blender::Executable);
    for (number, agent) in plan.agents.iter_mut().enumerate() {
        agent.more = vec!["--name".to_owned(), format!("node-{number}")];
    }
    let farm = Farm::start(plan).await;
    let (scene, cache) = project(&farm);
    render(&farm, &scene, &cache).await;
    let files = fs::metadata(&scene).unwrap().len() + fs::metadata(&cache).unwrap().len();
    let first = travelled(&farm).await;
    let reached: Vec<u64> = first
        .values()
        .map(|(sent, pulled)| sent + pulled)
        .filter(|all| *all > 0)
        .collect();
    assert!(!reached.is_empty());
    for all in &reached {
        // The files and the manifest, which is small.
        assert!((files..files + 2000).contains(all), "{first:?} for {files} bytes");
    }

    render(&farm, &scene, &cache).await;
    let second = travelled(&farm).await;
    for (node, bytes) in &first {
        assert!(
            bytes.0 + bytes.1 == 0 || second[node] == *bytes,
            "a second submit sends nothing: {second:?}"
        );
    }

    let mut changed = fs::read(&cache).unwrap();
    changed[0] ^= 1;
    fs::write(&cache, &changed).unwrap();
    render(&farm, &scene, &cache).await;
    let third = travelled(&farm).await;
    let size = changed.len() as u64;
    for (node, (sent, pulled)) in third {
        let before = second[&node].0 + second[&node].1;
        let more = sent + pulled - before;
        let is_new = before == 0;
        assert!(
            is_new || more == 0 || (size..size + 2000).contains(&more),
            "{node}: {more} of {size}"
        );
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_when_the_farm_was_killed() {
    let mut farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let (scene, cache) = project(&farm);
    let bytes = fs::read(&cache).unwrap();
    let half = bytes.len() / 2;
    let url = format!("{}/v1/blobs/{}", farm.address, BlobHash::of(&bytes));
    let broken = futures_util::stream::iter([
        Ok(bytes[..half].to_vec()),
        Err(std::io::Error::other("the sender is gone")),
    ]);
    let body = reqwest::Body::wrap_stream(broken);
    let size = bytes.len().to_string();
    let sent = http()
        .put(&url)
        .header("content-length", size)
        .body(body)
        .send()
        .await;
    assert!(sent.is_err() || !sent.unwrap().status().is_success());
    let received = async || {
        let answer = http().head(&url).send().await.unwrap();
        let header = answer.headers().get("farmhand-received")?;
        header.to_str().unwrap().parse::<usize>().ok()
    };
    let before = within(Duration::from_secs(10), "half of it has arrived", async || {
        received().await.filter(|bytes| *bytes > 0)
    })
    .await;
    assert!(before <= half);
    farm.orchestrator.kill_nine();
    farm.restart_orchestrator().await;
    assert_eq!(received().await, Some(before));
    // From its start it would be longer than what is asked for here.
    let rest = bytes[before..].to_vec();
    let range = format!("bytes {before}-{}/{}", bytes.len() - 1, bytes.len());
    let wrong = http()
        .put(&url)
        .header("content-range", "bytes 7-8/9")
        .body("xx")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 409);
    let sent = http()
        .put(&url)
        .header("content-range", range)
        .body(rest)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 201);
    assert_eq!(received().await, None);
    let more = ["--with", cache.to_str().unwrap()];
    let ended = farm.ended(farm.submit(&scene, "1", &more)).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
}
