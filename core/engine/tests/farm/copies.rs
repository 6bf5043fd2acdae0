//! The last frame of a job, where it takes far longer than such frames do: idle nodes render copies of it.

use std::time::Duration;

use farmhand_engine::Report;
use farmhand_protocol::farm::JobState;
use farmhand_protocol::{Frame, JobId};

use crate::world::{World, node};

/// What a frame of these jobs takes, as nodes say.
const USUAL: Duration = Duration::from_secs(10);
/// After so long a copy, which takes the usual time, is expected to be done well before what it is a copy of.
const LONG: Duration = Duration::from_mins(1);
const NODES: usize = 5;
const FRAMES: usize = 40;

/// Five nodes of one slot at the end of a job: all frames are delivered but one, which began just now and will not end.
struct Tail {
    world: World,
    job: JobId,
    frame: Frame,
}

impl Tail {
    fn new() -> Self {
        let mut world = World::new(0);
        (0..NODES).for_each(|_| world.add_agent());
        (0..NODES).for_each(|n| world.connect_with(n, |info| info.slots = 1));
        world.render_ms = u64::try_from(USUAL.as_millis()).unwrap();
        let job = world.submit(&format!("1-{FRAMES}"));
        while world.delivered.len() < FRAMES - 1 {
            let left = FRAMES - world.delivered.len();
            for n in 0..NODES.min(left - 1) {
                world.work(n);
                while world.deliver_mail() {}
                world.work(n);
                while world.deliver_mail() {}
            }
            world.pass(Duration::from_secs(1));
            (0..NODES).for_each(|n| world.report(Report::NodeHeard(node(n))));
        }
        (0..NODES).any(|n| world.begin_frame(n));
        while world.deliver_mail() {}
        let frame = world.farm.rendering(job).first().unwrap();
        Self { world, job, frame }
    }

    /// Time passes; whoever has a copy begins it, and nobody is done.
    fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.world.pass(Duration::from_secs(1));
            for n in 0..NODES {
                self.world.report(Report::NodeHeard(node(n)));
                self.world.begin_frame(n);
            }
            while self.world.deliver_mail() {}
        }
    }

    /// Nodes that render the frame.
    fn renderers(&self) -> Vec<usize> {
        let agents = self.world.agents.iter().enumerate();
        let rendering = agents.filter_map(|(n, agent)| Some((n, agent.rendering?.1)));
        rendering
            .filter(|(_, frame)| *frame == self.frame)
            .map(|(n, _)| n)
            .collect()
    }
}

#[test]
fn a_frame_that_takes_no_longer_than_usual_has_no_copy() {
    let mut tail = Tail::new();
    tail.pass(USUAL);
    assert_eq!(tail.renderers().len(), 1);
}

#[test]
fn a_frame_that_takes_long_has_a_copy_on_an_idle_node() {
    let mut tail = Tail::new();
    tail.pass(LONG);
    assert_eq!(tail.renderers().len(), 2);
}

#[test]
fn while_the_copy_takes_no_longer_than_usual_there_is_no_second() {
    let mut tail = Tail::new();
    while tail.renderers().len() < 2 {
        tail.pass(Duration::from_secs(1));
    }
    tail.pass(USUAL);
    assert_eq!(tail.renderers().len(), 2);
}

#[test]
fn where_the_copy_takes_long_too_there_is_a_second() {
    let mut tail = Tail::new();
    tail.pass(LONG * 2);
    assert_eq!(tail.renderers().len(), 3);
}

#[test]
fn there_is_no_third_copy_however_long_it_takes() {
    let mut tail = Tail::new();
    tail.pass(LONG * 20);
    assert_eq!(tail.renderers().len(), 3, "two nodes idle");
}

#[test]
fn the_first_of_them_to_be_done_ends_the_others() {
    let mut tail = Tail::new();
    tail.pass(LONG * 2);
    let last = *tail.renderers().last().unwrap();
    tail.world.work(last);
    while tail.world.deliver_mail() {}
    assert_eq!(tail.world.state(tail.job), JobState::Completed);
    assert_eq!(tail.renderers(), [0; 0]);
}

#[test]
fn a_frame_that_two_of_them_finish_is_delivered_once() {
    let mut tail = Tail::new();
    tail.pass(LONG * 2);
    for n in tail.renderers() {
        tail.world.work(n);
    }
    while tail.world.deliver_mail() {}
    assert_eq!(tail.world.delivered.len(), FRAMES);
    assert!(tail.world.delivered.values().all(|times| *times == 1));
}
