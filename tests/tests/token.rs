//! Who may call: loopback freely, anyone else only with the token.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, Program, build_path, free_port, http, within};
use reqwest::Method;

const TOKEN: &str = "correct-horse-battery-staple-0123456789";

/// Starts a program that must refuse to, and returns what it said.
async fn must_not_start(name: &str, command: Command) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(name, command, folder.path().join("log"));
    let status = within(Duration::from_secs(10), "it refuses to start", async || {
        program.ended()
    })
    .await;
    assert!(!status.success(), "{name} ended well");
    program.said()
}

#[tokio::test]
async fn without_a_token_nobody_listens_beyond_loopback() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0", "[::]"] {
        let listen = format!("{listen}:{}", free_port());
        let mut serve = Command::new(build_path("farmhand"));
        serve
            .args(["serve", "--listen", &listen, "--data"])
            .arg(folder.path().join("farm"));
        let mut agent = Command::new(build_path("farmhand-agent"));
        agent
            .args(["--listen", &listen, "--data"])
            .arg(folder.path().join("agent"));
        for (name, mut command) in [("serve", serve), ("agent", agent)] {
            command.env_remove("FARMHAND_TOKEN").env("HOME", folder.path());
            let said = must_not_start(name, command).await;
            assert!(said.contains("without a token"), "{name}: {said}");
        }
    }
}

#[tokio::test]
async fn with_a_token_every_call_but_health_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let token_file = vec!["--token-file".to_owned(), file.display().to_string()];
    let agent = Agent::start(
        folder.path(),
        "agent",
        AgentPlan {
            more: token_file.clone(),
            ..AgentPlan::default()
        },
    )
    .await;
    let farm = Farm::start(FarmPlan {
        more: token_file,
        ..FarmPlan::default()
    })
    .await;

    let hash = "0".repeat(64);
    let of_agent = [
        (Method::GET, "/v1/node".to_owned()),
        (Method::GET, "/v1/batches".into()),
        (Method::POST, "/v1/batches".into()),
        (Method::DELETE, "/v1/batches/x.b1".into()),
        (Method::PUT, format!("/v1/blobs/{hash}")),
        (Method::HEAD, format!("/v1/blobs/{hash}")),
        (Method::GET, "/v1/events".into()),
        (Method::GET, "/metrics".into()),
        (Method::POST, "/job".into()),
        (Method::GET, "/job/1".into()),
        (Method::GET, "/nowhere".into()),
    ];
    let of_farm = [
        (Method::GET, "/v1/farm".to_owned()),
        (Method::GET, "/v1/jobs".into()),
        (Method::POST, "/v1/jobs".into()),
        (Method::GET, "/v1/jobs/j1".into()),
        (Method::DELETE, "/v1/jobs/j1".into()),
        (Method::GET, "/v1/nodes".into()),
        (Method::POST, "/v1/nodes".into()),
        (Method::PUT, format!("/v1/blobs/{hash}")),
        (Method::GET, "/v1/events".into()),
        (Method::GET, "/metrics".into()),
        (Method::GET, "/openapi.json".into()),
        (Method::POST, "/render".into()),
        (Method::GET, "/status/j1".into()),
        (Method::GET, "/nowhere".into()),
    ];
    for (base, calls) in [(&agent.address, &of_agent[..]), (&farm.address, &of_farm[..])] {
        assert!(
            http()
                .get(format!("{base}/health"))
                .send()
                .await
                .unwrap()
                .status()
                .is_success()
        );
        for (method, path) in calls {
            let url = format!("{base}{path}");
            for wrong in [None, Some("wrong"), Some("")] {
                let mut call = http().request(method.clone(), &url);
                if let Some(wrong) = wrong {
                    call = call.bearer_auth(wrong);
                }
                let status = call.send().await.unwrap().status();
                assert_eq!(status, 401, "{method} {url} with {wrong:?}");
            }
            let url_with_token = format!("{url}?token={TOKEN}");
            let status = http()
                .request(method.clone(), url_with_token)
                .send()
                .await
                .unwrap()
                .status();
            assert_eq!(status, 401, "a token in an address would end up in logs");
        }
    }
    let let_in = http()
        .get(format!("{}/v1/jobs", farm.address))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(let_in.status(), 200);

    let refused = farm.farmhand(["jobs"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.last_line().contains("token"), "{}", refused.all());
    let output = farm
        .farmhand_command()
        .arg("jobs")
        .env("FARMHAND_TOKEN", TOKEN)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let jobs = farm.farmhand(["jobs", "--token-file", file.to_str().unwrap()]);
    assert_eq!(jobs.code, Some(0), "{}", jobs.all());
}
