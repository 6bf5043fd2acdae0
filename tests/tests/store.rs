//! A farm's data folder can be checked and copied while the farm runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use farmhand_protocol::farm::JobState;
use farmhand_tests::{AgentPlan, Blender, Farm, FarmPlan, Said, Scene, build_path};

async fn farm() -> Farm {
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    let agent = AgentPlan {
        more: vec!["--blender".to_owned(), stand_in],
        ..AgentPlan::default()
    };
    Farm::start(FarmPlan {
        agents: vec![agent],
        ..FarmPlan::default()
    })
    .await
}

fn fsck(farm: &Farm, data: &Path) -> Said {
    farm.farmhand(["fsck", "--data", data.to_str().unwrap()])
}

#[tokio::test]
async fn fsck_finds_what_became_of_delivered_pictures_while_the_farm_runs() {
    let farm = farm().await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let job = farm.ended(farm.submit(&scene, "1-6", &[])).await.job;
    let well = fsck(&farm, &farm.data());
    assert_eq!(well.code, Some(0), "{}", well.all());
    assert!(
        well.out.contains("1 jobs, 6 delivered frames, 6 files"),
        "{}",
        well.out
    );

    let output = Path::new(&job.output);
    std::fs::remove_file(output.join("basic_0002.png")).unwrap();
    std::fs::write(output.join("basic_0004.png"), "something else").unwrap();
    let ill = fsck(&farm, &farm.data());
    assert_eq!(ill.code, Some(1), "{}", ill.all());
    for words in [
        "basic_0002.png cannot be read",
        "basic_0004.png is not what was delivered",
    ] {
        assert!(ill.out.contains(words), "{}", ill.all());
    }
    assert!(ill.err.contains("2 things"), "{}", ill.err);
}

#[tokio::test]
async fn a_backup_of_a_running_farm_goes_on_from_where_it_was() {
    let mut farm = farm().await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let first = farm.ended(farm.submit(&scene, "1-4", &[])).await.job;
    let copy = farm.folder().join("copy");
    let backup = || {
        farm.farmhand([
            "backup",
            "--data",
            farm.data().to_str().unwrap(),
            copy.to_str().unwrap(),
        ])
    };
    assert_eq!(backup().code, Some(0));
    farm.ended(farm.submit(&scene, "5-8", &[])).await;
    let again = backup();
    assert_eq!(again.code, Some(0), "{}", again.all());
    assert!(again.out.contains("0 new scene files"), "{}", again.out);
    assert_eq!(fsck(&farm, &copy).code, Some(0));

    // The original is gone; the copy takes its place and goes on.
    farm.orchestrator.kill_nine();
    std::fs::remove_dir_all(farm.data()).unwrap();
    std::fs::rename(&copy, farm.data()).unwrap();
    farm.restart_orchestrator().await;
    let jobs = farm.client.jobs().await.unwrap();
    assert_eq!(jobs.len(), 2);
    assert!(
        jobs.iter()
            .any(|job| job.id == first.id && job.state == JobState::Completed)
    );
    let more = farm.ended(farm.submit(&scene, "9-12", &[])).await.job;
    assert_eq!(more.state, JobState::Completed);
    assert!(more.id > jobs.iter().map(|job| job.id).max().unwrap());
}
