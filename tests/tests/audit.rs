//! Who changed what stays known.

use farmhand_tests::{Blender, Farm, FarmPlan, Scene};
use serde_json::Value;

#[tokio::test]
async fn what_people_change_is_noted_with_who_they_are_and_outlives_the_farm() {
    let mut farm = Farm::start(FarmPlan::default()).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let by_ada = |farm: &Farm, args: &[&str]| {
        let mut command = farm.farmhand_command();
        let output = command.args(args).env("FARMHAND_USER", "ada").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let path = scene.to_str().unwrap();
    assert_eq!(by_ada(&farm, &["submit", path, "--frames", "1-3"]).0, Some(0));
    assert_eq!(by_ada(&farm, &["cancel", "j1", "--frames", "2"]).0, Some(0));
    assert_eq!(by_ada(&farm, &["cancel", "j99"]).0, Some(1));
    assert_eq!(by_ada(&farm, &["jobs"]).0, Some(0));

    farm.orchestrator.kill_nine();
    farm.restart_orchestrator().await;
    assert_eq!(by_ada(&farm, &["pause", "j1"]).0, Some(0));
    let (code, told) = by_ada(&farm, &["audit", "--json"]);
    assert_eq!(code, Some(0));
    let entries: Vec<Value> = serde_json::from_str(&told).unwrap();
    let calls: Vec<(&str, u64)> = entries
        .iter()
        .map(|entry| (entry["call"].as_str().unwrap(), entry["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        calls,
        [
            ("POST /v1/jobs", 201),
            ("POST /v1/jobs/j1/cancel", 200),
            ("POST /v1/jobs/j99/cancel", 404),
            ("POST /v1/jobs/j1/pause", 200),
        ]
    );
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry["seq"], number + 1);
        assert_eq!(
            (&entry["user"], &entry["address"]),
            (&"ada".into(), &"127.0.0.1".into())
        );
    }
    assert_eq!(entries[1]["body"], r#"{"frames":"2"}"#);
    let (_, text) = by_ada(&farm, &["audit", "--newest", "1"]);
    assert!(
        text.lines().count() == 2 && text.contains("POST /v1/jobs/j1/pause"),
        "{text}"
    );
}
