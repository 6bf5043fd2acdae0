//! Scenes whose files lie all over their author's disk arrive whole on nodes that have none of them, and scenes on
//! shared storage are used where they lie.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use farmhand_protocol::FailureKind;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    Agent, AgentPlan, Blender, Farm, FarmPlan, Scene, eventually, make_project, pictures_in,
};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// The project is taken away after it was submitted, so that no node finds a file where its author had it.
async fn a_project_arrives_whole(blender: Blender) {
    let mut farm = Farm::start(FarmPlan::default()).await;
    let project = farm.folder().join("project");
    let shot = make_project(blender, &project);
    let before: Vec<_> = files_below(&project);
    assert_eq!(before.len(), 200);
    let bytes = std::fs::read(&shot).unwrap();
    let alone = farm.folder().join("alone");
    blender.render_alone(&shot, 1, 4, &alone, "shot");

    let id = farm.submit(&shot, "1-4", &["--batch-size", "2", "--name", "shot"]);
    assert_eq!(std::fs::read(&shot).unwrap(), bytes, "the .blend was changed");
    std::fs::rename(&project, farm.folder().join("taken-away")).unwrap();
    for name in ["one", "two"] {
        let agent = Agent::start(farm.folder(), name, AgentPlan::with(blender)).await;
        assert_eq!(farm.farmhand(["nodes", "--add", &agent.address]).code, Some(0));
        farm.agents.push(agent);
    }
    let ended = farm.ended(id).await;
    assert_eq!(
        ended.job.state,
        JobState::Completed,
        "{:?} {:?}",
        ended.job.reason,
        ended.attempts
    );
    let (ours, theirs) = (pictures_in(Path::new(&ended.job.output)), pictures_in(&alone));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    assert_eq!(ours.len(), 4);
    assert!(ours == theirs, "pixels differ");
    assert!(
        ours["shot_0001.png"] != ours["shot_0002.png"],
        "the image sequence does not move"
    );
}

#[tokio::test]
async fn a_project_of_200_files_arrives_whole_at_blender_3_4() {
    a_project_arrives_whole(Blender::Executable).await;
}

#[tokio::test]
async fn a_project_of_200_files_arrives_whole_at_bpy_5_0() {
    a_project_arrives_whole(Blender::Module).await;
}

#[tokio::test]
async fn a_shared_scene_is_rendered_where_it_lies_and_a_node_without_it_says_so() {
    let mut farm = Farm::start(FarmPlan::default()).await;
    let theirs = farm.folder().join("their-mount");
    let ours = farm.folder().join("our-mount");
    let scene = Scene::TEXTURED.make(Blender::Executable, &theirs);
    let id = farm.submit(&scene, "1-2", &["--shared", "--name", "shared"]);
    let blobs = files_below(&farm.data().join("blobs"));
    assert_eq!(blobs.len(), 1, "more than the manifest was sent: {blobs:?}");
    std::fs::rename(&theirs, &ours).unwrap();

    let lost = Agent::start(farm.folder(), "lost", AgentPlan::with(Blender::Executable)).await;
    assert_eq!(farm.farmhand(["nodes", "--add", &lost.address]).code, Some(0));
    farm.agents.push(lost);
    let failure = eventually("the node says what it lacks", async || {
        let detail = farm.job(id).await;
        detail.attempts.first().map(|attempt| attempt.failure.clone())
    })
    .await;
    assert_eq!(failure.kind, FailureKind::SharedPathMissing, "{failure:?}");
    assert!(
        failure.message.contains("their-mount/textured.blend"),
        "{failure:?}"
    );

    let map = format!("{}={}", theirs.display(), ours.display());
    let plan = AgentPlan {
        more: vec!["--path-map".to_owned(), map],
        ..AgentPlan::with(Blender::Executable)
    };
    let agent = Agent::start(farm.folder(), "mapped", plan).await;
    assert_eq!(farm.farmhand(["nodes", "--add", &agent.address]).code, Some(0));
    farm.agents.push(agent);
    let ended = farm.ended(id).await;
    if ended.job.state != JobState::Completed {
        assert_eq!(farm.farmhand(["retry", &id.to_string()]).code, Some(0));
    }
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    assert_eq!(pictures_in(Path::new(&ended.job.output)).len(), 2);
}
