//! Whatever dies, the job ends with every frame delivered once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use farmhand_protocol::farm::{BatchState, JobDetail, JobState};
use farmhand_protocol::{BatchId, FrameSet, JobId};
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, build_path, eventually, is_alive, pictures_in, within};

/// Name, inode and time of last change of every file of a folder: what a second delivery would change.
fn identities(folder: &Path) -> BTreeSet<(String, u64, SystemTime)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "png")
        })
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, metadata.ino(), metadata.modified().unwrap())
        })
        .collect()
}

async fn until_delivered(farm: &Farm, id: JobId, count: u32) -> JobDetail {
    eventually(&format!("{count} frames are delivered"), async || {
        let detail = farm.job(id).await;
        (detail.job.counts.delivered >= count).then_some(detail)
    })
    .await
}

/// Every frame is delivered in exactly one batch, and all pictures are there.
fn must_be_delivered_once(detail: &JobDetail, frames: &str) {
    assert_eq!(detail.job.state, JobState::Completed, "{:?}", detail.job.reason);
    let asked: FrameSet = frames.parse().unwrap();
    let mut seen = FrameSet::default();
    for batch in &detail.batches {
        let twice = seen.intersection(&batch.delivered);
        assert!(twice.is_empty(), "frames {twice} were delivered twice");
        seen = seen.union(&batch.delivered);
    }
    assert_eq!(seen, asked);
    let pictures = pictures_in(Path::new(&detail.job.output));
    assert_eq!(pictures.len(), asked.len() as usize, "{:?}", pictures.keys());
}

#[tokio::test]
async fn a_killed_orchestrator_comes_back_and_adopts_what_its_agents_run() {
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let scene = Scene::STEADY.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-30", &[]);
    let before = until_delivered(&farm, id, 4).await;
    let blenders: Vec<_> = farm
        .agents
        .iter()
        .flat_map(farmhand_tests::Agent::blenders)
        .collect();
    assert!(!blenders.is_empty(), "agents render");

    farm.orchestrator.kill_nine();
    let delivered = identities(Path::new(&before.job.output));
    // Agents go on without it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    farm.restart_orchestrator().await;

    let after = farm.ended(id).await;
    must_be_delivered_once(&after, "1-30");
    let now = identities(Path::new(&after.job.output));
    assert!(delivered.is_subset(&now), "a delivered picture was written again");
    assert_eq!(after.job.id, id);
    assert!(after.attempts.is_empty(), "nothing failed: {:?}", after.attempts);
    for batch in &after.batches {
        assert_ne!(batch.state, BatchState::Lost, "{} was given up", batch.id);
    }
    let known: BTreeSet<BatchId> = before.batches.iter().map(|batch| batch.id).collect();
    let ids: BTreeSet<BatchId> = after.batches.iter().map(|batch| batch.id).collect();
    assert!(known.is_subset(&ids));
    // The Blenders that ran then rendered on: adopted, not started anew.
    assert!(blenders.iter().all(is_alive), "a Blender was restarted");
}

/// How long the farm is away in the next test, in seconds; longer than a lease by hand.
fn away() -> Duration {
    let seconds = std::env::var("FARMHAND_TEST_AWAY").ok();
    Duration::from_secs(seconds.map_or(6, |seconds| seconds.parse().unwrap()))
}

#[tokio::test]
async fn frames_that_agents_render_while_the_farm_is_away_are_delivered_and_rendered_once() {
    const FRAME_MS: u64 = 250;
    let mut plan = FarmPlan::agents(2, Blender::Executable);
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    let records = tempfile::tempdir().unwrap();
    let record = |number: usize| records.path().join(number.to_string());
    for (number, agent) in plan.agents.iter_mut().enumerate() {
        agent.blenders.clear();
        agent.more = vec!["--blender".to_owned(), stand_in.clone()];
        agent.environment = vec![
            ("STAND_IN_MS".to_owned(), FRAME_MS.to_string()),
            ("STAND_IN_RECORD".to_owned(), record(number).display().to_string()),
        ];
    }
    let begun = |number: usize| -> Vec<String> {
        let text = std::fs::read_to_string(record(number)).unwrap_or_default();
        let frames = text.lines().filter_map(|line| line.rsplit(' ').next());
        frames.map(str::to_owned).collect()
    };
    let mut farm = Farm::start(plan).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    // More than both can render meanwhile.
    let each = u64::try_from(away().as_millis()).unwrap() / FRAME_MS + 8;
    let frames = format!("1-{}", 2 * each);
    let id = farm.submit(&scene, &frames, &["--batch-size", &each.to_string()]);
    eventually("both agents render", async || {
        [0, 1]
            .iter()
            .all(|number| begun(*number).len() >= 2)
            .then_some(())
    })
    .await;

    farm.orchestrator.kill_nine();
    let before = [0, 1].map(|number| begun(number).len());
    tokio::time::sleep(away()).await;
    let after = [0, 1].map(|number| begun(number).len());
    farm.restart_orchestrator().await;
    let detail = farm.ended(id).await;
    must_be_delivered_once(&detail, &frames);
    for number in [0, 1] {
        assert!(
            after[number] > before[number] + 4,
            "agent {number} idled: {before:?} {after:?}"
        );
    }
    let mut all: Vec<String> = [0, 1].iter().flat_map(|number| begun(*number)).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(
        (all.len(), count as u64),
        (count, 2 * each),
        "a frame was rendered twice"
    );
    assert!(detail.attempts.is_empty(), "{:?}", detail.attempts);
}

#[tokio::test]
async fn an_orchestrator_that_is_killed_again_and_again_still_finishes() {
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let scene = Scene::STEADY.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-24", &["--batch-size", "2"]);
    for kill in 0..4 {
        tokio::time::sleep(Duration::from_millis(700 + 300 * kill)).await;
        farm.orchestrator.kill_nine();
        farm.restart_orchestrator().await;
    }
    must_be_delivered_once(&farm.ended(id).await, "1-24");
}

#[tokio::test]
async fn a_killed_agent_takes_its_blender_along_and_its_frames_go_elsewhere() {
    let mut farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let scene = Scene::STEADY.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-20", &[]);
    until_delivered(&farm, id, 2).await;
    let blenders = eventually("the agent renders", async || {
        let blenders = farm.agents[1].blenders();
        (!blenders.is_empty()).then_some(blenders)
    })
    .await;

    farm.agents[1].program.kill_nine();
    within(
        Duration::from_secs(2),
        "the killed agent's Blender is gone",
        async || (!blenders.iter().any(is_alive)).then_some(()),
    )
    .await;
    must_be_delivered_once(&farm.ended(id).await, "1-20");
}

#[tokio::test]
async fn an_agent_that_comes_back_gives_up_nothing_it_had_finished() {
    let mut farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::STEADY.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-12", &[]);
    until_delivered(&farm, id, 2).await;
    farm.restart_agent(0).await;
    must_be_delivered_once(&farm.ended(id).await, "1-12");
}

#[tokio::test]
async fn a_cancelled_batch_stops_its_frame_and_a_retry_renders_it() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::STEADY.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-10", &["--batch-size", "10"]);
    let detail = until_delivered(&farm, id, 2).await;
    let batch = detail.batches[0].id.to_string();
    assert_eq!(farm.farmhand(["cancel", &batch]).code, Some(0));
    let cancelled = farm.ended(id).await;
    assert_eq!(cancelled.job.state, JobState::Cancelled);
    assert!(cancelled.job.counts.cancelled > 0 && cancelled.job.counts.delivered >= 2);
    within(Duration::from_secs(10), "the agent has stopped", async || {
        let batches = farm.agents[0].batches().await;
        batches.iter().all(|batch| batch.phase.has_ended()).then_some(())
    })
    .await;
    assert_eq!(farm.farmhand(["retry", &id.to_string()]).code, Some(0));
    must_be_delivered_once(&farm.ended(id).await, "1-10");
}
