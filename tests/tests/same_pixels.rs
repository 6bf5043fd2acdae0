//! Names and pixels are those that Blender alone would have written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use farmhand_protocol::BlenderVersion;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, pictures_in};

/// Renders `frames` as one job into the folder `all` and waits for it.
async fn render(farm: &Farm, scene: &Path, frames: &str) {
    let more = ["--output", "all", "--name", "scene", "--existing", "overwrite"];
    let id = farm.submit(scene, frames, &more);
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
}

/// Names and pixels of two folders are the same.
fn must_be_equal(ours: &Path, alone: &Path, count: usize) {
    let (ours, alone) = (pictures_in(ours), pictures_in(alone));
    assert_eq!(ours.keys().collect::<Vec<_>>(), alone.keys().collect::<Vec<_>>());
    assert_eq!(ours.len(), count);
    let mut different = ours
        .iter()
        .zip(&alone)
        .filter(|((_, ours), (_, alone))| ours != alone);
    assert!(different.next().is_none(), "pixels differ");
    let mut pictures = ours.values();
    let first = pictures.next().expect("there are pictures");
    assert!(
        !first.is_blank() && pictures.all(|picture| picture != first),
        "the scene moves"
    );
}

async fn a_warm_blender_renders_the_same(blender: Blender) {
    let farm = Farm::start(FarmPlan::agents(1, blender)).await;
    let scene = Scene::ANIMATED.make(blender, &farm.folder().join("scenes"));
    // One Blender, kept warm from job to job, out of order.
    for frames in ["5-8", "1-4", "12", "9-11"] {
        render(&farm, &scene, frames).await;
    }
    let alone = farm.folder().join("alone");
    blender.render_alone(&scene, 1, 12, &alone, "scene");
    must_be_equal(&farm.output().join("all"), &alone, 12);

    // Frames below zero, which no command line can ask for.
    let scene_below = farm.folder().join("scenes/below.blend");
    std::fs::copy(&scene, &scene_below).unwrap();
    let id = farm.submit(&scene_below, "-3-0", &["--output", "below", "--name", "scene"]);
    assert_eq!(farm.ended(id).await.job.state, JobState::Completed);
    let alone = farm.folder().join("alone-below");
    blender.render_by_frame_set(&scene, -3, 0, &alone, "scene");
    must_be_equal(&farm.output().join("below"), &alone, 4);
}

#[tokio::test]
async fn a_warm_blender_3_4_renders_the_pixels_of_blender_alone() {
    a_warm_blender_renders_the_same(Blender::Executable).await;
}

#[tokio::test]
async fn a_warm_bpy_5_0_renders_the_pixels_of_blender_alone() {
    a_warm_blender_renders_the_same(Blender::Module).await;
}

#[tokio::test]
async fn frames_of_several_agents_are_those_of_one_blender() {
    let farm = Farm::start(FarmPlan::agents(3, Blender::Executable)).await;
    let scene = Scene::ANIMATED.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-12", &["--batch-size", "2", "--name", "scene"]);
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    let alone = farm.folder().join("alone");
    Blender::Executable.render_alone(&scene, 1, 12, &alone, "scene");
    must_be_equal(Path::new(&ended.job.output), &alone, 12);
}

#[tokio::test]
async fn both_blenders_side_by_side_render_a_scene_with_its_own() {
    let mut plan = FarmPlan::agents(1, Blender::Module);
    plan.agents[0].blenders.push(Blender::Executable);
    let farm = Farm::start(plan).await;
    let node = farm.agents[0].until_probed().await;
    assert_eq!(node.engines.len(), 2, "{:?}", node.engines);
    for (blender, series) in [(Blender::Executable, (3, 4)), (Blender::Module, (5, 0))] {
        let folder = farm.folder().join(format!("{blender:?}"));
        let scene = Scene::BASIC.make(blender, &folder);
        let id = farm.submit(&scene, "1-2", &["--name", &format!("by-{blender:?}")]);
        let ended = farm.ended(id).await;
        assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
        assert_eq!(ended.job.blender.map(BlenderVersion::series), Some(series));
    }
}
