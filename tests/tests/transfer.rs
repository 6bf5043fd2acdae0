//! Scenes travel once, go on where they broke off, and come from other nodes where those have them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::{BlobsPulled, PullBlobs};
use farmhand_protocol::farm::{JobState, NodeView};
use farmhand_tests::{Agent, AgentPlan, Blender, Farm, FarmPlan, Scene, free_port, http, within};
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
    let seen = within(Duration::from_secs(10), "some of it has arrived", async || {
        received().await.filter(|bytes| *bytes > 0)
    })
    .await;
    farm.orchestrator.kill_nine();
    farm.restart_orchestrator().await;
    // What was on its way when it was looked at may have come too.
    let before = received().await.unwrap();
    assert!((seen..=half).contains(&before), "{seen}, then {before} of {half}");
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

/// An agent with a name for [`travelled`], made known to the farm.
async fn join(farm: &mut Farm, name: &str) {
    let plan = AgentPlan {
        more: vec!["--name".to_owned(), name.to_owned()],
        ..AgentPlan::with(Blender::Executable)
    };
    let agent = Agent::start(farm.folder(), name, plan).await;
    assert_eq!(farm.farmhand(["nodes", "--add", &agent.address]).code, Some(0));
    farm.agents.push(agent);
}

fn drain(farm: &Farm, name: &str) {
    let said = farm.farmhand(["drain", name]);
    assert_eq!(said.code, Some(0), "{}", said.all());
}

/// Where an agent keeps a file by its content.
fn blob_of(agent: &Agent, hash: BlobHash) -> PathBuf {
    let name = hash.to_string();
    agent.data.join("cache/blobs").join(&name[..2]).join(name)
}

async fn pull(agent: &Agent, hash: BlobHash, sources: &[&str]) -> BlobsPulled {
    let request = PullBlobs {
        blobs: vec![hash],
        sources: sources.iter().map(ToString::to_string).collect(),
    };
    let url = format!("{}/v1/blobs", agent.address);
    let answer = http().post(url).json(&request).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_node_gets_a_scene_from_another_node_and_from_the_farm_where_that_has_it_no_more() {
    let mut farm = Farm::start(FarmPlan::default()).await;
    let (scene, cache) = project(&farm);
    let hashes = [&scene, &cache].map(|path| BlobHash::of(&fs::read(path).unwrap()));
    let files = [&scene, &cache].map(|path| fs::metadata(path).unwrap().len());
    let files: u64 = files.iter().sum();

    join(&mut farm, "first").await;
    render(&farm, &scene, &cache).await;
    assert_eq!(travelled(&farm).await["first"].1, 0);

    drain(&farm, "first");
    join(&mut farm, "second").await;
    render(&farm, &scene, &cache).await;
    let (sent, pulled) = travelled(&farm).await["second"];
    assert_eq!(pulled, files, "the files come from the first node");
    assert!(sent < 2000, "and the manifest from the farm: {sent}");

    // Both are asked, and have them no more.
    drain(&farm, "second");
    for agent in &farm.agents {
        for hash in hashes {
            fs::remove_file(blob_of(agent, hash)).unwrap();
        }
    }
    join(&mut farm, "third").await;
    render(&farm, &scene, &cache).await;
    let (sent, pulled) = travelled(&farm).await["third"];
    assert_eq!(pulled, 0);
    assert!((files..files + 2000).contains(&sent), "{sent} of {files}");
}

#[tokio::test]
async fn a_node_asks_one_source_after_the_other_and_tells_what_none_of_them_gave() {
    let folder = tempfile::tempdir().unwrap();
    let source = Agent::start(folder.path(), "source", AgentPlan::default()).await;
    let agent = Agent::start(folder.path(), "agent", AgentPlan::default()).await;
    let bytes = vec![7_u8; 5 << 20];
    let hash = BlobHash::of(&bytes);
    let put = http().put(format!("{}/v1/blobs/{hash}", source.address));
    assert_eq!(put.body(bytes.clone()).send().await.unwrap().status(), 201);
    let gone = format!("http://127.0.0.1:{}", free_port());

    let pulled = pull(&agent, hash, &[&gone]).await;
    assert_eq!((pulled.missing, pulled.bytes), (vec![hash], 0));
    let pulled = pull(&agent, hash, &[&gone, &source.address]).await;
    assert_eq!((pulled.missing, pulled.bytes), (vec![], bytes.len() as u64));
    assert!(fs::read(blob_of(&agent, hash)).unwrap() == bytes);
    let again = pull(&agent, hash, &[&source.address]).await;
    assert_eq!((again.missing, again.bytes), (vec![], 0));

    // A source whose disk has gone bad gives bytes that are not what they are called.
    let other = vec![8_u8; 100_000];
    let hash = BlobHash::of(&other);
    let put = http().put(format!("{}/v1/blobs/{hash}", source.address));
    assert_eq!(put.body(other.clone()).send().await.unwrap().status(), 201);
    fs::write(blob_of(&source, hash), vec![9_u8; 100_000]).unwrap();
    let pulled = pull(&agent, hash, &[&source.address]).await;
    assert_eq!((pulled.missing, pulled.bytes), (vec![hash], 0));
    assert!(!blob_of(&agent, hash).exists());
}
