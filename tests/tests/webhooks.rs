//! Notices to https addresses: as far as the machine's own authorities are trusted, and no further.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use farmhand_client::FarmClient;
use farmhand_tests::{Blender, Program, Scene, build_path, eventually, free_port, within};
use farmhand_tls::{Authority, Presented};
use serde_json::Value;

type Heard = Arc<Mutex<Vec<String>>>;

/// Takes notices by https; its address.
async fn receiver(authority: &Authority) -> (Heard, String) {
    let names = ["127.0.0.1".to_owned()];
    let identity = authority.issue_farm(&names, jiff::Timestamp::now()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let heard = Heard::default();
    let take = async |State(heard): State<Heard>, axum::Json(notice): axum::Json<Value>| {
        heard
            .lock()
            .unwrap()
            .push(notice["event"].as_str().unwrap().to_owned());
        StatusCode::NO_CONTENT
    };
    let router = axum::Router::new()
        .route("/hook", post(take))
        .with_state(Arc::clone(&heard));
    let stop = std::future::pending();
    let identity = Some(Presented::new(identity));
    tokio::spawn(async move { farmhand_http::serve(listener, identity, router, stop, Duration::ZERO).await });
    (heard, url)
}

/// A farm that tells these addresses, on a machine that trusts the authorities of a file.
fn serve(folder: &Path, port: u16, trusted: &Path, hooks: &[&str]) -> Program {
    let mut command = Command::new(build_path("farmhand"));
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--data")
        .arg(folder.join("data"))
        .arg("--output")
        .arg(folder.join("output"))
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env_remove("FARMHAND_TOKEN");
    for hook in hooks {
        command.args(["--webhook", hook]);
    }
    Program::start("serve", command, folder.join("serve.log"))
}

#[tokio::test]
async fn an_https_webhook_is_told_if_the_machine_trusts_it_and_a_stranger_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = |name: &str| Authority::make(&folder.path().join(name), jiff::Timestamp::now()).unwrap();
    let (trusted, stranger) = (authority("trusted"), authority("stranger"));
    let (heard, url) = receiver(&trusted).await;
    let (unheard, stranger_url) = receiver(&stranger).await;
    let port = free_port();
    let file = folder.path().join("trusted/ca.pem");
    let _program = serve(folder.path(), port, &file, &[&url, &stranger_url]);
    let client = FarmClient::new(format!("http://127.0.0.1:{port}").parse().unwrap(), None);
    within(Duration::from_secs(10), "the farm answers", async || {
        client.health().await.ok()
    })
    .await;
    let scene = Scene::BASIC.make(Blender::Executable, &folder.path().join("scenes"));
    for verb in [
        vec!["submit", scene.to_str().unwrap(), "--frames", "1-3"],
        vec!["cancel", "j1"],
    ] {
        let mut command = Command::new(build_path("farmhand"));
        command
            .env("HOME", folder.path())
            .env("FARMHAND_FARM", client.address().to_string());
        let output = command.args(&verb).output().unwrap();
        assert!(output.status.success(), "{verb:?}: {output:?}");
    }
    eventually("the trusted one is told", async || {
        (*heard.lock().unwrap() == ["job.cancelled"]).then_some(())
    })
    .await;
    let figures = format!("{}/metrics", client.address());
    eventually("a notice is counted as sent", async || {
        let text = farmhand_tests::http()
            .get(&figures)
            .send()
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        text.contains("farmhand_notices_total{result=\"sent\"} 1")
            .then_some(())
    })
    .await;
    assert!(unheard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_that_trusts_nobody_says_so_at_the_start_where_there_is_an_https_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing.pem");
    std::fs::write(&nothing, "").unwrap();
    let mut program = serve(
        folder.path(),
        free_port(),
        &nothing,
        &["https://chat.example/hook"],
    );
    let status = within(Duration::from_secs(10), "it ends", async || program.ended()).await;
    assert!(!status.success());
    let said = program.said();
    assert!(
        said.contains("ca-certificates") && said.contains("SSL_CERT_FILE"),
        "{said}"
    );
    // Without such an address none are looked for.
    let port = free_port();
    let _program = serve(folder.path(), port, &nothing, &["http://127.0.0.1:9/hook"]);
    let client = FarmClient::new(format!("http://127.0.0.1:{port}").parse().unwrap(), None);
    within(Duration::from_secs(10), "the farm answers", async || {
        client.health().await.ok()
    })
    .await;
}
