//! A Blender that misbehaves ends as its own kind of failure, within its time, with nothing left behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use farmhand_protocol::FailureKind;
use farmhand_protocol::farm::{JobDetail, JobState};
use farmhand_tests::{
    AgentPlan, Blender, Farm, FarmPlan, Scene, build_path, eventually, owned_by, pictures_in, within,
};
use tempfile::TempDir;

fn record(marker: &TempDir) -> String {
    marker.path().join("rendered").display().to_string()
}

/// A farm of one agent whose Blender behaves in this manner.
async fn farm_of(manner: &str, more: &[&str], marker: &TempDir) -> Farm {
    let mut arguments = vec![
        "--blender".to_owned(),
        build_path("farmhand-stand-in").display().to_string(),
    ];
    arguments.extend(more.iter().map(|more| (*more).to_owned()));
    let agent = AgentPlan {
        more: arguments,
        environment: vec![
            ("STAND_IN".to_owned(), manner.to_owned()),
            // By this its Blenders and their children are known.
            ("STAND_IN_RECORD".to_owned(), record(marker)),
        ],
        ..AgentPlan::default()
    };
    Farm::start(FarmPlan {
        agents: vec![agent],
        ..FarmPlan::default()
    })
    .await
}

/// Renders a frame, which must fail as `kind` in these words; the agent is well afterwards.
async fn must_fail(manner: &str, more: &[&str], kind: FailureKind, words: &str) -> JobDetail {
    let marker = tempfile::tempdir().unwrap();
    let farm = farm_of(manner, more, &marker).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let ended = farm.ended(farm.submit(&scene, "1", &[])).await;
    assert_eq!(ended.job.state, JobState::Failed, "{manner}: {ended:?}");
    let failure = &ended.attempts.first().unwrap().failure;
    assert_eq!(failure.kind, kind, "{manner}: {failure:?}");
    assert!(failure.message.contains(words), "{manner}: {}", failure.message);
    assert!(pictures_in(Path::new(&ended.job.output)).is_empty());
    nothing_is_left(&farm, &marker).await;
    ended
}

/// No process but the agent's and the orchestrator's, and no file of a frame in the spool.
async fn nothing_is_left(farm: &Farm, marker: &TempDir) {
    within(Duration::from_secs(5), "every Blender is gone", async || {
        // A warm Blender that waits for its next frame is none that was left behind.
        let left = owned_by(marker.path())
            .into_iter()
            .filter(|process| process.name == "sleep");
        (left.count() == 0).then_some(())
    })
    .await;
    // An agent clears up when the Blender is gone.
    within(Duration::from_secs(5), "no half a frame is left", async || {
        half_frames(farm).is_empty().then_some(())
    })
    .await;
}

/// Folders of frames in the spool.
fn half_frames(farm: &Farm) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let batches = entries(&farm.agents[0].data.join("spool"));
    let all = batches.iter().flat_map(|batch| entries(batch));
    all.filter(|path| path.is_dir()).collect()
}

#[tokio::test]
async fn a_blender_that_hangs_is_ended_after_the_frame_timeout() {
    must_fail("hang", &["--frame-timeout", "1"], FailureKind::TimedOut, "1 s").await;
}

#[tokio::test]
async fn a_blender_that_only_prints_is_ended_after_the_frame_timeout() {
    let ended = must_fail("chatter", &["--frame-timeout", "2"], FailureKind::TimedOut, "2 s").await;
    let kept: usize = ended.attempts[0].failure.log.iter().map(String::len).sum();
    assert!(kept < 40_000, "{kept} bytes of log travel with a failure");
}

#[tokio::test]
async fn a_blender_that_crashes_is_named_with_its_signal() {
    must_fail("crash", &[], FailureKind::BlenderKilled, "SIGSEGV").await;
}

#[tokio::test]
async fn a_blender_that_leaves_without_a_picture_has_failed_whatever_its_exit_code() {
    must_fail("leave", &[], FailureKind::BlenderExited, "exit code 0").await;
}

#[tokio::test]
async fn a_frame_without_a_picture_has_failed() {
    must_fail("empty", &[], FailureKind::NoPicture, "no picture").await;
}

#[tokio::test]
async fn half_a_picture_is_no_picture() {
    must_fail("half", &[], FailureKind::BadPicture, "0001.png").await;
}

#[tokio::test]
async fn children_of_a_blender_go_with_it() {
    must_fail("fork", &["--frame-timeout", "1"], FailureKind::TimedOut, "1 s").await;
}

#[tokio::test]
async fn a_blender_that_eats_memory_is_ended_before_the_machine_suffers() {
    let marker = tempfile::tempdir().unwrap();
    let farm = farm_of("eat", &["--memory", "0.4"], &marker).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1", &[]);
    // The job goes on to wait: a node with more memory may come.
    let attempt = eventually("the frame fails", async || {
        farm.job(id).await.attempts.first().cloned()
    })
    .await;
    assert_eq!(
        attempt.failure.kind,
        FailureKind::OutOfMemory,
        "{:?}",
        attempt.failure
    );
    let said = &attempt.failure.message;
    assert!(said.contains("the 400 MB that this node allows"), "{said}");
    nothing_is_left(&farm, &marker).await;
}

#[tokio::test]
async fn a_driver_that_says_what_it_must_not_has_failed() {
    must_fail("babble", &[], FailureKind::DriverError, "must not").await;
}

#[tokio::test]
async fn a_cancelled_frame_is_gone_within_two_seconds_whatever_its_blender_ignores() {
    let marker = tempfile::tempdir().unwrap();
    let farm = farm_of("deaf", &[], &marker).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-3", &[]);
    let blenders = within(Duration::from_secs(20), "the frame renders", async || {
        let running = farm.agents[0]
            .batches()
            .await
            .iter()
            .any(|batch| batch.rendering.is_some());
        let blenders = farm.agents[0].blenders();
        (running && !blenders.is_empty()).then_some(blenders)
    })
    .await;
    farm.client.cancel_job(id, None).await.unwrap();
    let told = Instant::now();
    within(Duration::from_secs(10), "the Blender is gone", async || {
        (!blenders.iter().any(farmhand_tests::is_alive)).then_some(())
    })
    .await;
    let took = told.elapsed();
    assert!(took < Duration::from_millis(2500), "it took {took:?}");
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Cancelled);
    nothing_is_left(&farm, &marker).await;
}
