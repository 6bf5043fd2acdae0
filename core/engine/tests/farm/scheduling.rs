//! Who gets which frames, and what people are told about it.

use std::time::Duration;

use farmhand_engine::{Command, Event, Report};
use farmhand_protocol::agent::EngineInfo;
use farmhand_protocol::farm::JobState;
use farmhand_protocol::{Device, FrameSet};

use crate::world::{World, node};

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

/// One agent of so many slots.
fn one_agent(slots: u32) -> World {
    let mut world = World::new(0);
    world.add_agent();
    world.connect_with(0, |info| info.slots = slots);
    world
}

/// The agent renders one frame, and everybody hears of it.
fn render(world: &mut World, n: usize) {
    world.work(n);
    while world.deliver_mail() {}
    world.work(n);
    while world.deliver_mail() {}
}

#[test]
fn a_node_gets_few_frames_until_one_has_come_then_the_next_batch_while_it_renders_the_last() {
    let mut world = one_agent(1);
    let job = world.submit("1-4000");
    assert_eq!(world.on(0, job), ["1-2"], "nothing was measured yet");
    world.work(0);
    while world.deliver_mail() {}
    assert_eq!(world.on(0, job), ["1-2"], "the first frame may fail");
    world.work(0);
    while world.deliver_mail() {}
    assert_eq!(world.on(0, job).len(), 2, "the last frame of the batch is next");
    render(&mut world, 0);
    // Frames of 10 ms: a batch for 30 s would have 3,000, and none has more than 500.
    assert_eq!(world.on(0, job), ["3-4", "5-504"]);
}

#[test]
fn among_a_thousand_idle_nodes_a_job_waits_for_no_tick() {
    let mut world = World::new(1000);
    let job = world.submit("1-10");
    let held: usize = (0..1000).map(|n| world.on(n, job).len()).sum();
    assert!(held > 0, "nobody has a frame of it yet");
}

#[test]
fn a_batch_takes_the_target_time() {
    let mut world = one_agent(1);
    world.render_ms = 7_000;
    let job = world.submit("1-100");
    (0..3).for_each(|_| render(&mut world, 0));
    let last = world.on(0, job).pop().unwrap();
    assert_eq!(
        last.parse::<FrameSet>().unwrap().len(),
        4,
        "{last}: 4 frames of 7 s in 30 s"
    );
}

#[test]
fn a_node_whose_slots_change_in_mid_job_has_a_batch_for_each_and_its_speed_is_learnt_anew() {
    let mut world = one_agent(1);
    world.render_ms = 4_000;
    let job = world.submit("1-300");
    (0..20).for_each(|_| render(&mut world, 0));
    let newest = |world: &World| world.on(0, job).pop().unwrap().parse::<FrameSet>().unwrap().len();
    assert_eq!(newest(&world), 7, "frames of 4 s in 30 s");

    world.connect_with(0, |info| info.slots = 2);
    assert!(world.on(0, job).len() >= 2, "a batch for each slot at once");
    world.render_ms = 8_000; // Half the threads.
    for _ in 0..40 {
        render(&mut world, 0);
        let held = world.on(0, job).len();
        assert!((2..=4).contains(&held), "{held} batches for two slots");
    }
    assert_eq!(newest(&world), 3, "frames of 8 s in 30 s");

    world.connect_with(0, |info| info.slots = 1);
    world.render_ms = 4_000;
    let before = world.on(0, job).len();
    for _ in 0..40 {
        render(&mut world, 0);
        let held = world.on(0, job).len();
        assert!((1..=before.max(2)).contains(&held), "{held} batches for one slot");
    }
    assert!(
        world.on(0, job).len() <= 2,
        "what it held for the other slot is rendered"
    );
    assert_eq!(newest(&world), 7, "frames of 4 s in 30 s");
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_slot_that_comes_to_a_node_gets_a_part_of_what_the_others_have_not_begun() {
    let mut world = one_agent(1);
    world.render_ms = 500;
    let job = world.submit("1-40");
    (0..4).for_each(|_| render(&mut world, 0));
    let open = |world: &World| {
        world
            .on(0, job)
            .iter()
            .map(|on| on.parse::<FrameSet>().unwrap().len())
            .collect::<Vec<_>>()
    };
    assert_eq!(open(&world), [36], "the only slot has the rest of the job");
    world.connect_with(0, |info| info.slots = 2);
    for _ in 0..3 {
        while world.deliver_mail() {}
        world.pass(Duration::from_secs(1));
    }
    let shared = open(&world);
    let others: u32 = shared[1..].iter().sum();
    assert!(others >= 8, "{shared:?}");
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_job_of_one_frame_takes_the_next_slot_that_finishes_its_frame() {
    let mut world = one_agent(1);
    world.render_ms = 5_000;
    let long = world.submit("1-200");
    (0..4).for_each(|_| render(&mut world, 0));
    world.work(0);
    while world.deliver_mail() {}
    let short = world.submit("1");
    while world.deliver_mail() {}
    assert_eq!(world.on(0, short), ["1"]);
    render(&mut world, 0); // Ends the frame of the long one, and begins the next.
    assert_eq!(world.farm.rendering(short).to_string(), "1");
    world.settle();
    assert_eq!(
        (world.state(long), world.state(short)),
        (JobState::Completed, JobState::Completed)
    );
}

/// How often two nodes of one slot changed what their Blenders have loaded, for four small jobs that this makes
/// different.
fn loads_for_four_jobs(differ: impl Fn(u8, &mut farmhand_engine::JobSpec)) -> usize {
    let mut world = World::new(0);
    (0..2).for_each(|_| world.add_agent());
    (0..2).for_each(|n| world.connect_with(n, |info| info.slots = 1));
    let jobs: Vec<_> = (0..4)
        .map(|n| world.submit_with("1-12", |spec| differ(n, spec)))
        .collect();
    let mut on_node: [Vec<farmhand_protocol::JobId>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (n, scenes) in on_node.iter_mut().enumerate() {
            world.work(n);
            while world.deliver_mail() {}
            let batch = world.agents[n].rendering.map(|(batch, _)| batch);
            let job = batch
                .and_then(|batch| world.farm.batch(batch))
                .map(|held| held.job);
            if let Some(job) = job.filter(|job| scenes.last() != Some(job)) {
                scenes.push(job);
            }
        }
        (0..2).for_each(|n| world.report(Report::NodeHeard(node(n))));
        world.pass(Duration::from_millis(250));
    }
    assert!(jobs.iter().all(|job| world.state(*job) == JobState::Completed));
    on_node.iter().map(Vec::len).sum()
}

#[test]
fn a_node_stays_with_its_scene_for_the_target_time_before_small_jobs_share_it() {
    let scenes = loads_for_four_jobs(|n, spec| spec.scene = farmhand_protocol::SceneHash::of(&[n]));
    assert!(scenes <= 10, "scenes were changed {scenes} times");
    let settings = loads_for_four_jobs(|n, spec| spec.settings.samples = Some(u32::from(n) + 1));
    assert!(settings <= 10, "settings were changed {settings} times");
}

#[test]
fn the_only_slot_gets_the_rest_of_a_job_in_one_batch_where_that_takes_no_longer_than_others() {
    let mut world = one_agent(1);
    world.render_ms = 2_000;
    let job = world.submit("1-12");
    (0..3).for_each(|_| render(&mut world, 0));
    assert_eq!(world.on(0, job).last().map(String::as_str), Some("5-12"));
}

#[test]
fn the_reason_names_no_time_that_nothing_measured() {
    let mut world = one_agent(1);
    world.submit("1-20");
    world.work(0);
    while world.deliver_mail() {}
    let short = world.submit("1");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.on(0, short), ["1"]);
    let why = world.farm.why(short, world.now()).unwrap().reasons.join("\n");
    assert!(why.contains("goes over to it after its frame"), "{why}");
}

#[test]
fn the_last_frame_is_rendered_twice_where_its_node_takes_long_and_delivered_once() {
    let mut world = World::new(0);
    (0..2).for_each(|_| world.add_agent());
    (0..2).for_each(|n| world.connect_with(n, |_| ()));
    let job = world.submit("1-10");
    while world.farm.job_view(job, world.now()).unwrap().counts.delivered < 8 {
        (0..2).for_each(|n| render(&mut world, n));
    }
    // One of the two hangs in its frame.
    let slow = (0..2)
        .find(|n| world.agents[*n].rendering.is_some() || world.begin_frame(*n))
        .unwrap();
    while world.deliver_mail() {}
    for _ in 0..40 {
        world.pass(Duration::from_secs(1));
        (0..2).for_each(|n| world.report(Report::NodeHeard(node(n))));
        render(&mut world, 1 - slow);
    }
    assert_eq!(
        world.state(job),
        JobState::Completed,
        "{:?}",
        world.farm.why(job, world.now())
    );
    assert_eq!(world.delivered.len(), 10);
    assert!(
        world.agents[slow].rendering.is_none(),
        "the other one was cancelled"
    );
}

#[test]
fn a_node_that_fails_what_others_render_is_banned_for_a_while() {
    let mut world = World::new(3);
    world.render_ms = 5_000;
    let job = world.submit("1-200");
    (0..6).for_each(|_| (0..3).for_each(|n| render(&mut world, n)));
    world.bad_nodes.insert(0);
    (0..4).for_each(|_| (0..3).for_each(|n| render(&mut world, n)));
    let why = world.farm.why(job, world.now()).unwrap().reasons.join("\n");
    assert!(why.contains("node-0: gets nothing of this job until"), "{why}");
    assert_eq!(world.on(0, job).len(), 0);
    world.bad_nodes.clear();
    for _ in 0..31 {
        world.pass(Duration::from_secs(1));
        (0..3).for_each(|n| world.report(Report::NodeHeard(node(n))));
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.on(0, job).len(), 1, "it has another chance");
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_job_waits_for_another_and_a_preview_comes_first() {
    let mut world = one_agent(1);
    let first = world.submit("1-3");
    let second = world.submit_with("1-100", |spec| {
        spec.after = Some(first);
        spec.preview = Some(50);
    });
    assert_eq!(reason(&world, second), "waits for j1 to complete");
    while world.state(first) != JobState::Completed {
        render(&mut world, 0);
    }
    assert_eq!(world.on(0, second), ["1,51"]);
}

#[test]
fn a_job_has_no_more_nodes_than_it_may() {
    let mut world = World::new(4);
    let job = world.submit_with("1-100", |spec| spec.max_nodes = Some(2));
    let busy = |world: &World| (0..4).filter(|n| !world.on(*n, job).is_empty()).count();
    for _ in 0..5 {
        assert_eq!(busy(&world), 2);
        (0..4).for_each(|n| render(&mut world, n));
    }
    let why = world.farm.why(job, world.now()).unwrap().reasons.join("\n");
    assert!(why.contains("this job may have 2 nodes at a time"), "{why}");
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
    assert_eq!(
        (world.on(0, old).len(), world.on(0, young).len()),
        (1, 0),
        "age decides"
    );
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
