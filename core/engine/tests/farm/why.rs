//! Why a job, a frame, a batch or a node does not go on, or failed: the cause, what shows it, what to do.

use std::time::Duration;

use farmhand_engine::{Command, Event, Report};
use farmhand_protocol::agent::{EngineInfo, FailedFrame, NodeInfo};
use farmhand_protocol::{BatchId, Cause, Device, Failure, FailureKind, Frame, JobId};

use crate::world::{World, node};

fn only(causes: Option<Vec<Cause>>) -> Cause {
    let mut causes = causes.unwrap();
    assert_eq!(causes.len(), 1, "{causes:#?}");
    causes.remove(0)
}

fn of(world: &World, job: JobId) -> Vec<Cause> {
    world.farm.causes(job, world.now()).unwrap()
}

fn with_blender(version: &str) -> impl FnOnce(&mut NodeInfo) + use<> {
    let engine = EngineInfo {
        version: version.parse().unwrap(),
        path: String::new(),
        devices: vec![Device::Cpu, Device::Optix],
        denoiser: true,
    };
    move |info| info.engines = vec![engine]
}

fn one_node(change: impl FnOnce(&mut NodeInfo)) -> World {
    let mut world = World::new(0);
    world.add_agent();
    world.connect_with(0, change);
    world
}

/// The first frame of a batch fails in this way.
fn fail(world: &mut World, batch: u64, frame: i64, kind: FailureKind, message: &str, log: &[&str]) {
    let log = log.iter().map(|line| (*line).to_owned()).collect();
    let failed = FailedFrame {
        frame: Frame::try_from(frame).unwrap(),
        failure: Failure::new(kind, message).with_log(log),
    };
    let batch = BatchId(batch);
    world.report(Report::FrameFailed { batch, failed });
}

#[test]
fn without_a_node_the_commands_that_make_one_are_named() {
    let mut world = World::new(0);
    let job = world.submit("1-3");
    let cause = only(world.farm.causes(job, world.now()));
    assert_eq!(cause.title, "no node has joined yet");
    assert!(cause.advice[0].contains("farmhand-agent --listen"), "{cause:?}");
}

#[test]
fn behind_other_work_a_job_is_told_whose() {
    let mut world = one_node(|_| ());
    world.submit_with("1-5", |spec| spec.priority = 60);
    let second = world.submit("1-5");
    let cause = only(world.farm.causes(second, world.now()));
    assert_eq!(cause.title, "every suitable node is busy");
    let evidence = cause.evidence.unwrap();
    assert!(
        evidence.starts_with("node-0 renders j1 shot of priority 60"),
        "{evidence}"
    );
}

#[test]
fn a_scene_of_a_newer_blender_is_told_which_one_is_needed_and_which_there_are() {
    let mut world = one_node(with_blender("3.4.1"));
    let job = world.submit_with("1-5", |spec| spec.written_by = Some("5.0.0".parse().unwrap()));
    let cause = only(world.farm.causes(job, world.now()));
    assert_eq!(cause.title, "the scene needs Blender 5.0 or newer");
    assert_eq!(
        cause.evidence.as_deref(),
        Some("the farm has Blender 3.4.1 on node-0")
    );
    world.add_agent();
    world.connect_with(1, with_blender("5.0.1"));
    world
        .tell(Event::Command(Command::Drain {
            node: node(1),
            now: true,
        }))
        .unwrap();
    let job = world.submit_with("1-5", |spec| spec.written_by = Some("5.0.0".parse().unwrap()));
    let cause = &of(&world, job)[0];
    assert!(
        cause
            .advice
            .iter()
            .any(|advice| advice.contains("it is on node-1")),
        "{cause:?}"
    );
}

#[test]
fn a_tag_that_no_node_has_is_named() {
    let mut world = one_node(|_| ());
    let job = world.submit_with("1-5", |spec| spec.tags = vec!["rtx".into()]);
    let cause = only(world.farm.causes(job, world.now()));
    assert_eq!(cause.title, "the job asks for nodes with the tag rtx");
    assert!(cause.advice[0].contains("--tag rtx"), "{cause:?}");
}

#[test]
fn drained_paused_and_silent_nodes_are_told_apart() {
    let mut world = one_node(|_| ());
    world
        .tell(Event::Command(Command::Drain {
            node: node(0),
            now: true,
        }))
        .unwrap();
    let job = world.submit("1-5");
    assert_eq!(
        of(&world, job)[0].title,
        "drained by a person: it gets nothing new"
    );
    world.tell(Event::Command(Command::Undrain(node(0)))).unwrap();
    assert!(
        of(&world, job)[0].title.contains("is on node-0"),
        "{:?}",
        of(&world, job)
    );
    for _ in 0..12 {
        world.pass(Duration::from_secs(1));
    }
    let cause = &of(&world, job)[0];
    assert_eq!(cause.title, "no answer from it");
    assert_eq!(cause.evidence.as_deref(), Some("last heard from 12 s ago"));
    world.tell(Event::Command(Command::Pause(job))).unwrap();
    assert!(of(&world, job)[0].title.starts_with("a person paused it"));
}

#[test]
fn out_of_memory_names_the_node_how_much_it_has_and_who_has_more() {
    let mut world = one_node(|info| info.hardware.memory_bytes = 8 << 30);
    world.add_agent();
    world.connect_with(1, |info| {
        info.hardware.memory_bytes = 64 << 30;
        info.tags = vec!["big".into()];
    });
    world
        .tell(Event::Command(Command::Drain {
            node: node(1),
            now: true,
        }))
        .unwrap();
    let job = world.submit("1");
    fail(
        &mut world,
        1,
        1,
        FailureKind::OutOfMemory,
        "too much",
        &["Malloc returns null: len=9"],
    );
    let causes = world
        .farm
        .causes_of_frame(job, Frame::try_from(1).unwrap(), world.now())
        .unwrap();
    let cause = causes.last().unwrap();
    assert_eq!(cause.title, "tried 1 of 3 times: the node is out of memory");
    assert_eq!(cause.evidence.as_deref(), Some("Malloc returns null: len=9"));
    assert_eq!(
        cause.advice[0],
        "node-0 has 8.0 GiB of memory; node-1 has 64.0 GiB"
    );
    assert_eq!(cause.nodes, ["node-0"]);
}

#[test]
fn a_missing_device_names_what_was_asked_for_and_who_has_it() {
    let mut world = one_node(|_| ());
    world.add_agent();
    world.connect_with(1, with_blender("3.4.1"));
    let job = world.submit_with("1", |spec| spec.settings.device = Device::Optix);
    fail(
        &mut world,
        1,
        1,
        FailureKind::DeviceMissing,
        "the device optix was asked for",
        &[],
    );
    let all = of(&world, job);
    let cause = all.iter().find(|cause| cause.title.contains("device")).unwrap();
    assert_eq!(cause.advice[0], "nodes with optix: node-1");
    assert_eq!(cause.evidence.as_deref(), Some("the device optix was asked for"));
}

#[test]
fn frames_that_failed_alike_are_one_cause_and_the_way_on_is_named() {
    let mut world = World::new(2);
    world.bad_scene = true;
    let job = world.submit("1-20");
    world.settle();
    let causes = of(&world, job);
    assert_eq!(causes.len(), 1, "{causes:#?}");
    assert_eq!(causes[0].title, "the scene has no camera to render through");
    assert_eq!(causes[0].nodes.len(), 2, "{causes:#?}");
    let advice = causes[0].advice.join("; ");
    assert!(advice.contains("submit again"), "{advice}");
    assert!(
        !advice.contains("retry"),
        "it would render the same scene: {advice}"
    );
}

#[test]
fn where_the_scene_is_not_at_fault_a_retry_is_advised() {
    let mut world = World::new(2);
    world.bad_nodes = [0, 1].into();
    let job = world.submit("1-4");
    world.settle();
    let causes = of(&world, job);
    assert!(!causes.is_empty());
    for cause in causes {
        assert_eq!(
            cause.advice.last().unwrap(),
            "then render them again: farmhand retry j1"
        );
    }
}

#[test]
fn a_lost_batch_says_so_and_its_node_shows_where_the_frames_went() {
    let mut world = World::new(2);
    let job = world.submit("1-5");
    world.agents[0].up = false;
    while world.deliver_mail() {}
    for _ in 0..12 {
        world.pass(Duration::from_secs(1));
        world.report(Report::NodeHeard(node(1)));
        world.work(1);
        while world.deliver_mail() {}
    }
    let lost = world.farm.node_view(node(0), world.now()).unwrap();
    assert!(!lost.moved.is_empty(), "{lost:?}");
    for _ in 0..10 {
        world.work(1);
        while world.deliver_mail() {}
    }
    let lost = world.farm.node_view(node(0), world.now()).unwrap();
    assert!(lost.moved.iter().all(|moved| moved.job == job), "{lost:?}");
    assert_eq!(lost.moved[0].to.as_deref(), Some("node-1"));
    let batch = lost.moved[0].batch;
    let causes = world.farm.causes_of_batch(batch).unwrap();
    assert!(
        causes
            .iter()
            .any(|cause| cause.title.contains("was not heard from for 10 s")),
        "{causes:#?}"
    );
    world.report(Report::NodeHeard(node(0)));
    let back = world.farm.node_view(node(0), world.now()).unwrap();
    assert!(back.moved.is_empty(), "it is back: {back:?}");
}

#[test]
fn an_idle_node_says_why_it_gets_nothing() {
    let mut world = one_node(|_| ());
    let cause = only(world.farm.causes_of_node(node(0), world.now()));
    assert_eq!(cause.title, "node-0 is idle: no job has frames left");
    world.submit_with("1-5", |spec| spec.tags = vec!["rtx".into()]);
    let cause = only(world.farm.causes_of_node(node(0), world.now()));
    assert_eq!(
        cause.title,
        "nothing of j1 shot: the job asks for nodes with the tag rtx"
    );
}

#[test]
fn a_nodes_batches_come_newest_first_with_their_mean_time_and_what_went_wrong() {
    let mut world = World::new(2);
    world.bad_frames.insert(3);
    world.submit("1-20");
    world.settle();
    let all = world.farm.batch_views(None, 100, |batch| batch.node == node(0));
    assert!(
        all.len() > 1 && all.windows(2).all(|pair| pair[0].id > pair[1].id),
        "{all:#?}"
    );
    assert!(all.iter().all(|batch| batch.node_name == "node-0"));
    let done = all.iter().find(|batch| !batch.delivered.is_empty()).unwrap();
    assert_eq!(
        done.mean_frame_ms,
        Some(10),
        "agents of this world need 10 ms a frame"
    );
    let older = world
        .farm
        .batch_views(Some(all[0].id), 1, |batch| batch.node == node(0));
    assert_eq!(older[0].id, all[1].id);
    let failed = world
        .farm
        .batch_views(None, 100, |batch| !batch.failed.is_empty());
    assert!(
        failed.iter().all(|batch| batch.note.as_deref() == Some("broken")),
        "{failed:#?}"
    );
}
