//! A job of one frame beside a long one: it waits on several nodes, and the first slot that finishes its frame
//! begins it, whatever was expected.

use std::time::Duration;

use farmhand_engine::{Command, Event, Report};
use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;

use crate::world::{World, node};

fn hear(world: &mut World) {
    while world.deliver_mail() {}
}

/// Nodes of one slot that render a long job, expected to take 5, 20, 40 and 40 s a frame, each in the middle of one.
fn busy() -> (World, JobId) {
    busy_with("1-120")
}

fn busy_with(frames: &str) -> (World, JobId) {
    let mut world = World::new(0);
    (0..4).for_each(|_| world.add_agent());
    (0..4).for_each(|n| world.connect_with(n, |info| info.slots = 1));
    let long = world.submit(frames);
    for _ in 0..8 {
        for (n, ms) in [5_000, 20_000, 40_000, 40_000].into_iter().enumerate() {
            world.render_ms = ms;
            world.work(n);
            hear(&mut world);
            world.work(n);
            hear(&mut world);
        }
    }
    for n in 0..4 {
        if world.agents[n].rendering.is_none() {
            world.work(n);
        }
        hear(&mut world);
    }
    (world, long)
}

fn holders(world: &World, job: JobId) -> Vec<usize> {
    let holds = |n: &usize| !world.on(*n, job).is_empty();
    (0..world.agents.len()).filter(holds).collect()
}

/// A node ends its frame and begins the next.
fn next_frame(world: &mut World, n: usize) {
    world.work(n);
    hear(world);
    world.work(n);
    hear(world);
}

#[test]
fn the_first_slot_that_finishes_its_frame_begins_it_and_not_the_one_that_was_expected_to() {
    let (mut world, long) = busy();
    let short = world.submit("1");
    assert_eq!(world.on(0, short), ["1"], "this one is expected to be first");
    hear(&mut world);
    assert_eq!(holders(&world, short), [0, 1, 2, 3]);
    next_frame(&mut world, 2); // It is the slowest, and the first all the same.
    assert_eq!(world.farm.rendering(short).to_string(), "1");
    assert_eq!(
        holders(&world, short),
        [2],
        "it is withdrawn where it has not begun"
    );
    for n in 0..2 {
        assert!(
            world.agents[n]
                .batches
                .values()
                .all(|held| held.start.job == long)
        );
        next_frame(&mut world, n);
        assert!(
            world.agents[n].rendering.is_some(),
            "node {n} went on with its job"
        );
    }
    world.settle();
    assert_eq!(
        (world.state(long), world.state(short)),
        (JobState::Completed, JobState::Completed)
    );
}

#[test]
fn two_that_begin_it_in_the_same_moment_do_not_both_render_it() {
    let (mut world, _) = busy();
    let short = world.submit("1");
    hear(&mut world);
    for n in [1, 2] {
        world.work(n);
        world.work(n);
    }
    hear(&mut world);
    assert_eq!(world.farm.rendering(short).to_string(), "1");
    assert_eq!(holders(&world, short), [1]);
    assert_eq!(world.agents[2].rendering, None, "the later one was told to stop");
    world.settle();
    assert_eq!(world.state(short), JobState::Completed);
}

#[test]
fn where_it_fails_another_node_on_which_it_waits_tries_it() {
    let (mut world, _) = busy();
    let short = world.submit("1");
    hear(&mut world);
    world.work(1);
    hear(&mut world);
    // The report that it has begun is lost; that it failed is not.
    world.bad_nodes.insert(1);
    world.work(1);
    world
        .mail
        .retain(|mail| !matches!(mail, Report::BatchBegun(_) | Report::FrameStarted { .. }));
    world.work(1);
    hear(&mut world);
    assert_eq!(holders(&world, short), [0, 2, 3]);
    next_frame(&mut world, 0);
    assert_eq!(holders(&world, short), [0]);
    world.bad_nodes.clear();
    world.settle();
    assert_eq!(world.state(short), JobState::Completed);
}

#[test]
fn nodes_that_are_lost_while_it_only_waits_there_cost_it_nothing() {
    let (mut world, _) = busy();
    world.add_agent();
    let short = world.submit("1");
    hear(&mut world);
    world.connect_with(4, |info| info.tags = vec!["new".to_owned()]);
    hear(&mut world);
    (1..4).for_each(|n| world.agents[n].die());
    for _ in 0..12 {
        world.pass(Duration::from_secs(1));
        world.report(Report::NodeHeard(node(0)));
        world.report(Report::NodeHeard(node(4)));
    }
    let view = &world.farm.frame_views(short, &"1".parse().unwrap())[0];
    assert_eq!((view.attempts, &view.failure), (0, &None));
    assert_ne!(world.state(short), JobState::Failed);
    world.settle();
    assert_eq!(world.state(short), JobState::Completed);
}

#[test]
fn an_idle_node_that_joins_begins_it_at_once() {
    let (mut world, _) = busy_with("1-60");
    let short = world.submit("1");
    hear(&mut world);
    assert_eq!(holders(&world, short), [0, 1, 2, 3]);
    let paused = world.farm.job_ids().next().unwrap();
    world.tell(Event::Command(Command::Pause(paused))).unwrap();
    world.add_agent();
    world.connect_with(4, |info| info.slots = 1);
    hear(&mut world);
    world.pass(Duration::from_millis(500));
    hear(&mut world);
    world.work(4);
    hear(&mut world);
    assert_eq!(world.farm.rendering(short).to_string(), "1");
    assert_eq!(holders(&world, short), [4]);
}

#[test]
fn a_job_that_may_have_one_node_waits_on_one() {
    let (mut world, _) = busy();
    let one = world.submit_with("1", |spec| spec.max_nodes = Some(1));
    let two = world.submit_with("1", |spec| spec.max_nodes = Some(2));
    hear(&mut world);
    assert_eq!((holders(&world, one).len(), holders(&world, two).len()), (1, 2));
}

#[test]
fn cancelling_takes_it_from_all_nodes_and_a_retry_puts_it_there_again() {
    let (mut world, _) = busy();
    let short = world.submit("1");
    hear(&mut world);
    let batch = world.farm.job_detail(short, world.now()).unwrap().batches[0].id;
    world.tell(Event::Command(Command::CancelBatch(batch))).unwrap();
    hear(&mut world);
    assert_eq!(world.state(short), JobState::Cancelled);
    assert_eq!(holders(&world, short), [0_usize; 0]);
    let there = world.agents.iter().flat_map(|agent| agent.batches.values());
    assert!(there.into_iter().all(|held| held.start.job != short));
    world.tell(Event::Command(Command::RetryBatch(batch))).unwrap();
    world.settle();
    assert_eq!(world.state(short), JobState::Completed);
}

#[test]
fn after_a_restart_the_first_to_begin_is_still_the_only_one() {
    let (mut world, _) = busy();
    let short = world.submit("1");
    hear(&mut world);
    world.restart(2);
    hear(&mut world);
    assert_eq!(holders(&world, short), [0, 1, 2, 3]);
    next_frame(&mut world, 1);
    assert_eq!(holders(&world, short), [1]);
    world.settle();
    assert_eq!(world.state(short), JobState::Completed);
}

#[test]
fn why_tells_that_it_waits_for_the_first_slot() {
    let (mut world, _) = busy();
    let short = world.submit("1");
    hear(&mut world);
    let why = world.farm.why(short, world.now()).unwrap().reasons.join("\n");
    assert!(
        why.contains("whichever is done with its frame first begins it"),
        "{why}"
    );
    next_frame(&mut world, 2);
    let batches = world.farm.job_detail(short, world.now()).unwrap().batches;
    let withdrawn = batches.iter().find(|batch| batch.node == node(0)).unwrap();
    let causes = world.farm.causes_of_batch(withdrawn.id).unwrap();
    let said = format!("{causes:?}");
    assert!(
        said.contains("another node was the first to begin them"),
        "{said}"
    );
}

#[test]
fn what_was_put_behind_the_last_frame_of_a_slot_waits_elsewhere_too() {
    let mut world = World::new(0);
    (0..3).for_each(|_| world.add_agent());
    (0..3).for_each(|n| world.connect_with(n, |info| info.slots = 1));
    world.render_ms = 2_000;
    let long = world.submit("1-12");
    let pending = |world: &World| world.farm.job_view(long, world.now()).unwrap().counts.pending;
    while pending(&world) > 0 {
        (0..3).for_each(|n| next_frame(&mut world, n));
    }
    for n in 0..3 {
        world.begin_frame(n);
    }
    hear(&mut world);
    assert!(world.agents.iter().all(|agent| agent.rendering.is_some()));
    let short = world.submit("1");
    hear(&mut world);
    assert_eq!(holders(&world, short), [0, 1, 2]);
}
