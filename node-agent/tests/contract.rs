//! The agent's OpenAPI document is what is served, and what is served is as the document says. No Blender
//! is needed for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use farmhand_agent::{Agent, Config, Running};
use farmhand_contract::Contract;
use farmhand_protocol::{BlobHash, FileEntry, Manifest};
use reqwest::{Method, StatusCode};

struct Node {
    running: Running,
    contract: Contract,
    http: reqwest::Client,
    _data: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let running = Agent::start(Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            blenders: vec!["/nonexistent/blender".parse().unwrap()],
            engines: None,
            ..Config::new(data.path().join("node"))
        })
        .await
        .unwrap();
        let http = farmhand_http::client(&farmhand_tls::Trust::Nobody)
            .build()
            .unwrap();
        let url = format!("http://{}/openapi.json", running.address);
        let document = http.get(url).send().await.unwrap().json().await.unwrap();
        Self {
            running,
            contract: Contract::new(document),
            http,
            _data: data,
        }
    }

    /// Calls, holds the answer against the document, and returns its status and body.
    async fn asks(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        let url = format!("http://{}{path}", self.running.address);
        let answer = self
            .http
            .request(method.clone(), url)
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let kind = answer.headers().get("content-type").cloned();
        let kind = kind.as_ref().map(|kind| kind.to_str().unwrap());
        let body = answer.bytes().await.unwrap();
        self.contract
            .hold(method.as_str(), path, status.as_u16(), kind, &body);
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_described_call_is_served_and_no_other_method_of_its_path() {
    let node = Node::start().await;
    let calls = node.contract.calls();
    let described: BTreeSet<(&str, &str)> = calls
        .iter()
        .map(|call| (call.method.as_str(), call.path))
        .collect();
    assert!(described.len() > 12, "{described:?}");
    for path in described.iter().map(|(_, path)| *path).collect::<BTreeSet<_>>() {
        let asked = path
            .replace("{hash}", &"0".repeat(64))
            .replace("{key}", "00000000-0000-0000-0000-000000000001.b9")
            .replace("{frame}", "1")
            .replace("{pid}", "9");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let url = format!("http://{}{asked}", node.running.address);
            let request = node
                .http
                .request(Method::from_bytes(method.as_bytes()).unwrap(), url);
            let answer = request.send().await.unwrap();
            let is_served = answer.status() != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_served, described.contains(&(method, path)), "{method} {path}");
            if is_served && path != "/v1/events" {
                let text = answer.text().await.unwrap();
                assert!(!text.contains("there is no such call"), "{method} {path}: {text}");
            }
        }
    }
    node.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_answers_is_as_described() {
    let node = Node::start().await;
    let scene = b"BLENDER".to_vec();
    let hash = BlobHash::of(&scene);
    let size = scene.len() as u64;
    let main: farmhand_protocol::TreePath = "a.blend".parse().unwrap();
    let files = [(main.clone(), FileEntry { hash, size })].into_iter().collect();
    let manifest = Manifest::new(main, files).unwrap();
    let blob = |hash: BlobHash| format!("/v1/blobs/{hash}");
    let put = async |hash: BlobHash, bytes: Vec<u8>| node.asks(Method::PUT, &blob(hash), bytes).await.0;
    assert_eq!(put(hash, scene.clone()).await, StatusCode::CREATED);
    assert_eq!(put(hash, scene).await, StatusCode::OK);
    let unknown = BlobHash::of(b"third");
    assert_eq!(put(unknown, b"other".to_vec()).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        put(manifest.hash().into(), manifest.encode()).await,
        StatusCode::CREATED
    );
    let get = async |path: &str| node.asks(Method::GET, path, Vec::new()).await.0;
    for path in [
        "/health",
        "/metrics",
        "/openapi.json",
        "/v1/node",
        "/v1/batches",
        &blob(hash),
    ] {
        assert_eq!(get(path).await, StatusCode::OK, "{path}");
    }
    assert_eq!(get("/job/7").await, StatusCode::BAD_REQUEST);
    let key = "00000000-0000-0000-0000-000000000001.b9";
    for (method, path) in [
        (Method::GET, format!("/v1/batches/{key}")),
        (Method::DELETE, format!("/v1/batches/{key}")),
        (Method::GET, format!("/v1/batches/{key}/log")),
        (Method::GET, format!("/v1/batches/{key}/frames/1/0001.png")),
        (Method::POST, format!("/v1/batches/{key}/frames/1/ack")),
        (Method::POST, format!("/v1/batches/{key}/revoke")),
        (Method::POST, "/v1/batches".to_owned()),
        (Method::POST, "/job".to_owned()),
    ] {
        let (status, said) = node.asks(method.clone(), &path, b"{}".to_vec()).await;
        assert!(status.is_client_error(), "{method} {path}: {status} {said}");
    }
    node.running.shutdown().await;
}
