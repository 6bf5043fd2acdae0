//! A real orchestrator in a folder of its own, and what a client does to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use farmhand_contract::Contract;
use farmhand_orchestrator::{Config, DefaultScene, Running, StartError, start};
use farmhand_protocol::farm::{Existing, FrameView, JobDetail, JobState, Page, SubmitJob};
use farmhand_protocol::{BlobHash, FileEntry, Manifest, RenderSettings, SceneHash};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(crate) struct Farm {
    folder: tempfile::TempDir,
    /// Changes the settings of every start.
    change: Box<dyn Fn(&mut Config) + Send + Sync>,
    running: Option<Running>,
    pub(crate) http: reqwest::Client,
    contract: OnceCell<Contract>,
}

impl Farm {
    /// A farm of these agents that has just been started for the first time.
    pub(crate) async fn start(nodes: &[&String]) -> Self {
        let nodes: Vec<String> = nodes.iter().map(|node| (*node).clone()).collect();
        Self::start_with(move |config| config.nodes.clone_from(&nodes)).await
    }

    /// A farm with other settings.
    pub(crate) async fn start_with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let mut farm = Self {
            folder: tempfile::tempdir().unwrap(),
            change: Box::new(change),
            running: None,
            http: farmhand_http::client(&farmhand_tls::Trust::Nobody)
                .build()
                .unwrap(),
            contract: OnceCell::new(),
        };
        std::fs::create_dir(farm.folder.path().join("scene")).unwrap();
        std::fs::write(farm.folder.path().join("scene/default.blend"), "BLENDER").unwrap();
        farm.start_again().await.unwrap();
        farm
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("output").canonicalize().unwrap()
    }

    /// Opens the same data folder again.
    pub(crate) async fn start_again(&mut self) -> Result<(), StartError> {
        let file = self.folder.path().join("scene/default.blend");
        let scene = async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(DefaultScene {
                manifest: manifest(&[("default.blend", "BLENDER")]),
                sources: BTreeMap::from([(BlobHash::of(b"BLENDER"), file)]),
                written_by: None,
            })
        };
        let mut config = Config::new(
            "127.0.0.1:0".parse().unwrap(),
            self.data(),
            self.folder.path().join("output"),
        );
        (self.change)(&mut config);
        config.scene = Some(Box::pin(scene));
        self.running = Some(start(config).await?);
        Ok(())
    }

    pub(crate) async fn shutdown(&mut self) {
        self.running.take().unwrap().shutdown().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.as_ref().unwrap().address())
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.asks(self.http.get(self.url(path))).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {status} {text}: {error}"))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.asks(self.http.post(self.url(path)).json(&body)).await
    }

    /// Sends a request and holds its answer against the farm's own document.
    pub(crate) async fn asks(&self, request: RequestBuilder) -> Response {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap());
        let contract = self.contract().await;
        contract.hold(method.as_str(), &path, status.as_u16(), kind, &body);
        let mut again = axum::http::Response::new(body);
        *again.status_mut() = status;
        *again.headers_mut() = headers;
        again.into()
    }

    pub(crate) async fn contract(&self) -> &Contract {
        let read = async || {
            let document = self.http.get(self.url("/openapi.json")).send().await.unwrap();
            Contract::new(document.json().await.unwrap())
        };
        self.contract.get_or_init(read).await
    }

    /// Uploads a scene of two files.
    pub(crate) async fn upload(&self) -> SceneHash {
        let files = [("shot.blend", "BLENDER shot"), ("wood.png", "wood")];
        let scene = manifest(&files);
        for (_, content) in files {
            self.put(content.as_bytes().to_vec()).await;
        }
        self.put(scene.encode()).await;
        scene.hash()
    }

    async fn put(&self, bytes: Vec<u8>) {
        let hash = BlobHash::of(&bytes);
        let request = self.http.put(self.url(&format!("/v1/blobs/{hash}")));
        let status = request.body(bytes).send().await.unwrap().status();
        assert_eq!(status, StatusCode::CREATED);
    }

    pub(crate) async fn submit(&self, name: &str, frames: &str) -> String {
        let scene = self.upload().await;
        let response = self.post("/v1/jobs", job(name, frames, scene)).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let job: Value = response.json().await.unwrap();
        job["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn job(&self, id: &str) -> JobDetail {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    pub(crate) async fn frames(&self, id: &str) -> Vec<FrameView> {
        let page: Page<FrameView> = self.get(&format!("/v1/jobs/{id}/frames")).await;
        page.items
    }

    /// Waits for the end of a job and returns how it ended.
    pub(crate) async fn end_of(&self, id: &str) -> JobState {
        let job: JobDetail = self.get(&format!("/v1/jobs/{id}?wait=20")).await;
        job.job.state
    }

    /// Files in a folder below the output root, with their paths relative to it.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = self.output().join(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

pub(crate) fn job(name: &str, frames: &str, scene: SceneHash) -> Value {
    let request = SubmitJob {
        name: name.to_owned(),
        scene,
        frames: frames.parse().unwrap(),
        settings: RenderSettings::default(),
        priority: 0,
        output: None,
        existing: Existing::default(),
        written_by: None,
        tags: Vec::new(),
        batch_size: None,
        after: None,
        max_nodes: None,
        preview: None,
        user: "ana".to_owned(),
        video: false,
    };
    json!(request)
}

fn manifest(files: &[(&str, &str)]) -> Manifest {
    let entries: BTreeMap<_, _> = files
        .iter()
        .map(|(path, content)| {
            let entry = FileEntry {
                hash: BlobHash::of(content.as_bytes()),
                size: content.len() as u64,
            };
            (path.parse().unwrap(), entry)
        })
        .collect();
    Manifest::new(files[0].0.parse().unwrap(), entries).unwrap()
}

/// Waits until something is so, for at most ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
