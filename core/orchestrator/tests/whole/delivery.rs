//! Frames come home: whole, once, and whatever dies in between.

use std::time::Duration;

use crate::support::{FakeAgent, Farm, job, pixels, until};
use farmhand_protocol::agent::{FrameFile, Proof};
use farmhand_protocol::farm::{FarmView, FrameState, FrameView, JobState, NodeView, Page, Verification};
use farmhand_protocol::{BlobHash, Frame};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_a_job_is_delivered_whole_and_nothing_else_lies_in_its_folder() {
    let (one, first) = FakeAgent::start().await;
    let (two, second) = FakeAgent::start().await;
    one.state().repeats = 2; // Repeated events are normal input.
    let farm = Farm::start(&[&first, &second]).await;
    let id = farm.submit("castle", "-1-12").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);

    let mut expected: Vec<String> = (-1..=12)
        .flat_map(|n| [format!("castle_{n:04}.png"), format!("depth/{n:04}.exr")])
        .collect();
    expected.sort();
    assert_eq!(farm.files("castle"), expected);
    for view in farm.frames(&id).await {
        assert_eq!(view.state, FrameState::Delivered);
        let bytes = pixels(view.frame);
        let picture = FrameFile {
            path: format!("castle_{:04}.png", view.frame.get()).parse().unwrap(),
            hash: BlobHash::of(&bytes),
            size: bytes.len() as u64,
            proof: Proof::Decoded,
        };
        assert!(view.files.contains(&picture), "{view:?}");
        let path = farm.output().join("castle").join(picture.path.as_str());
        assert_eq!(std::fs::read(path).unwrap(), bytes);
        let image = format!("/v1/jobs/{id}/frames/{}/image", view.frame);
        let image = farm.http.get(farm.url(&image)).send().await.unwrap();
        assert_eq!(image.headers()["content-type"], "image/png");
        assert_eq!(image.bytes().await.unwrap(), bytes);
    }
    let mut rendered = one.state().rendered.clone();
    rendered.extend(two.state().rendered.iter());
    rendered.sort();
    assert_eq!(rendered.len(), 14, "no frame was rendered twice: {rendered:?}");
    assert_eq!(one.state().uploads, 3, "each blob travels once");
    until("both agents have forgotten their batches", async || {
        let batches = farm.job(&id).await.batches.len();
        one.state().dropped.len() + two.state().dropped.len() >= batches
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_not_promised_are_never_delivered() {
    let (agent, address) = FakeAgent::start().await;
    let bad = Frame::try_from(2).unwrap();
    agent.state().corrupt.insert(bad);
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-3").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let path = farm.output().join("castle/castle_0002.png");
    assert_eq!(std::fs::read(path).unwrap(), pixels(bad));
    assert_eq!(farm.files("castle").len(), 6);
    let job = farm.job(&id).await;
    assert_eq!(job.attempts.len(), 1);
    assert!(
        job.attempts[0]
            .failure
            .message
            .contains("other bytes than the node promised")
    );
    let log = farm.url(&format!("/v1/jobs/{id}/frames/2/log"));
    assert_eq!(farm.http.get(log).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_blender_printed_for_a_frame_can_be_read_after_its_node_is_gone() {
    let (agent, address) = FakeAgent::start().await;
    let mut farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-3").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let batches = farm.job(&id).await.batches;
    until("the agent has forgotten the batches", async || {
        agent.state().dropped.len() >= batches.len()
    })
    .await;
    farm.shutdown().await;
    farm.start_again().await.unwrap();
    let log = farm.url(&format!("/v1/jobs/{id}/frames/2/log"));
    let log = farm.http.get(log).send().await.unwrap().text().await.unwrap();
    let batch = batches
        .iter()
        .find(|batch| batch.frames.contains(Frame::try_from(2).unwrap()))
        .unwrap();
    let mut lines = log.lines();
    let head = format!("--- batch {} on {} ---", batch.id, batch.node_name);
    assert_eq!(lines.next(), Some(head.as_str()), "{log}");
    assert!(lines.next().unwrap().starts_with("log of "), "{log}");
    assert_eq!(lines.collect::<Vec<_>>(), ["--- frame 2 ---", "Saved: 2"]);
    let job = farm.url(&format!("/v1/jobs/{id}"));
    assert!(farm.http.delete(job).send().await.unwrap().status().is_success());
    until("its logs go with the job", async || {
        !farm.data().join("frame-logs").join(&id).exists()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_running_batches_are_adopted_and_no_frame_is_rendered_twice() {
    let (agent, address) = FakeAgent::start().await;
    agent.state().frame_time = Duration::from_millis(60);
    let mut farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-20").await;
    for _ in 0..3 {
        let before = agent.state().rendered.len();
        until("frames are rendered", async || {
            agent.state().rendered.len() >= before + 3
        })
        .await;
        farm.shutdown().await;
        let unfinished = farm.output().join("castle/.farmhand-b1-1-0.part");
        std::fs::write(&unfinished, "half a picture").unwrap();
        farm.start_again().await.unwrap();
        assert!(!unfinished.exists());
    }
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert_eq!(farm.files("castle").len(), 40);
    let mut rendered = agent.state().rendered.clone();
    rendered.sort();
    assert_eq!(
        rendered,
        "1-20"
            .parse::<farmhand_protocol::FrameSet>()
            .unwrap()
            .iter()
            .collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_leaves_its_agents_and_can_be_retried() {
    let (agent, address) = FakeAgent::start().await;
    agent.state().is_held = true;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-5").await;
    until("the job runs", async || {
        farm.job(&id).await.job.state == JobState::Running
    })
    .await;
    let cancelled = farm.post(&format!("/v1/jobs/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status(), StatusCode::OK);
    assert_eq!(
        farm.job(&id).await.job.state,
        JobState::Cancelled,
        "reads show it"
    );
    until("the agent drops the batch", async || {
        !agent.state().dropped.is_empty()
    })
    .await;
    agent.state().is_held = false;
    let again = farm
        .post(&format!("/v1/jobs/{id}/retry"), json!({ "frames": "2-3" }))
        .await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(farm.end_of(&id).await, JobState::Cancelled);
    assert_eq!(
        farm.files("castle"),
        [
            "castle_0002.png",
            "castle_0003.png",
            "depth/0002.exr",
            "depth/0003.exr"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_makes_one_job_even_over_a_restart() {
    let mut farm = Farm::start(&[]).await;
    let scene = farm.upload().await;
    let send = async |farm: &Farm, name: &str| {
        let request = farm.http.post(farm.url("/v1/jobs"));
        let request = request.header("Idempotency-Key", "k-1");
        request.json(&job(name, "1-5", scene)).send().await.unwrap()
    };
    let first: serde_json::Value = send(&farm, "castle").await.json().await.unwrap();
    farm.shutdown().await;
    farm.start_again().await.unwrap();
    let second: serde_json::Value = send(&farm, "castle").await.json().await.unwrap();
    assert_eq!(
        (&first["id"], &first["output"]),
        (&second["id"], &second["output"])
    );
    assert_eq!(
        send(&farm, "tower").await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let jobs: Page<serde_json::Value> = farm.get("/v1/jobs").await;
    assert_eq!(jobs.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_an_agent_is_shown_with_the_reason() {
    let farm = Farm::start(&[&"http://127.0.0.1:9".to_owned()]).await;
    until("the reason is shown", async || {
        let nodes: Page<NodeView> = farm.get("/v1/nodes").await;
        nodes.items.len() == 1
            && nodes.items[0]
                .problem
                .as_deref()
                .is_some_and(|problem| problem.to_lowercase().contains("refused"))
    })
    .await;
    let gone = farm.http.delete(farm.url("/v1/nodes/http%3A%2F%2F127.0.0.1%3A9"));
    assert_eq!(gone.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    until("the address is gone", async || {
        let nodes: Page<NodeView> = farm.get("/v1/nodes").await;
        nodes.items.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_written_waits_until_it_can_and_is_not_rendered_again() {
    let (agent, address) = FakeAgent::start().await;
    agent.state().is_held = true;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-2").await;
    let folder = farm.output().join("castle");
    let outside = farm.data().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    std::os::unix::fs::symlink(&outside, &folder).unwrap();
    agent.state().is_held = false;
    until("people are told", async || {
        let view: FarmView = farm.get("/v1/farm").await;
        view.notes.iter().any(|note| note.text.contains("is a link"))
    })
    .await;
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert_eq!(farm.files("castle").len(), 4);
    assert_eq!(agent.state().rendered.len(), 2);
    assert!(farm.job(&id).await.attempts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_listed_page_by_page_and_by_state() {
    let (agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-10x2,20").await;
    farm.end_of(&id).await;
    agent.state().is_held = true;
    farm.post(&format!("/v1/jobs/{id}/retry"), json!({ "frames": "5" }))
        .await;
    let mut path = format!("/v1/jobs/{id}/frames?limit=2");
    let mut seen = Vec::new();
    loop {
        let page: Page<FrameView> = farm.get(&path).await;
        seen.extend(page.items.iter().map(|view| view.frame.get()));
        let Some(next) = page.next else { break };
        path = format!("/v1/jobs/{id}/frames?limit=2&cursor={next}");
    }
    assert_eq!(seen, [1, 3, 5, 7, 9, 20]);
    let delivered: Page<FrameView> = farm
        .get(&format!("/v1/jobs/{id}/frames?state=delivered&limit=3"))
        .await;
    let delivered: Vec<i32> = delivered.items.iter().map(|view| view.frame.get()).collect();
    assert_eq!(delivered, [1, 3, 7]);
    let jobs: Page<serde_json::Value> = farm.get("/v1/jobs?name=CAST&user=ana").await;
    assert_eq!(jobs.items.len(), 1);
    let none: Page<serde_json::Value> = farm.get("/v1/jobs?state=failed").await;
    assert!(none.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_can_be_looked_at_again_and_what_is_damaged_is_rendered_again() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-4").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let verify = async || {
        let answer = farm.post(&format!("/v1/jobs/{id}/verify"), json!({})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Verification>().await.unwrap()
    };
    let whole = verify().await;
    assert_eq!((whole.files, whole.damaged.len()), (8, 0));
    let folder = farm.output().join("castle");
    let as_delivered = std::fs::read(folder.join("castle_0002.png")).unwrap();
    let mut flipped = as_delivered.clone();
    flipped[0] ^= 1;
    std::fs::write(folder.join("castle_0002.png"), &flipped).unwrap();
    std::fs::remove_file(folder.join("depth/0004.exr")).unwrap();
    let found = verify().await;
    assert_eq!(found.requeued.to_string(), "2,4");
    let problems: Vec<&str> = found.damaged.iter().map(|file| file.problem.as_str()).collect();
    assert!(
        problems[0].contains("other bytes") && problems[1].contains("is gone"),
        "{problems:?}"
    );
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert_eq!(
        std::fs::read(folder.join("castle_0002.png")).unwrap(),
        as_delivered
    );
    assert_eq!(verify().await, whole);
}
