//! What cannot be rendered ends failed, with words that say what to do, and disturbs nobody.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use farmhand_protocol::farm::{JobDetail, JobState};
use farmhand_protocol::{FailureKind, JobId};
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, eventually, pictures_in, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

async fn two_agents() -> (Farm, PathBuf) {
    let farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let scenes = farm.folder().join("scenes");
    std::fs::create_dir_all(&scenes).unwrap();
    (farm, scenes)
}

/// The job fails for this reason, in these words, and `farmhand job` tells both.
async fn must_fail(farm: &Farm, id: JobId, kind: FailureKind, word: &str) -> JobDetail {
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Failed, "{ended:?}");
    let attempt = ended.attempts.first().expect("a failed job has a failed attempt");
    assert_eq!(attempt.failure.kind, kind, "{:?}", attempt.failure);
    let reason = ended
        .job
        .reason
        .clone()
        .expect("a failed job says why")
        .to_lowercase();
    assert!(reason.contains(word), "{reason:?} does not name {word:?}");
    let said = farm.farmhand(["job", &id.to_string()]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(said.out.to_lowercase().contains(word), "{}", said.out);
    if let Some(line) = attempt.failure.log.last() {
        let line = line.trim();
        assert!(
            said.out.contains(line),
            "the log's end is not shown: {}",
            said.out
        );
    }
    assert!(pictures_in(Path::new(&ended.job.output)).is_empty());
    ended
}

#[tokio::test]
async fn a_damaged_scene_fails_on_two_nodes_and_no_more() {
    let (farm, scenes) = two_agents().await;
    let whole = std::fs::read(Scene::BASIC.make(Blender::Executable, &scenes)).unwrap();
    let random: Vec<u8> = (0_u32..50_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let damaged: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("random", &random),
        ("truncated", &whole[..whole.len() / 2]),
        ("text", b"not a scene at all\n"),
    ];
    let mut jobs = Vec::new();
    for (name, content) in damaged {
        let file = scenes.join(format!("{name}.blend"));
        std::fs::write(&file, content).unwrap();
        jobs.push(farm.submit_unseen(&file, "1-20").await);
    }
    for id in jobs {
        let ended = must_fail(&farm, id, FailureKind::SceneUnreadable, "blend").await;
        assert_eq!(ended.job.counts.failed, 20);
        let tries: Vec<_> = ended.attempts.iter().map(|attempt| attempt.node).collect();
        assert!(tries.len() <= 2, "{} attempts", tries.len());
        assert!(tries.len() < 2 || tries[0] != tries[1], "both on one node");
    }
}

#[tokio::test]
async fn a_scene_that_is_not_there_is_refused_before_anything_is_sent() {
    let (farm, scenes) = two_agents().await;
    let said = farm.farmhand([
        "submit",
        scenes.join("lost.blend").to_str().unwrap(),
        "--frames",
        "1-2",
    ]);
    assert_ne!(said.code, Some(0));
    assert!(said.last_line().contains("lost.blend"), "{}", said.all());
    assert!(farm.client.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_this_blender_cannot_do_fails_in_words_while_other_jobs_go_on() {
    let (farm, scenes) = two_agents().await;
    let submit = |scene: Scene| farm.submit(&scene.make(Blender::Executable, &scenes), "1-4", &[]);
    let unseen = async |scene: Scene| {
        farm.submit_unseen(&scene.make(Blender::Executable, &scenes), "1-4")
            .await
    };
    let good = farm.submit(&Scene::STEADY.make(Blender::Executable, &scenes), "1-12", &[]);
    let cases = [
        (submit(Scene::NO_CAMERA), FailureKind::NoCamera, "camera"),
        (
            unseen(Scene::MISSING_TEXTURE).await,
            FailureKind::MissingFiles,
            "lost.png",
        ),
        (
            unseen(Scene::MISSING_LIBRARY).await,
            FailureKind::MissingFiles,
            "lost.blend",
        ),
        (submit(Scene::GPU), FailureKind::DeviceMissing, "gpu"),
        (submit(Scene::DENOISED), FailureKind::DenoiserMissing, "denois"),
        (submit(Scene::SCRIPTED), FailureKind::BlockedScripts, "script"),
    ];
    for (id, kind, word) in cases {
        must_fail(&farm, id, kind, word).await;
    }
    let good = farm.ended(good).await;
    assert_eq!(good.job.state, JobState::Completed, "{:?}", good.job.reason);
    assert_eq!(pictures_in(Path::new(&good.job.output)).len(), 12);
}

#[tokio::test]
async fn each_switch_lets_a_job_go_on_all_the_same() {
    let (farm, scenes) = two_agents().await;
    let cases = [
        (Scene::MISSING_TEXTURE, "--allow-missing"),
        (Scene::MISSING_LIBRARY, "--allow-missing"),
        (Scene::GPU, "--allow-cpu"),
        (Scene::DENOISED, "--no-denoise"),
        (Scene::SCRIPTED, "--allow-blocked-scripts"),
    ];
    let jobs: Vec<_> = cases
        .iter()
        .map(|(scene, switch)| farm.submit(&scene.make(Blender::Executable, &scenes), "1-2", &[switch]))
        .collect();
    for (id, (_, switch)) in jobs.into_iter().zip(cases) {
        let ended = farm.ended(id).await;
        assert_eq!(
            ended.job.state,
            JobState::Completed,
            "{switch}: {:?}",
            ended.job.reason
        );
    }
}

#[tokio::test]
async fn the_official_bpy_denoises() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Module)).await;
    let scene = Scene::DENOISED.make(Blender::Module, &farm.folder().join("scenes"));
    let ended = farm.ended(farm.submit(&scene, "1-2", &[])).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
}

#[tokio::test]
async fn a_frame_whose_blender_dies_three_times_fails_and_the_others_are_delivered() {
    let (farm, scenes) = two_agents().await;
    let id = farm.submit(&Scene::SLOW_THIRD.make(Blender::Executable, &scenes), "1-6", &[]);
    for _ in 0..3 {
        let victim = eventually("an agent renders frame 3", async || {
            for agent in &farm.agents {
                let batches = agent.batches().await;
                let mut rendering = batches.iter().filter_map(|batch| batch.rendering);
                if rendering.any(|frame| frame.get() == 3) {
                    return agent.blenders().into_iter().next();
                }
            }
            None
        })
        .await;
        kill(Pid::from_raw(victim.pid), Signal::SIGKILL).unwrap();
        within(Duration::from_secs(10), "the death is noticed", async || {
            (!farmhand_tests::is_alive(&victim)).then_some(())
        })
        .await;
    }
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Failed);
    assert_eq!((ended.job.counts.delivered, ended.job.counts.failed), (5, 1));
    assert_eq!(ended.attempts.len(), 3, "{:?}", ended.attempts);
    for attempt in &ended.attempts {
        assert_eq!(attempt.frame.get(), 3);
        assert_eq!(attempt.failure.kind, FailureKind::BlenderKilled);
    }
    assert_eq!(pictures_in(Path::new(&ended.job.output)).len(), 5);
}

#[tokio::test]
async fn submit_with_wait_ends_with_an_error_and_the_reason_on_its_last_line() {
    let (farm, scenes) = two_agents().await;
    let scene = Scene::NO_CAMERA.make(Blender::Executable, &scenes);
    let said = farm.farmhand(["submit", scene.to_str().unwrap(), "--frames", "1-2", "--wait"]);
    assert_ne!(said.code, Some(0));
    assert!(said.last_line().contains("camera"), "{}", said.all());
}
