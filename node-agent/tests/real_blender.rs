//! The agent with a real Blender: `blender` on the PATH, or what `FARMHAND_TEST_ENGINE` names (an executable, or
//! `python:` and a Python with `bpy`). Everything goes over HTTP, as an orchestrator would.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use farmhand_agent::engines::{EnginePath, discover};
use farmhand_agent::{Agent, Config, Running};
use farmhand_protocol::agent::{BatchPhase, BatchReport, NodeInfo, StartBatch};
use farmhand_protocol::{
    BatchId, BatchKey, BlobHash, Denoise, Epoch, FailureKind, FarmId, FileEntry, JobId, Manifest,
    RenderSettings, SceneHash,
};
use reqwest::StatusCode;
use tempfile::TempDir;

fn engine() -> EnginePath {
    match std::env::var("FARMHAND_TEST_ENGINE") {
        Ok(named) => named.parse().unwrap(),
        Err(_) => discover(&[], None)
            .into_iter()
            .next()
            .expect("these tests need a `blender` on the PATH, or FARMHAND_TEST_ENGINE"),
    }
}

/// The scenes of `scenes.py`, made once for all tests of a process.
fn scene(name: &str) -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenes.py");
        let made = engine().running(&script, [folder.path()]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder
    });
    folder.path().join(format!("{name}.blend"))
}

struct Node {
    running: Option<Running>,
    http: reqwest::Client,
    farm: FarmId,
    data: TempDir,
}

impl Node {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut node = Self {
            running: None,
            http: farmhand_http::client(&farmhand_tls::Trust::Nobody)
                .build()
                .unwrap(),
            farm: FarmId(uuid::Uuid::new_v4()),
            data,
        };
        node.run(change).await;
        node
    }

    async fn run(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::new(self.data.path().join("data"));
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.blenders = vec![engine()];
        config.threads = 1;
        config.grace = Duration::from_millis(200);
        change(&mut config);
        self.running = Some(Agent::start(config).await.unwrap());
        let patience = Instant::now() + Duration::from_mins(2);
        while !self.info().await.probed {
            assert!(Instant::now() < patience, "the Blender is never probed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.as_ref().unwrap().address)
    }

    async fn info(&self) -> NodeInfo {
        self.http
            .get(self.url("/v1/node"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn put(&self, content: Vec<u8>) -> BlobHash {
        let hash = BlobHash::of(&content);
        let put = self
            .http
            .put(self.url(&format!("/v1/blobs/{hash}")))
            .body(content);
        assert!(put.send().await.unwrap().status().is_success());
        hash
    }

    async fn upload(&self, scene: &Path) -> SceneHash {
        let content = fs::read(scene).unwrap();
        let size = content.len() as u64;
        let hash = self.put(content).await;
        let main = "scene.blend".parse().unwrap();
        let files = BTreeMap::from([("scene.blend".parse().unwrap(), FileEntry { hash, size })]);
        let manifest = Manifest::new(main, files).unwrap();
        self.put(manifest.encode()).await;
        manifest.hash()
    }

    fn request(&self, batch: u64, scene: SceneHash, frames: &str) -> StartBatch {
        StartBatch {
            farm: self.farm,
            epoch: Epoch(1),
            batch: BatchId(batch),
            job: JobId(1),
            scene,
            frames: frames.parse().unwrap(),
            settings: RenderSettings::default(),
            blender: None,
            before: None,
            sources: Vec::new(),
        }
    }

    async fn post(&self, request: &StartBatch) -> reqwest::Response {
        let post = self.http.post(self.url("/v1/batches")).json(request);
        post.send().await.unwrap()
    }

    fn path(&self, batch: u64) -> String {
        let key = BatchKey {
            farm: self.farm,
            batch: BatchId(batch),
        };
        format!("/v1/batches/{key}")
    }

    async fn report(&self, batch: u64) -> BatchReport {
        let asked = self.http.get(self.url(&self.path(batch))).send().await.unwrap();
        asked.json().await.unwrap()
    }

    async fn until(&self, batch: u64, wanted: impl Fn(&BatchReport) -> bool) -> BatchReport {
        let patience = Instant::now() + Duration::from_mins(2);
        loop {
            let report = self.report(batch).await;
            if wanted(&report) {
                return report;
            }
            assert!(Instant::now() < patience, "{report:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Renders a scene's frames as one batch, from upload to end.
    async fn render(&self, batch: u64, name: &str, settings: RenderSettings) -> BatchReport {
        let scene = self.upload(&scene(name)).await;
        let request = StartBatch {
            settings,
            ..self.request(batch, scene, "1-3")
        };
        assert_eq!(self.post(&request).await.status(), StatusCode::ACCEPTED);
        self.until(batch, |report| report.phase.has_ended()).await
    }

    /// The scene cannot be rendered: one frame says why, the others were not tried.
    async fn must_fail(&self, batch: u64, name: &str, kind: FailureKind) {
        let report = self.render(batch, name, RenderSettings::default()).await;
        assert_eq!(report.phase, BatchPhase::Failed, "{name}: {report:?}");
        assert_eq!(report.failed.len(), 1, "{name}");
        assert_eq!(
            report.failed[0].failure.kind, kind,
            "{name}: {:?}",
            report.failed[0]
        );
        assert_eq!(report.waiting.to_string(), "2-3", "{name}");
    }

    async fn stop(&mut self) {
        self.running.take().unwrap().shutdown().await;
    }
}

fn settings(change: impl FnOnce(&mut RenderSettings)) -> RenderSettings {
    let mut settings = RenderSettings::default();
    change(&mut settings);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_rendered_fetched_and_let_go() {
    let mut node = Node::start(|_| {}).await;
    let missing = node.request(1, SceneHash::of(b"nowhere"), "1");
    let refused = node.post(&missing).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let problem: farmhand_protocol::Problem = refused.json().await.unwrap();
    assert_eq!(
        (problem.kind.as_str(), problem.missing.len()),
        ("scene-missing", 1)
    );

    let scene = node.upload(&scene("plain")).await;
    let request = node.request(1, scene, "-1,7,9");
    assert_eq!(node.post(&request).await.status(), StatusCode::ACCEPTED);
    assert_eq!(node.post(&request).await.status(), StatusCode::ACCEPTED);
    let report = node.until(1, |report| report.phase.has_ended()).await;
    assert_eq!(report.phase, BatchPhase::Completed, "{report:?}");
    let names: Vec<String> = report
        .finished
        .iter()
        .map(|done| done.files[0].path.to_string())
        .collect();
    assert_eq!(names, ["-001.png", "007.png", "009.png"]);

    for done in &report.finished {
        let frame = format!("{}/frames/{}", node.path(1), done.frame);
        let file = &done.files[0];
        let got = node
            .http
            .get(node.url(&format!("{frame}/{}", file.path)))
            .send()
            .await
            .unwrap();
        assert_eq!(BlobHash::of(&got.bytes().await.unwrap()), file.hash);
        for _ in 0..2 {
            let told = node
                .http
                .post(node.url(&format!("{frame}/ack")))
                .send()
                .await
                .unwrap();
            assert_eq!(told.status(), StatusCode::NO_CONTENT);
        }
        let gone = node
            .http
            .get(node.url(&format!("{frame}/{}", file.path)))
            .send()
            .await
            .unwrap();
        assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    }
    let log = node
        .http
        .get(node.url(&format!("{}/log?tail=1000", node.path(1))));
    let log = log.send().await.unwrap().text().await.unwrap();
    assert!(log.contains("Saved:"), "{log}");

    // The next batch of the scene finds it loaded.
    node.post(&node.request(2, scene, "10")).await;
    node.until(2, |report| report.phase.has_ended()).await;
    let log = node.http.get(node.url(&format!("{}/log", node.path(2))));
    let log = log.send().await.unwrap().text().await.unwrap();
    assert!(log.contains("Saved:") && !log.contains("Read blend"), "{log}");

    for (status, times) in [(StatusCode::NO_CONTENT, 1), (StatusCode::NOT_FOUND, 1)] {
        for _ in 0..times {
            let dropped = node.http.delete(node.url(&node.path(2))).send().await.unwrap();
            assert_eq!(dropped.status(), status);
        }
    }
    assert_eq!(
        node.post(&node.request(2, scene, "10")).await.status(),
        StatusCode::GONE
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_batch_is_gone_within_two_seconds_and_the_next_one_renders() {
    let mut node = Node::start(|_| {}).await;
    let slow = node.upload(&scene("slow")).await;
    // Once softly and, in an executable, once by ending the Blender.
    for batch in 1..=2 {
        node.post(&node.request(batch, slow, "1-3")).await;
        node.until(batch, |report| report.phase == BatchPhase::Rendering)
            .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        let cancelled = node
            .http
            .delete(node.url(&node.path(batch)))
            .send()
            .await
            .unwrap();
        assert_eq!(cancelled.status(), StatusCode::ACCEPTED);
        let report = node.until(batch, |report| report.phase.has_ended()).await;
        assert_eq!(report.phase, BatchPhase::Cancelled);
        // Two seconds are the promise; the rest is for a machine that does other things too.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert!(
            report.finished.is_empty() && report.failed.is_empty(),
            "{report:?}"
        );
    }
    let report = node.render(3, "plain", RenderSettings::default()).await;
    assert_eq!(
        (report.phase, report.finished.len()),
        (BatchPhase::Completed, 3),
        "{report:?}"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scene_that_cannot_be_rendered_says_why_and_its_switch_lets_it_pass() {
    let mut node = Node::start(|_| {}).await;
    node.must_fail(1, "no_camera", FailureKind::NoCamera).await;
    node.must_fail(2, "truncated", FailureKind::SceneUnreadable).await;
    node.must_fail(3, "nothing", FailureKind::SceneUnreadable).await;
    let unfit = node
        .render(
            4,
            "plain",
            settings(|s| s.view_layers = vec!["Nowhere".to_owned()]),
        )
        .await;
    let failure = &unfit.failed[0].failure;
    assert_eq!(failure.kind, FailureKind::SettingsUnfit, "{failure:?}");
    assert!(failure.message.contains("Nowhere; there are: "), "{failure:?}");
    node.must_fail(5, "unknown_engine", FailureKind::UnknownRenderEngine)
        .await;
    node.must_fail(6, "textured", FailureKind::MissingFiles).await;
    node.must_fail(7, "scripted", FailureKind::BlockedScripts).await;
    let switches = [
        ("textured", settings(|s| s.allow_missing = true)),
        ("scripted", settings(|s| s.allow_blocked_scripts = true)),
        ("movie", settings(|_| ())),
    ];
    for (batch, (name, settings)) in (8..).zip(switches) {
        let report = node.render(batch, name, settings).await;
        assert_eq!(report.finished.len(), 3, "{name}: {report:?}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_lacks_is_a_failure_of_the_node() {
    let mut node = Node::start(|_| {}).await;
    let engine = node.info().await.engines.remove(0);
    if engine.denoiser {
        let report = node.render(1, "denoised", RenderSettings::default()).await;
        assert_eq!(report.phase, BatchPhase::Completed, "{report:?}");
    } else {
        node.must_fail(1, "denoised", FailureKind::DenoiserMissing).await;
    }
    let report = node
        .render(2, "denoised", settings(|s| s.denoise = Denoise::Off))
        .await;
    assert_eq!(report.finished.len(), 3, "{report:?}");
    if engine.devices.len() == 1 {
        node.must_fail(3, "gpu", FailureKind::DeviceMissing).await;
    }
    let report = node.render(4, "gpu", settings(|s| s.allow_cpu = true)).await;
    assert_eq!(report.finished.len(), 3, "{report:?}");
    let older = StartBatch {
        blender: Some("2.79.0".parse().unwrap()),
        ..node.request(5, report.scene, "1")
    };
    node.post(&older).await;
    let report = node.until(5, |report| report.phase.has_ended()).await;
    assert_eq!(report.failed[0].failure.kind, FailureKind::UnsupportedVersion);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_without_a_sign_of_life_fails_and_a_stopped_agent_answers_for_it_later() {
    let mut node = Node::start(|config| config.frame_timeout = Duration::from_secs(30)).await;
    let report = node.render(1, "plain", RenderSettings::default()).await;
    assert_eq!(report.finished.len(), 3);
    let slow = node.upload(&scene("slow")).await;
    node.post(&node.request(2, slow, "1-2")).await;
    node.until(2, |report| report.phase == BatchPhase::Rendering)
        .await;
    node.stop().await;
    node.run(|_| {}).await;
    let (first, second) = (node.report(1).await, node.report(2).await);
    assert_eq!(
        (first.phase, first.finished),
        (BatchPhase::Completed, report.finished)
    );
    assert_eq!(
        (second.phase, second.waiting.to_string()),
        (BatchPhase::Interrupted, "1-2".to_owned())
    );

    let quick = StartBatch {
        settings: settings(|s| s.frame_timeout_seconds = Some(0)),
        ..node.request(3, slow, "1")
    };
    node.post(&quick).await;
    let report = node.until(3, |report| report.phase.has_ended()).await;
    assert_eq!(report.failed[0].failure.kind, FailureKind::TimedOut, "{report:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blender_that_dies_is_replaced_and_its_frame_says_how_it_died() {
    let mut node = Node::start(|_| {}).await;
    let plain = node.upload(&scene("plain")).await;
    node.post(&node.request(1, plain, "1")).await;
    node.until(1, |report| report.phase.has_ended()).await;
    kill_blenders(node.data.path()); // While it is idle: nobody's loss.
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.post(&node.request(2, plain, "2")).await;
    let report = node.until(2, |report| report.phase.has_ended()).await;
    assert_eq!(report.finished.len(), 1, "{report:?}");

    let slow = node.upload(&scene("slow")).await;
    node.post(&node.request(3, slow, "1")).await;
    node.until(3, |report| report.phase == BatchPhase::Rendering)
        .await;
    kill_blenders(node.data.path());
    let report = node.until(3, |report| report.phase.has_ended()).await;
    assert_eq!(
        report.failed[0].failure.kind,
        FailureKind::BlenderKilled,
        "{report:?}"
    );
    assert!(report.failed[0].failure.message.contains("SIGKILL"), "{report:?}");
    node.stop().await;
}

/// Kills the Blenders that run the driver of this data folder.
fn kill_blenders(data: &Path) {
    let driver = data.join("data/driver.py");
    let driver = driver.to_str().unwrap();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let id = process.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id.filter(|_| String::from_utf8_lossy(&command).contains(driver)) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL)
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_the_seed_call_ends_in_its_own_folder() {
    let mut node = Node::start(|config| config.scene = Some(scene("plain"))).await;
    let body = r#"{"from": 2, "to": 3}"#;
    let mut pids = Vec::new();
    for _ in 0..2 {
        let started = node.http.post(node.url("/job")).body(body).send().await.unwrap();
        assert_eq!(started.status(), StatusCode::ACCEPTED);
        let busy = node.http.post(node.url("/job")).body(body).send().await.unwrap();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        let started: serde_json::Value = started.json().await.unwrap();
        let pid = started["pid"].as_u64().unwrap();
        loop {
            let said = node
                .http
                .get(node.url(&format!("/job/{pid}")))
                .send()
                .await
                .unwrap();
            if said.status() == StatusCode::OK {
                assert_eq!(said.text().await.unwrap(), "Job completed");
                break;
            }
            assert_eq!(said.headers()["retry-after"], "5");
            assert_eq!(said.text().await.unwrap(), "Job still running");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let folder = node.data.path().join(format!("data/output/job-{pid}"));
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        files.sort();
        assert_eq!(files, ["plain_002.png", "plain_003.png"]);
        pids.push(pid);
    }
    assert_ne!(pids[0], pids[1]);
    for path in ["/job/abc", "/job/999", "/job/01", "/job/__proto__"] {
        let said = node.http.get(node.url(path)).send().await.unwrap();
        assert_eq!(said.status(), StatusCode::BAD_REQUEST);
        assert_eq!(said.text().await.unwrap(), "Job not found");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_blender_listens_and_says_how_to_get_one() {
    let mut node = Node::start(|config| config.blenders = vec!["/nowhere/blender".parse().unwrap()]).await;
    let problem = node.info().await.problem.unwrap();
    assert!(problem.contains("farmhand-agent setup"), "{problem}");
    let refused = node.post(&node.request(1, SceneHash::of(b""), "1")).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let refused = node
        .http
        .post(node.url("/job"))
        .body(r#"{"from":1,"to":1}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "30");
    let too_big = node
        .http
        .post(node.url("/job"))
        .body(vec![b' '; 10_000_000])
        .send()
        .await;
    assert!(too_big.map_or(true, |response| response.status()
        == StatusCode::PAYLOAD_TOO_LARGE));
    node.stop().await;
}

impl Node {
    async fn cancel(&self, batch: u64) {
        let cancelled = self.http.delete(self.url(&self.path(batch))).send().await;
        assert!(cancelled.unwrap().status().is_success());
    }

    async fn figure(&self, name: &str) -> String {
        let figures = self.http.get(self.url("/metrics")).send().await.unwrap();
        let figures = figures.text().await.unwrap();
        let line = figures.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }

    async fn until_figure(&self, name: &str, wanted: &str) {
        let patience = Instant::now() + Duration::from_mins(2);
        while self.figure(name).await != wanted {
            assert!(Instant::now() < patience, "{name} is never {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Processes that this one started and that have not ended.
fn children() -> usize {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_child = |stat: &String| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.next() != Some("Z") && fields.next() == Some(own.as_str())
    };
    stats.filter(is_child).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_scene_is_loaded_while_the_last_frame_of_another_one_renders() {
    const LOADS: &str = "farmhand_agent_scene_loads_total";
    let mut node = Node::start(|_| {}).await;
    let (slow, plain) = (
        node.upload(&scene("slow")).await,
        node.upload(&scene("plain")).await,
    );
    node.post(&node.request(1, slow, "1")).await;
    node.until(1, |report| report.phase == BatchPhase::Rendering)
        .await;

    // One that is taken back takes what was loaded for it along.
    node.post(&node.request(2, plain, "1-2")).await;
    node.until_figure(LOADS, "2").await;
    assert_eq!(children(), 2);
    node.cancel(2).await;
    let patience = Instant::now() + Duration::from_mins(1);
    while children() != 1 {
        assert!(
            Instant::now() < patience,
            "the scene that nobody needs stays loaded"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    node.post(&node.request(3, plain, "1-2")).await;
    node.until_figure(LOADS, "3").await;
    assert_eq!(node.report(3).await.phase, BatchPhase::Queued);
    assert_eq!(node.report(1).await.phase, BatchPhase::Rendering);
    node.cancel(1).await;
    let report = node.until(3, |report| report.phase.has_ended()).await;
    assert_eq!((report.phase, report.finished.len()), (BatchPhase::Completed, 2));
    assert_eq!(node.figure(LOADS).await, "3", "the slot took what was loaded");
    let log = node.http.get(node.url(&format!("{}/log", node.path(3))));
    let log = log.send().await.unwrap().text().await.unwrap();
    let (loaded, began) = (log.find("Read blend"), log.find("frame 1 is rendered"));
    assert!(loaded.is_some() && loaded < began, "{log}");
    node.stop().await;
    assert_eq!(children(), 0);
}
