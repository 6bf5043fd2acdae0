//! Who may call: loopback freely, anyone else only with the token.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, Program, build_path, free_port, http, within};
use reqwest::{Method, StatusCode};
use serde_json::Value;

const TOKEN: &str = "correct-horse-battery-staple-0123456789";
const LOOKING: &str = "only-looking-only-looking-only-looking";

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

/// Every call of a program's own document, with its path filled in.
async fn all_calls(base: &str) -> Vec<(Method, String)> {
    let document = http().get(format!("{base}/openapi.json")).bearer_auth(TOKEN);
    let document: Value = document.send().await.unwrap().json().await.unwrap();
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled = path
            .replace("{hash}", &"0".repeat(64))
            .replace("/batches/{id}", "/batches/b1")
            .replace("/nodes/{id}", "/nodes/00000000-0000-4000-8000-000000000000")
            .replace("{id}", "j1")
            .replace("{key}", "00000000-0000-4000-8000-000000000000.b1")
            .replace("{frame}", "1")
            .replace("{file}", "a.png")
            .replace("{pid}", "1");
        assert!(
            !filled.contains('{'),
            "{path} has a part that this test does not fill in"
        );
        for method in methods.as_object().unwrap().keys() {
            calls.push((method.to_uppercase().parse().unwrap(), filled.clone()));
        }
    }
    calls
}

/// What an answer tells: its status, its headers but the date, its body.
async fn told(base: &str, method: &Method, path: &str) -> (StatusCode, BTreeMap<String, String>, String) {
    let answer = http().request(method.clone(), format!("{base}{path}"));
    let answer = answer.send().await.unwrap();
    let headers = answer.headers().iter();
    let headers = headers
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    (answer.status(), headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn every_call_of_the_documents_tells_nobody_without_a_token_more_than_that_it_wants_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let more = vec!["--token-file".to_owned(), file.display().to_string()];
    let plan = AgentPlan {
        more: more.clone(),
        ..AgentPlan::default()
    };
    let agent = Agent::start(folder.path(), "agent", plan).await;
    let farm = Farm::start(FarmPlan {
        more,
        ..FarmPlan::default()
    })
    .await;
    for (base, at_least) in [(&agent.address, 15), (&farm.address, 35)] {
        let calls = all_calls(base).await;
        assert!(calls.len() >= at_least, "{base}: {calls:?}");
        // Whether something is there, or is called so, is not told either.
        let nowhere = told(base, &Method::GET, "/v1/nowhere").await;
        assert_eq!(nowhere.0, StatusCode::UNAUTHORIZED);
        for (method, path) in calls.iter().filter(|(_, path)| path != "/health") {
            let (status, headers, body) = told(base, method, path).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {base}{path}");
            let is_of_v1 = path.starts_with("/v1/") || path == "/metrics" || path == "/openapi.json";
            if is_of_v1 {
                assert_eq!(headers, nowhere.1, "{method} {base}{path}");
                assert!(
                    body == nowhere.2 || *method == Method::HEAD,
                    "{method} {base}{path}: {body}"
                );
            } else {
                assert_eq!(
                    body, "this farm asks for its token: send it as `Authorization: Bearer TOKEN`",
                    "{method} {base}{path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_token_for_looking_sees_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let old = "the-token-before-the-token-before";
    let own = write("token", format!("# new\n{TOKEN}\n# old\n{old}\n"));
    let looking = write("looking", format!("{LOOKING}\n"));
    let more = ["--token-file", &own, "--read-token-file", &looking].map(str::to_owned);
    let plan = AgentPlan {
        more: more.to_vec(),
        ..AgentPlan::default()
    };
    let agent = Agent::start(folder.path(), "agent", plan).await;
    let farm = Farm::start(FarmPlan {
        more: more.to_vec(),
        ..FarmPlan::default()
    })
    .await;
    let call = async |base: &str, method: &Method, path: &str, token: &str| {
        let call = http().request(method.clone(), format!("{base}{path}"));
        call.bearer_auth(token).send().await.unwrap()
    };
    for base in [&agent.address, &farm.address] {
        for (method, path) in all_calls(base).await {
            if path == "/health" || path == "/v1/events" {
                continue; // The one asks for nothing, the other has no end.
            }
            let status = call(base, &method, &path, LOOKING).await.status();
            let looks = matches!(method, Method::GET | Method::HEAD);
            assert_eq!(
                looks,
                status != StatusCode::FORBIDDEN,
                "{method} {base}{path}: {status}"
            );
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {base}{path}");
        }
    }
    // Two tokens of the farm's own while it changes from one to the other, which may do all.
    for (token, readonly) in [(LOOKING, true), (TOKEN, false), (old, false)] {
        let told: Value = call(&farm.address, &Method::GET, "/v1/farm", token)
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(told["readonly"].as_bool().unwrap_or(false), readonly);
    }
    let said = farm.farmhand(["jobs", "--token-file", &looking]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let said = farm.farmhand(["nodes", "--add", "http://127.0.0.1:9", "--token-file", &looking]);
    assert_eq!(said.code, Some(1));
    assert!(said.last_line().contains("may only look"), "{}", said.all());
}

#[tokio::test]
async fn a_token_for_looking_is_refused_where_everyone_may_do_everything() {
    let folder = tempfile::tempdir().unwrap();
    let looking = folder.path().join("looking");
    std::fs::write(&looking, LOOKING).unwrap();
    let mut serve = Command::new(build_path("farmhand"));
    serve
        .args([
            "serve",
            "--listen",
            &format!("127.0.0.1:{}", free_port()),
            "--data",
        ])
        .arg(folder.path().join("farm"))
        .arg("--read-token-file")
        .arg(&looking)
        .env_remove("FARMHAND_TOKEN")
        .env("HOME", folder.path());
    let said = must_not_start("serve", serve).await;
    assert!(
        said.contains("--read-token-file is for a farm that has a token"),
        "{said}"
    );
}
