//! The OpenAPI document is what is served, and what is served is as the document says.

use std::collections::BTreeSet;

use crate::support::{FakeAgent, Farm, job};
use farmhand_protocol::farm::JobState;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn every_described_call_is_served_and_no_other_method_of_its_path() {
    let farm = Farm::start(&[]).await;
    let contract = farm.contract().await;
    let described: BTreeSet<(String, &str)> = contract
        .calls()
        .into_iter()
        .map(|call| (call.method, call.path))
        .collect();
    assert!(described.len() > 25, "{described:?}");
    let paths: BTreeSet<&str> = described.iter().map(|(_, path)| *path).collect();
    for path in paths {
        let asked = path
            .replace("{hash}", &"0".repeat(64))
            .replace("{frame}", "1")
            .replace(
                "{id}",
                if path.starts_with("/v1/batches") {
                    "b9"
                } else {
                    "j9"
                },
            );
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let request = farm
                .http
                .request(Method::from_bytes(method.as_bytes()).unwrap(), farm.url(&asked));
            let answer = request.send().await.unwrap();
            let status = answer.status();
            // GET answers HEAD too, without a body.
            let head = method == "HEAD" && described.contains(&("GET".to_owned(), path));
            if described.contains(&(method.to_owned(), path)) {
                assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                if path != "/v1/events" && method != "HEAD" {
                    let text = answer.text().await.unwrap();
                    assert!(!text.contains("there is no such call"), "{method} {path}: {text}");
                }
            } else if !head {
                assert_eq!(
                    status,
                    StatusCode::METHOD_NOT_ALLOWED,
                    "{method} {path} is served and not described"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_a_jobs_life_are_as_described() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let scene = farm.upload().await;
    let post = farm.http.post(farm.url("/v1/jobs"));
    let submit = post
        .header("Idempotency-Key", "castle")
        .json(&job("castle", "1-4", scene));
    let submitted: Value = farm.asks(submit).await.json().await.unwrap();
    let id = submitted["id"].as_str().unwrap().to_owned();
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    let rendered = farm.post("/render", json!({ "from": 1, "to": 2 })).await;
    let rendered: Value = rendered.json().await.unwrap();
    let get = async |path: &str| farm.asks(farm.http.get(farm.url(path))).await;
    let detail: Value = get(&format!("/v1/jobs/{id}")).await.json().await.unwrap();
    let batch = detail["batches"][0]["id"].as_str().unwrap().to_owned();
    for path in [
        "/health".to_owned(),
        "/metrics".to_owned(),
        "/openapi.json".to_owned(),
        "/v1/farm".to_owned(),
        "/v1/jobs?limit=1&state=completed".to_owned(),
        "/v1/nodes".to_owned(),
        format!("/v1/jobs/{id}/why"),
        format!("/v1/jobs/{id}/why?frame=1"),
        format!("/v1/jobs/{id}/output?newest=2"),
        "/v1/batches?limit=2".to_owned(),
        format!("/v1/batches/{batch}/why"),
        format!("/v1/jobs/{id}/frames?limit=2"),
        format!("/v1/jobs/{id}/frames/1/image"),
        format!("/v1/jobs/{id}/frames/1/log"),
        format!("/v1/batches/{batch}"),
        format!("/status/{}", rendered["jobId"].as_str().unwrap()),
    ] {
        let status = get(&path).await.status();
        assert!(status.is_success(), "{path}: {status}");
    }
    for (path, body) in [
        (format!("/v1/jobs/{id}/retry"), json!({ "frames": "2" })),
        (format!("/v1/jobs/{id}/pause"), json!({})),
        (format!("/v1/jobs/{id}/resume"), json!({})),
        (format!("/v1/jobs/{id}/cancel"), json!({})),
        (format!("/v1/batches/{batch}/retry"), json!({})),
        ("/v1/nodes".to_owned(), json!({ "address": "http://127.0.0.1:9" })),
        // Refusals have their form too.
        ("/v1/jobs".to_owned(), json!({ "name": 7 })),
        ("/v1/jobs/j99/cancel".to_owned(), json!({})),
        ("/v1/nodes".to_owned(), json!({ "address": "gopher://" })),
        ("/render".to_owned(), json!({ "from": 2, "to": 1 })),
    ] {
        farm.post(&path, body).await;
    }
    let renamed = farm.http.patch(farm.url(&format!("/v1/jobs/{id}")));
    let renamed: Value = farm
        .asks(renamed.json(&json!({ "name": "keep" })))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(renamed["name"], "keep");
    let gone = farm.http.delete(farm.url("/v1/nodes/http%3A%2F%2F127.0.0.1%3A9"));
    assert_eq!(farm.asks(gone).await.status(), StatusCode::NO_CONTENT);
}
