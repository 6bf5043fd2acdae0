//! Submitting from another machine, and where pictures may and may not go.

use std::os::unix::fs::symlink;
use std::path::Path;

use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, pictures_in};

#[tokio::test]
async fn frames_come_to_the_disk_of_who_submitted() {
    let farm = Farm::start(FarmPlan::agents(2, Blender::Executable)).await;
    let scene = Scene::TEXTURED.make(Blender::Executable, &farm.folder().join("scenes"));
    let home = farm.folder().join("elsewhere/frames");
    let said = farm.farmhand([
        "submit".as_ref(),
        scene.as_os_str(),
        "--frames".as_ref(),
        "1-6".as_ref(),
        "--with".as_ref(),
        scene.parent().unwrap().join("textures").as_os_str(),
        "--download".as_ref(),
        home.as_os_str(),
    ]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let fetched = pictures_in(&home);
    assert_eq!(fetched.len(), 6, "{:?}", fetched.keys());
    let jobs = farm.client.jobs().await.expect("the farm lists its jobs");
    assert_eq!(fetched, pictures_in(Path::new(&jobs[0].output)));

    // And later, as often as one likes.
    let again = farm.folder().join("elsewhere/again");
    let id = jobs[0].id.to_string();
    for _ in 0..2 {
        let said = farm.farmhand(["fetch", &id, again.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}", said.all());
        assert_eq!(pictures_in(&again), fetched);
    }
}

#[tokio::test]
async fn no_output_folder_leaves_the_allowed_roots() {
    let mut plan = FarmPlan::agents(1, Blender::Executable);
    let allowed = tempfile::tempdir().unwrap();
    plan.more = vec!["--allow-output".into(), allowed.path().display().to_string()];
    let farm = Farm::start(plan).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(farm.output()).unwrap();
    symlink(outside.path(), farm.output().join("sly")).unwrap();
    symlink(outside.path(), allowed.path().join("sly")).unwrap();

    let scene = scene.to_str().unwrap();
    for output in [
        outside.path().to_str().unwrap().to_owned(),
        "/".into(),
        "/etc".into(),
        "..".into(),
        "../beside".into(),
        "a/../../beside".into(),
        "sly".into(),
        "sly/deeper".into(),
        format!("{}/sly", allowed.path().display()),
        format!("{}/../beside", allowed.path().display()),
        format!("{}beside", allowed.path().display()),
    ] {
        let said = farm.farmhand(["submit", scene, "--frames", "1", "--output", &output]);
        assert_ne!(said.code, Some(0), "{output} was taken");
        assert!(!said.last_line().is_empty(), "{output}");
    }
    for name in ["..", "a/b", ".", ""] {
        let said = farm.farmhand(["submit", scene, "--frames", "1", "--name", name]);
        assert_ne!(said.code, Some(0), "the name {name:?} was taken");
    }
    assert!(
        farm.client
            .jobs()
            .await
            .expect("the farm lists its jobs")
            .is_empty()
    );
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);

    for output in [
        "shots/one".to_owned(),
        allowed.path().join("two").display().to_string(),
        farm.output().join("three").display().to_string(),
    ] {
        let id = farm.submit(Path::new(scene), "1", &["--output", &output]);
        let ended = farm.ended(id).await;
        assert_eq!(
            ended.job.state,
            JobState::Completed,
            "{output}: {:?}",
            ended.job.reason
        );
        assert!(ended.job.output.ends_with(&output), "{}", ended.job.output);
        assert_eq!(pictures_in(Path::new(&ended.job.output)).len(), 1);
    }
}

#[tokio::test]
async fn pictures_that_are_there_are_refused_skipped_replaced_or_kept_as_asked() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let submit = |frames: &str, more: &[&str]| {
        let mut all = vec!["--output", "shot", "--name", "shot"];
        all.extend(more);
        farm.submit(&scene, frames, &all)
    };
    farm.ended(submit("1-3", &[])).await;

    let refused = farm.farmhand([
        "submit",
        scene.to_str().unwrap(),
        "--frames",
        "1-4",
        "--output",
        "shot",
        "--name",
        "shot",
    ]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.all().contains("--existing"), "{}", refused.all());

    let skipped = farm.ended(submit("1-4", &["--existing", "skip"])).await;
    assert_eq!(skipped.job.state, JobState::Completed);
    assert_eq!(skipped.job.skipped.to_string(), "1-3");
    assert_eq!(skipped.job.frames.to_string(), "4");

    let replaced = farm.ended(submit("2-3", &["--existing", "overwrite"])).await;
    assert_eq!(replaced.job.counts.delivered, 2);

    let new = farm.ended(submit("1-2", &["--existing", "new"])).await;
    assert_eq!(new.job.state, JobState::Completed);
    assert_ne!(new.job.output, replaced.job.output);
    assert_eq!(pictures_in(&farm.output().join("shot")).len(), 4);
    assert_eq!(pictures_in(Path::new(&new.job.output)).len(), 2);
}

#[tokio::test]
async fn a_job_without_an_output_folder_gets_one_of_its_own() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let mut folders = Vec::new();
    for _ in 0..3 {
        let ended = farm.ended(farm.submit(&scene, "1", &[])).await;
        assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
        folders.push(ended.job.output);
    }
    let root = farm.output();
    let expected = ["basic", "basic-2", "basic-3"].map(|name| root.join(name).display().to_string());
    assert_eq!(folders, expected);
    assert_eq!(
        pictures_in(&root.join("basic")).keys().collect::<Vec<_>>(),
        ["basic_0001.png"]
    );
}

#[tokio::test]
async fn only_jobs_that_have_ended_are_forgotten_and_their_pictures_stay() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let ended = farm.ended(farm.submit(&scene, "1", &[])).await.job;
    let waiting = farm.submit(&scene, "2", &["--tag", "nobody-has-this", "--name", "later"]);
    let said = farm.farmhand(["forget", &ended.id.to_string(), &waiting.to_string()]);
    assert_eq!(said.code, Some(1), "{}", said.all());
    assert!(
        said.out.contains(&format!("{} is forgotten", ended.id)),
        "{}",
        said.all()
    );
    assert!(said.err.contains("cancel it first"), "{}", said.all());
    let left: Vec<JobId> = farm
        .client
        .jobs()
        .await
        .expect("the farm lists its jobs")
        .iter()
        .map(|job| job.id)
        .collect();
    assert_eq!(left, [waiting]);
    assert_eq!(pictures_in(Path::new(&ended.output)).len(), 1);
}
