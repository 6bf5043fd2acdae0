//! What is kept, and what goes: history within its size, scenes that no job has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{FakeAgent, Farm, job, until};
use farmhand_orchestrator::Bounds;
use farmhand_protocol::BlobHash;
use farmhand_protocol::farm::{FarmView, JobState, JobView, Page};
use reqwest::StatusCode;
use rusqlite::Connection;

/// Bounds under which everything that may go does, at once.
fn tight() -> Bounds {
    Bounds {
        history_bytes: 1,
        unused_scenes: Duration::ZERO,
        look_every: Duration::from_millis(50),
        sweep_every: Duration::from_millis(50),
    }
}

/// A farm whose next start is under tight bounds once the switch is set.
async fn farm(nodes: &[&String], with: fn(&mut Bounds)) -> (Farm, Arc<AtomicBool>) {
    let nodes: Vec<String> = nodes.iter().map(|node| (*node).clone()).collect();
    let switch = Arc::new(AtomicBool::new(false));
    let is_tight = switch.clone();
    let farm = Farm::start_with(move |config| {
        config.nodes.clone_from(&nodes);
        if is_tight.load(Ordering::SeqCst) {
            config.bounds = tight();
            with(&mut config.bounds);
        }
    })
    .await;
    (farm, switch)
}

fn delivered_files(farm: &Farm) -> i64 {
    let db = Connection::open(farm.data().join("farm.db")).unwrap();
    db.query_row("SELECT count(*) FROM delivered", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_jobs_go_when_history_is_full_and_their_pictures_stay() {
    let (_agent, address) = FakeAgent::start().await;
    let (mut farm, is_full) = farm(&[&address], |_| ()).await;
    let ended = farm.submit("castle", "1-6").await;
    assert_eq!(farm.end_of(&ended).await, JobState::Completed);
    let pictures = farm.files("castle");
    assert_eq!(delivered_files(&farm), 12);
    let scene = farm.upload().await;
    let mut waiting = job("tower", "1-3", scene);
    waiting["tags"] = serde_json::json!(["nobody-has-this"]);
    assert_eq!(farm.post("/v1/jobs", waiting).await.status(), StatusCode::CREATED);

    is_full.store(true, Ordering::SeqCst);
    farm.shutdown().await;
    farm.start_again().await.unwrap();
    until(
        "the ended job is forgotten, and its files in the journal",
        async || {
            let jobs: Page<JobView> = farm.get("/v1/jobs").await;
            let names: Vec<&str> = jobs.items.iter().map(|job| job.name.as_str()).collect();
            names == ["tower"] && delivered_files(&farm) == 0
        },
    )
    .await;
    assert_eq!(farm.files("castle"), pictures);
    let view: FarmView = farm.get("/v1/farm").await;
    let told = |note: &str| note.contains("the oldest ended job is forgotten");
    assert!(view.notes.iter().any(|note| told(&note.text)), "{:?}", view.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_scenes_that_no_job_has_go_and_those_of_jobs_stay() {
    let (_agent, address) = FakeAgent::start().await;
    let (mut farm, is_tight) = farm(&[&address], |bounds| bounds.history_bytes = u64::MAX).await;
    let kept = farm.submit("castle", "1-2").await;
    assert_eq!(farm.end_of(&kept).await, JobState::Completed);
    let unused = BlobHash::of(b"nobody's");
    let put = farm.http.put(farm.url(&format!("/v1/blobs/{unused}")));
    assert_eq!(
        put.body("nobody's").send().await.unwrap().status(),
        StatusCode::CREATED
    );
    let has = |farm: &Farm, hash: BlobHash| {
        let path = farm
            .data()
            .join("blobs")
            .join(&hash.to_string()[..2])
            .join(hash.to_string());
        path.exists()
    };

    is_tight.store(true, Ordering::SeqCst);
    farm.shutdown().await;
    farm.start_again().await.unwrap();
    until("the unused file is gone", async || !has(&farm, unused)).await;
    for file in ["BLENDER shot", "wood"] {
        assert!(has(&farm, BlobHash::of(file.as_bytes())), "{file}");
    }
    let gone = farm
        .http
        .delete(farm.url(&format!("/v1/jobs/{kept}")))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    until("the scene of the forgotten job is gone", async || {
        !has(&farm, BlobHash::of(b"wood")) && !has(&farm, BlobHash::of(b"BLENDER shot"))
    })
    .await;
}
