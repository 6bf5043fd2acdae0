//! Who gets which frames, and what people are told about it.

use farmhand_engine::{Command, Event};
use farmhand_protocol::Device;
use farmhand_protocol::agent::EngineInfo;
use farmhand_protocol::farm::JobState;

use crate::world::World;

fn engine(version: &str) -> EngineInfo {
    EngineInfo {
        version: version.parse().unwrap(),
        path: String::new(),
        devices: vec![Device::Cpu],
        denoiser: true,
    }
}

fn reason(world: &World, job: farmhand_protocol::JobId) -> String {
    world
        .farm
        .job_view(job, world.now())
        .unwrap()
        .reason
        .unwrap_or_default()
}

#[test]
fn a_node_gets_a_batch_for_each_slot_and_the_next_one_when_it_renders_its_last_frame() {
    let mut world = World::new(0);
    world.add_agent();
    world.connect_with(0, |info| info.slots = 2);
    let job = world.submit("1-40");
    assert_eq!(world.on(0, job), ["1-5", "6-10"]);
    for _ in 0..3 {
        world.work(0);
        while world.deliver_mail() {}
    }
    assert_eq!(
        world.on(0, job).len(),
        2,
        "two frames are left of the first batch"
    );
    world.work(0);
    while world.deliver_mail() {}
    assert_eq!(world.on(0, job), ["1-5", "6-10", "11-15"]);
}

#[test]
fn the_last_frames_are_spread_over_all_slots() {
    let mut world = World::new(3); // 1, 2 and 1 slots.
    let job = world.submit("1-4");
    let held: Vec<usize> = (0..3).map(|n| world.on(n, job).len()).collect();
    assert_eq!(held, [1, 2, 1]);
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_batch_size_that_was_asked_for_is_kept() {
    let mut world = World::new(1);
    let job = world.submit_with("1-10", |spec| spec.batch_size = Some(7));
    assert_eq!(world.on(0, job), ["1-7"]);
}

#[test]
fn a_higher_priority_goes_first_and_age_decides_among_equals() {
    let mut world = World::new(1);
    world
        .tell(Event::Command(Command::Drain {
            node: crate::world::node(0),
            now: false,
        }))
        .unwrap();
    let old = world.submit("1-9");
    let young = world.submit("1-9");
    let urgent = world.submit_with("1-9", |spec| spec.priority = 1);
    assert_eq!(reason(&world, old), "every node is drained");
    world
        .tell(Event::Command(Command::Undrain(crate::world::node(0))))
        .unwrap();
    assert_eq!((world.on(0, urgent).len(), world.on(0, old).len()), (1, 0));
    world
        .tell(Event::Command(Command::CancelJob {
            job: urgent,
            frames: None,
        }))
        .unwrap();
    assert_eq!((world.on(0, old).len(), world.on(0, young).len()), (1, 0));
}

#[test]
fn all_frames_of_a_job_use_the_scenes_own_blender_or_the_lowest_newer_one() {
    for (written_by, expected) in [
        ("3.4.0", "3.4.1"),
        ("3.6.0", "4.2.0"),
        ("4.2.0", "4.2.0"),
        ("4.5.0", "5.0.1"),
    ] {
        let mut world = World::new(0);
        (0..2).for_each(|_| world.add_agent());
        world.connect_with(0, |info| info.engines = vec![engine("5.0.1"), engine("3.4.1")]);
        world.connect_with(1, |info| info.engines = vec![engine("4.2.0"), engine("5.0.1")]);
        let job = world.submit_with("1-9", |spec| spec.written_by = Some(written_by.parse().unwrap()));
        let chosen = world.farm.job_view(job, world.now()).unwrap().blender.unwrap();
        assert_eq!(chosen.to_string(), expected, "written by {written_by}");
    }
}

#[test]
fn an_older_blender_is_used_only_where_that_is_allowed() {
    let mut world = World::new(1);
    let newer = |spec: &mut farmhand_engine::JobSpec| spec.written_by = Some("4.2.0".parse().unwrap());
    let job = world.submit_with("1-9", newer);
    assert_eq!(world.state(job), JobState::Waiting);
    assert_eq!(reason(&world, job), "no suitable node has Blender 4.2 or newer");
    let allowed = world.submit_with("1-9", |spec| {
        newer(spec);
        spec.settings.allow_older_blender = true;
    });
    assert_eq!(world.state(allowed), JobState::Running);
}

#[test]
fn a_job_that_asks_for_a_tag_waits_for_a_node_that_has_it() {
    let mut world = World::new(1);
    let job = world.submit_with("1-9", |spec| spec.tags = vec!["gpu".to_owned()]);
    assert_eq!(reason(&world, job), "lacks the tag gpu");
    world.add_agent();
    world.connect_with(1, |info| info.tags = vec!["gpu".to_owned()]);
    assert_eq!(world.on(1, job).len(), 1);
}
