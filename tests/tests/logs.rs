//! Log files of both programs: whoever looks for a frame finds every line about it, by each of its ids.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, eventually};
use serde_json::Value;

/// Lines about single frames that are whole so far.
fn lines_about_frames(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line| line.get("frame").is_some())
        .collect()
}

/// Waits until each of these frames of the job has a line.
async fn until_told(log: &Path, job: JobId, frames: std::ops::RangeInclusive<i64>) {
    let what = format!("{} tells of {job}", log.display());
    eventually(&what, async || {
        let lines = lines_about_frames(log);
        let is_told = |frame: i64| {
            lines
                .iter()
                .any(|line| line["job"] == job.to_string() && line["frame"] == frame)
        };
        frames.clone().all(is_told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_line_about_a_frame_has_the_ids_of_its_job_its_batch_and_its_node_in_both_programs() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let good = farm.submit(&scene, "1-3", &[]);
    assert_eq!(farm.ended(good).await.job.state, JobState::Completed);
    let no_scene = farm.folder().join("no_scene.blend");
    fs::write(&no_scene, "this is no scene").unwrap();
    let bad = farm.submit_unseen(&no_scene, "1").await;
    assert_eq!(farm.ended(bad).await.job.state, JobState::Failed);

    let node = farm.agents[0].node().await.id.to_string();
    for log in [
        farm.data().join("logs/orchestrator.log"),
        farm.agents[0].data.join("logs/agent.log"),
    ] {
        until_told(&log, good, 1..=3).await;
        until_told(&log, bad, 1..=1).await;
        for line in lines_about_frames(&log) {
            assert!(line["job"].is_string() && line["batch"].is_string(), "{line}");
            assert_eq!(line["node"], node, "{line}");
        }
    }
}
