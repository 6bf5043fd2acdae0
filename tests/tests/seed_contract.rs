//! The four seed calls, row by row, against the running programs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use farmhand_protocol::JobId;
use farmhand_tests::{Agent, AgentPlan, Blender, Farm, FarmPlan, Scene, eventually, http, pictures_in};
use reqwest::Response;

/// Bodies that are not two whole numbers in Blender's range with `from <= to`.
const BAD_BODIES: [&str; 26] = [
    "",
    "{}",
    "[]",
    "null",
    "7",
    "\"1-5\"",
    "{",
    "{\"from\":1,\"to\":5",
    "{\"from\":1,\"to\":5}}",
    "from=1&to=5",
    r#"{"from":1}"#,
    r#"{"to":5}"#,
    r#"{"from":"1","to":"5"}"#,
    r#"{"from":"1; touch /tmp/farmhand-was-here","to":5}"#,
    r#"{"from":"$(touch /tmp/farmhand-was-here)","to":"`touch /tmp/farmhand-was-here`"}"#,
    r#"{"from":1.5,"to":5}"#,
    r#"{"from":1,"to":5.0001}"#,
    r#"{"from":null,"to":5}"#,
    r#"{"from":true,"to":false}"#,
    r#"{"from":[1],"to":{"x":5}}"#,
    r#"{"from":5,"to":1}"#,
    r#"{"from":1,"to":1000000000}"#,
    r#"{"from":-1048575,"to":5}"#,
    r#"{"from":1,"to":99999999999999999999999999}"#,
    r#"{"from":1e400,"to":5}"#,
    "\u{0}\u{1}\u{fffd}",
];

async fn post(url: &str, body: impl Into<reqwest::Body>) -> Response {
    http()
        .post(url)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap_or_else(|error| panic!("{url} does not answer: {error}"))
}

async fn get(url: &str) -> Response {
    http()
        .get(url)
        .send()
        .await
        .unwrap_or_else(|error| panic!("{url} does not answer: {error}"))
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Checks one line of plain text and returns it.
async fn one_line(response: Response, status: u16, about: &str) -> String {
    assert_eq!(response.status(), status, "{about}");
    let kind = header(&response, "content-type");
    assert!(kind.starts_with("text/plain"), "{about}: {kind}");
    let text = response.text().await.unwrap();
    assert!(
        !text.is_empty() && !text.trim_end().contains('\n'),
        "{about}: {text:?}"
    );
    text
}

async fn must_refuse_every_bad_body(url: &str, health: &str) {
    for body in BAD_BODIES {
        one_line(post(url, body).await, 400, &format!("{url} {body:?}")).await;
    }
    one_line(
        http().post(url).send().await.unwrap(),
        400,
        &format!("{url} without a body"),
    )
    .await;
    let huge = format!(r#"{{"from":1,"to":5,"x":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    assert_eq!(post(url, huge).await.status(), 413, "{url} with 10 MB");
    assert!(!std::path::Path::new("/tmp/farmhand-was-here").exists());
    assert!(get(health).await.status().is_success());
}

struct Lone {
    agent: Agent,
    folder: tempfile::TempDir,
}

async fn lone_agent(plan: impl FnOnce(&std::path::Path) -> AgentPlan) -> Lone {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let agent = Agent::start(folder.path(), "agent", plan).await;
    Lone { agent, folder }
}

fn with_scene(scene: Scene) -> impl FnOnce(&std::path::Path) -> AgentPlan {
    move |folder| AgentPlan {
        scene: Some(scene.make(Blender::Executable, &folder.join("scene"))),
        more: vec!["--output".into(), folder.join("out").display().to_string()],
        ..AgentPlan::with(Blender::Executable)
    }
}

/// Polls until the answer is 200, checking every 202 on the way; the body.
async fn poll(url: &str, location: &str) -> String {
    eventually("the job ends", async || {
        let answer = get(url).await;
        if answer.status() == 202 {
            assert_eq!(header(&answer, "location"), location);
            assert_eq!(header(&answer, "retry-after"), "5");
            assert_eq!(answer.text().await.unwrap(), "Job still running");
            return None;
        }
        assert_eq!(answer.status(), 200);
        Some(answer.text().await.unwrap())
    })
    .await
}

#[tokio::test]
async fn an_agent_renders_what_post_job_asks_and_says_when_it_is_done() {
    let alone = lone_agent(with_scene(Scene::STEADY)).await;
    alone.agent.until_probed().await;
    let answer = post(&format!("{}/job", alone.agent.address), r#"{"from":2,"to":4}"#).await;
    assert_eq!(answer.status(), 202);
    let (location, retry) = (header(&answer, "location"), header(&answer, "retry-after"));
    let body: serde_json::Value = answer.json().await.unwrap();
    let pid = body["pid"].as_u64().expect("pid is a whole number");
    assert!(pid > 0);
    assert_eq!((location, retry), (format!("/job/{pid}"), "5".into()));

    // One slot, and it is taken.
    let busy = post(&format!("{}/job", alone.agent.address), r#"{"from":1,"to":1}"#).await;
    assert_eq!(header(&busy, "retry-after"), "30");
    one_line(busy, 503, "a second job while the slot is taken").await;

    let url = format!("{}/job/{pid}", alone.agent.address);
    let running = get(&url).await;
    assert_eq!(running.status(), 202);
    assert_eq!(poll(&url, &format!("/job/{pid}")).await, "Job completed");
    let pictures = pictures_in(&alone.folder.path().join(format!("out/job-{pid}")));
    assert_eq!(pictures.len(), 3, "{:?}", pictures.keys());

    // The slot is free as soon as the job says that it has ended, and the number is not used again.
    let next = post(&format!("{}/job", alone.agent.address), r#"{"from":1,"to":1}"#).await;
    assert_eq!(next.status(), 202);
    let body: serde_json::Value = next.json().await.unwrap();
    assert_ne!(body["pid"].as_u64(), Some(pid));
    let pid = body["pid"].as_u64().unwrap();
    let url = format!("{}/job/{pid}", alone.agent.address);
    assert_eq!(poll(&url, &format!("/job/{pid}")).await, "Job completed");
}

#[tokio::test]
async fn an_agent_refuses_bad_jobs_with_one_line_and_stays_up() {
    let alone = lone_agent(with_scene(Scene::BASIC)).await;
    alone.agent.until_probed().await;
    let before = alone.agent.blenders(); // The one that was asked what it is.
    let at = |path: &str| format!("{}{path}", alone.agent.address);
    must_refuse_every_bad_body(&at("/job"), &at("/health")).await;
    for id in [
        "abc",
        "999999",
        "0",
        "-1",
        "1.5",
        "__proto__",
        "%24(touch%20%2Ftmp%2Ffarmhand-was-here)",
        "1%3Btouch%20x",
        "%00",
        "..%2F..%2Fetc%2Fpasswd",
        "99999999999999999999999",
    ] {
        let text = one_line(get(&at(&format!("/job/{id}"))).await, 400, id).await;
        assert_eq!(text, "Job not found", "{id}");
    }
    assert_eq!(alone.agent.blenders(), before, "nothing was started");
}

#[tokio::test]
async fn an_agent_without_a_blender_says_how_to_get_one() {
    let alone = lone_agent(|_| AgentPlan::default()).await;
    let node = alone.agent.until_probed().await;
    assert!(node.engines.is_empty(), "{:?}", node.engines);
    let problem = node.problem.expect("a node without an engine has a problem");
    assert!(problem.contains("farmhand-agent setup"), "{problem}");
    let refused = post(&format!("{}/job", alone.agent.address), r#"{"from":1,"to":2}"#).await;
    assert_eq!(header(&refused, "retry-after"), "30");
    let line = one_line(refused, 503, "a job for an agent without a Blender").await;
    assert!(line.contains("Blender"), "{line}");
}

#[tokio::test]
async fn a_job_that_failed_says_so_in_its_status() {
    let alone = lone_agent(with_scene(Scene::NO_CAMERA)).await;
    alone.agent.until_probed().await;
    let answer = post(&format!("{}/job", alone.agent.address), r#"{"from":1,"to":2}"#).await;
    let location = header(&answer, "location");
    let body = poll(&format!("{}{location}", alone.agent.address), &location).await;
    assert!(body.starts_with("Job failed: "), "{body}");
    assert!(body.contains("camera"), "{body}");
}

#[tokio::test]
async fn the_orchestrator_renders_what_post_render_asks_and_says_when_it_is_done() {
    let scenes = tempfile::tempdir().unwrap();
    let farm = Farm::start(FarmPlan {
        scene: Some(Scene::STEADY.make(Blender::Executable, scenes.path())),
        ..FarmPlan::agents(2, Blender::Executable)
    })
    .await;
    let answer = post(&format!("{}/render", farm.address), r#"{"from":1,"to":8}"#).await;
    assert_eq!(answer.status(), 202);
    let (location, _) = (header(&answer, "location"), header(&answer, "retry-after"));
    let body: serde_json::Value = answer.json().await.unwrap();
    let id = body["jobId"].as_str().expect("jobId is text").to_owned();
    assert_eq!(location, format!("/status/{id}"));
    let url = format!("{}{location}", farm.address);
    assert_eq!(get(&url).await.status(), 202);
    assert_eq!(poll(&url, &location).await, "Job completed");
    assert_eq!(pictures_in(&farm.output().join(format!("render-{id}"))).len(), 8);

    // A second one of the same frames does not collide; cancelled, it says so.
    let answer = post(&format!("{}/render", farm.address), r#"{"from":1,"to":40}"#).await;
    let location = header(&answer, "location");
    let body: serde_json::Value = answer.json().await.unwrap();
    let id: JobId = body["jobId"].as_str().unwrap().parse().unwrap();
    farm.client.cancel_job(id, None).await.unwrap();
    assert_eq!(
        poll(&format!("{}{location}", farm.address), &location).await,
        "Job cancelled"
    );
}

#[tokio::test]
async fn the_orchestrator_refuses_bad_renders_with_one_line_and_stays_up() {
    let farm = Farm::start(FarmPlan::default()).await;
    let at = |path: &str| format!("{}{path}", farm.address);
    must_refuse_every_bad_body(&at("/render"), &at("/health")).await;
    for id in [
        "abc",
        "j999999",
        "0",
        "-1",
        "__proto__",
        "constructor",
        "%24(touch%20%2Ftmp%2Ffarmhand-was-here)",
        "..%2F..%2Fetc%2Fpasswd",
    ] {
        let text = one_line(get(&at(&format!("/status/{id}"))).await, 404, id).await;
        assert_eq!(text, "Job not found", "{id}");
    }
    assert!(farm.client.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn both_listen_within_a_second_of_their_start() {
    // Probing a Blender takes longer; it must not be waited for.
    let started = std::time::Instant::now();
    let listening = lone_agent(|_| AgentPlan::with(Blender::Executable)).await;
    let agent = started.elapsed();
    drop(listening);
    let started = std::time::Instant::now();
    let _farm = Farm::start(FarmPlan::default()).await;
    let orchestrator = started.elapsed();
    // Said to be one second; a loaded machine gets some more.
    let limit = Duration::from_secs(3);
    assert!(
        agent < limit && orchestrator < limit,
        "{agent:?}, {orchestrator:?}"
    );
}
