//! The seed contract and the edges of the API, on a real listener.

use std::time::Duration;

use crate::support::{FakeAgent, Farm, job, pixels};
use farmhand_orchestrator::{Config, HoldError, StartError, start};
use farmhand_protocol::Problem;
use farmhand_protocol::farm::{BatchView, FarmEvent, FarmView, FrameView, JobState, OutputView, Page, Why};
use futures_util::StreamExt;
use reqwest::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn the_seed_contract_holds_word_for_word() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let render = farm
        .post("/render", serde_json::json!({ "from": 1, "to": 3 }))
        .await;
    assert_eq!(render.status(), StatusCode::ACCEPTED);
    let location = render.headers()["location"].to_str().unwrap().to_owned();
    let body: serde_json::Value = render.json().await.unwrap();
    let id = body["jobId"].as_str().unwrap();
    assert_eq!(location, format!("/status/{id}"));
    loop {
        let status = farm.http.get(farm.url(&location)).send().await.unwrap();
        if status.status() == StatusCode::OK {
            assert_eq!(status.text().await.unwrap(), "Job completed");
            break;
        }
        assert_eq!(status.status(), StatusCode::ACCEPTED);
        assert_eq!(status.headers()["location"].to_str().unwrap(), location);
        assert_eq!(status.headers()["retry-after"], "5");
        assert_eq!(status.text().await.unwrap(), "Job still running");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let picture = farm.output().join(format!("render-{id}/render_0002.png"));
    assert_eq!(std::fs::read(picture).unwrap(), pixels(2i64.try_into().unwrap()));

    for id in ["__proto__", "j99", "1", "j1%0A", "..%2F..", "constructor"] {
        let unknown = farm
            .http
            .get(farm.url(&format!("/status/{id}")))
            .send()
            .await
            .unwrap();
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND, "{id}");
        assert_eq!(unknown.text().await.unwrap(), "Job not found");
    }
    for body in [
        "",
        "{",
        "[]",
        r#"{"from":1}"#,
        r#"{"from":"1","to":2}"#,
        r#"{"from":1.5,"to":2}"#,
        r#"{"from":null,"to":2}"#,
        r#"{"from":true,"to":2}"#,
        r#"{"from":3,"to":2}"#,
        r#"{"from":1,"to":1e9}"#,
        r#"{"from":"$(reboot)","to":2}"#,
    ] {
        let refused = farm
            .http
            .post(farm.url("/render"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{body}");
        let line = refused.text().await.unwrap();
        assert!(!line.is_empty() && !line.contains('\n'), "{body}: {line:?}");
    }
    let huge = farm.http.post(farm.url("/render")).body(vec![b' '; 10 << 20]);
    assert_eq!(huge.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_rendered_is_refused_in_words() {
    let farm = Farm::start(&[]).await;
    let scene = farm.upload().await;
    let problem = async |body: serde_json::Value| -> Problem {
        let response = farm.post("/v1/jobs", body).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        response.json().await.unwrap()
    };
    let unknown_scene = farmhand_protocol::SceneHash::of(b"never uploaded");
    let missing = problem(job("castle", "1-5", unknown_scene)).await;
    assert_eq!((missing.status, missing.kind.as_str()), (409, "scene-missing"));
    assert_eq!(missing.missing, [unknown_scene.into()]);
    for (field, value, kind) in [
        ("output", serde_json::json!("../elsewhere"), "output-outside"),
        ("output", serde_json::json!("/etc"), "output-outside"),
        ("name", serde_json::json!("../castle"), "invalid"),
        ("name", serde_json::json!(""), "invalid"),
        ("priority", serde_json::json!(101), "invalid"),
        ("frames", serde_json::json!("5-1"), "bad-body"),
        ("colour", serde_json::json!("blue"), "bad-body"),
    ] {
        let mut body = job("castle", "1-5", scene);
        body[field] = value;
        let refused = problem(body).await;
        assert_eq!(refused.kind, kind, "{field}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_can_be_deleted_and_its_pictures_stay() {
    let (agent, address) = FakeAgent::start().await;
    let mut farm = Farm::start(&[&address]).await;
    agent.state().is_held = true;
    let id = farm.submit("castle", "1-2").await;
    let path = format!("/v1/jobs/{id}");
    let status = async |farm: &Farm| farm.http.delete(farm.url(&path)).send().await.unwrap().status();
    assert_eq!(status(&farm).await, StatusCode::CONFLICT, "it still runs");
    agent.state().is_held = false;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert_eq!(status(&farm).await, StatusCode::NO_CONTENT);
    assert_eq!(status(&farm).await, StatusCode::NOT_FOUND);
    assert_eq!(farm.files("castle").len(), 4);
    farm.shutdown().await;
    farm.start_again().await.unwrap();
    let shown = farm.http.get(farm.url(&path)).send().await.unwrap();
    assert_eq!(shown.status(), StatusCode::NOT_FOUND, "it stays deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_events_sees_a_job_from_its_submission_to_its_end() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let stream = farm.http.get(farm.url("/v1/events")).send().await.unwrap();
    let mut bytes = stream.bytes_stream();
    let id = farm.submit("castle", "1-6").await;
    let (mut text, mut delivered) = (String::new(), 0);
    let mut ended = false;
    let reading = async {
        while !ended || delivered < 6 {
            text.push_str(str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
            while let Some((message, rest)) = text.clone().split_once("\n\n") {
                text = rest.to_owned();
                let Some(data) = message.lines().find_map(|line| line.strip_prefix("data: ")) else {
                    continue;
                };
                match serde_json::from_str(data).unwrap() {
                    FarmEvent::Job { job } if job.id.to_string() == id => {
                        ended = job.state == JobState::Completed;
                    }
                    FarmEvent::Frames { states, .. } => {
                        let done = states
                            .iter()
                            .filter(|s| s.state == farmhand_protocol::farm::FrameState::Delivered);
                        delivered += done.map(|s| s.frames.len()).sum::<u32>();
                    }
                    _ => {}
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap();
    assert_eq!(delivered, 6, "each frame is delivered once");
    let view: FarmView = farm.get("/v1/farm").await;
    assert!(
        view.notes.iter().any(|note| note.text.contains("castle")),
        "{view:?}"
    );
    assert_eq!(view.nodes_ready, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_orchestrator_is_told_where_the_first_one_is() {
    let mut farm = Farm::start(&[]).await;
    let address = farm.url("");
    let config = Config::new(
        "127.0.0.1:0".parse().unwrap(),
        farm.data(),
        farm.data().join("output"),
    );
    match start(config).await {
        Err(StartError::Hold(HoldError::Held {
            holder: Some(holder), ..
        })) => {
            assert_eq!(format!("http://{}", holder.address), address);
        }
        other => panic!("{other:?}"),
    }
    farm.shutdown().await;
    farm.start_again().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_named_and_left_as_it_is() {
    let mut farm = Farm::start(&[]).await;
    farm.shutdown().await;
    let path = farm.data().join("farm.db");
    let torn = b"not what it was".to_vec();
    std::fs::write(&path, &torn).unwrap();
    let error = farm.start_again().await.unwrap_err().to_string();
    assert!(error.contains("farm.db") && error.contains("damaged"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), torn);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_every_call_but_health_asks_for_it_and_without_one_only_loopback_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        Config::new(
            "127.0.0.1:0".parse().unwrap(),
            folder.path().join("data"),
            folder.path().join("output"),
        )
    };
    let mut open = config();
    open.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(start(open).await, Err(StartError::Listen(_))));
    let mut closed = config();
    closed.tokens = Some(farmhand_http::Tokens::from_value("T", "0123456789abcdef").unwrap());
    let running = start(closed).await.unwrap();
    let http = farmhand_http::client(&farmhand_tls::Trust::Nobody)
        .build()
        .unwrap();
    let status = async |path: &str, token: Option<&str>| {
        let request = http.get(format!("http://{}{path}", running.address()));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap().status()
    };
    assert_eq!(status("/health", None).await, StatusCode::OK);
    for path in ["/v1/jobs", "/v1/events", "/metrics", "/status/j1", "/nothing"] {
        assert_eq!(status(path, None).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(status("/metrics", Some("0123456789abcdef")).await, StatusCode::OK);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_little_time_and_leaves_no_reader_behind() {
    let (agent, address) = FakeAgent::start().await;
    agent.state().is_held = true;
    let mut farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-3").await;
    let stream = farm.http.get(farm.url("/v1/events")).send().await.unwrap();
    let waiting = farm.http.get(farm.url(&format!("/v1/jobs/{id}?wait=60")));
    let waiting = tokio::spawn(waiting.send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = std::time::Instant::now();
    farm.shutdown().await;
    let reading = stream.bytes_stream().count();
    tokio::time::timeout(Duration::from_secs(1), reading)
        .await
        .unwrap();
    let _answered_or_cut_off = tokio::time::timeout(Duration::from_secs(1), waiting)
        .await
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(!farm.data().join("orchestrator.json").exists());
    agent.state().is_held = false; // It renders on while nobody is there.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!agent.state().rendered.is_empty());
    farm.start_again().await.unwrap();
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert_eq!(agent.state().rendered.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_batches_are_listed_page_by_page_newest_first() {
    let (agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-23").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let node = agent.id();
    let mut found: Vec<BatchView> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/batches?node={node}&limit=2{cursor}");
        let page: Page<BatchView> = farm.get(&path).await;
        assert!(page.items.len() <= 2);
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(found.len() > 2, "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0].id > pair[1].id));
    let delivered: u32 = found.iter().map(|batch| batch.delivered.len()).sum();
    assert_eq!(delivered, 23);
    assert!(
        found.iter().all(|batch| batch.mean_frame_ms == Some(5)),
        "{found:?}"
    );
    let other = farmhand_protocol::NodeId(uuid::Uuid::from_u128(7));
    let nobodys: Page<BatchView> = farm.get(&format!("/v1/batches?node={other}")).await;
    assert!(nobodys.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_of_a_job_is_told_in_numbers_and_by_its_last_frames() {
    let (agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-6").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let output: OutputView = farm.get(&format!("/v1/jobs/{id}/output?newest=4")).await;
    let frame = |number: i64| farmhand_protocol::Frame::try_from(number).unwrap();
    let lengths: usize = (1..=6).map(|number| 2 * pixels(frame(number)).len()).sum();
    assert_eq!((output.files, output.bytes), (12, lengths as u64));
    assert_eq!(output.newest.len(), 4);
    assert!(output.newest.windows(2).all(|pair| pair[0].at >= pair[1].at));
    assert_eq!(
        (output.newest[0].node, output.newest[0].render_ms),
        (agent.id(), 5)
    );
    let one: Page<FrameView> = farm.get(&format!("/v1/jobs/{id}/frames?frames=4")).await;
    assert_eq!(one.items.len(), 1);
    assert_eq!((one.items[0].frame, one.items[0].render_ms), (frame(4), Some(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_answers_for_a_job_a_frame_a_batch_and_a_node() {
    let (agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = farm.submit("castle", "1-2").await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let batch = farm.job(&id).await.batches[0].id;
    for (path, words) in [
        (format!("/v1/jobs/{id}/why"), "every frame is delivered"),
        (format!("/v1/jobs/{id}/why?frame=2"), "frame 2 is delivered"),
        (format!("/v1/batches/{batch}/why"), "went to"),
        (format!("/v1/nodes/{}/why", agent.id()), "is idle"),
    ] {
        let why: Why = farm.get(&path).await;
        assert!(why.causes[0].title.contains(words), "{path}: {why:?}");
    }
    for unknown in [
        "/v1/jobs/j99/why".to_owned(),
        format!("/v1/jobs/{id}/why?frame=3"),
        "/v1/batches/b99/why".to_owned(),
    ] {
        let status = farm.http.get(farm.url(&unknown)).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_understand_a_job_gets_nothing_more_of_it_and_says_why() {
    let (strange, strange_address) = FakeAgent::start().await;
    strange.state().is_of_another_version = true;
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&strange_address, &address]).await;
    let job = farm.submit("castle", "1-40").await;
    assert_eq!(farm.end_of(&job).await, JobState::Completed);
    let detail = farm.job(&job).await;
    let refused = detail
        .batches
        .iter()
        .filter(|batch| batch.node == strange.id())
        .count();
    assert_eq!(refused, 1, "it is asked once: {:#?}", detail.batches);

    // Where there is no other node, the job has an end too.
    let alone = Farm::start(&[&strange_address]).await;
    let job = alone.submit("tower", "1-3").await;
    assert_eq!(alone.end_of(&job).await, JobState::Failed);
    let why: Why = alone.get(&format!("/v1/jobs/{job}/why")).await;
    let cause = &why.causes[0];
    assert!(cause.title.contains("of another version"), "{cause:?}");
    assert_eq!(cause.evidence.as_deref(), Some("unknown field `settings.colour`"));
    assert!(cause.advice[0].contains("farmhand-agent"), "{cause:?}");
}
