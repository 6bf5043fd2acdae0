//! The engine as a farm: whole jobs, faults, and any order of anything.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod contest;
mod copies;
mod scheduling;
mod why;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use farmhand_engine::{Command, Decision, Effect, Event, FilmsMade, Policy, Report, decide};
use farmhand_protocol::agent::FailedFrame;
use farmhand_protocol::farm::{FilmState, JobState};
use farmhand_protocol::{Epoch, Failure, FailureKind, Frame, NodeId};
use proptest::prelude::*;

use world::{World, node};

#[test]
fn a_job_on_three_nodes_is_delivered_once_each_frame() {
    let mut world = World::new(3);
    let job = world.submit("1-48");
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
    assert_eq!(world.delivered.len(), 48);
    assert!(
        world.agents.iter().all(|agent| agent.batches.is_empty()),
        "agents are told to forget what is done"
    );
}

#[test]
fn a_frame_that_fails_three_times_fails_the_job_and_the_others_are_delivered() {
    let mut world = World::new(2);
    world.bad_frames.insert(7);
    let job = world.submit("1-10");
    world.settle();
    assert_eq!(world.state(job), JobState::Failed);
    assert_eq!(world.delivered.len(), 9);
    assert_eq!(world.farm.job_detail(job, world.now()).unwrap().attempts.len(), 3);
    world.bad_frames.clear();
    world
        .tell(Event::Command(Command::RetryJob { job, frames: None }))
        .unwrap();
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_film_is_made_when_all_pictures_are_there_and_anew_after_a_restart_or_damage() {
    let mut world = World::new(1);
    let job = world.submit_with("1-4", |spec| spec.video = true);
    let film = |world: &World| world.farm.job_view(job, world.now()).unwrap().film.unwrap().state;
    assert_eq!(film(&world), FilmState::Waiting);
    world.settle();
    world.tell(Event::Tick).unwrap();
    world.tell(Event::Tick).unwrap();
    assert_eq!((film(&world), world.films.len()), (FilmState::Making, 1));
    world.farm.open(Epoch(2), Policy::default());
    world.tell(Event::Tick).unwrap();
    assert_eq!(world.films, [job, job]);
    let films = FilmsMade {
        files: Vec::new(),
        problem: Some("no ffmpeg".to_owned()),
    };
    let made = Event::Report(Report::FilmsMade { job, films });
    world.tell(made.clone()).unwrap();
    world.tell(Event::Tick).unwrap();
    assert_eq!((film(&world), world.films.len()), (FilmState::Failed, 2));

    let revise = |frame: i64, revision| {
        let frames = vec![(Frame::try_from(frame).unwrap(), revision)];
        let why = "is gone".to_owned();
        Event::Command(Command::Revise { job, frames, why })
    };
    world.tell(revise(2, 1)).unwrap();
    assert_eq!(
        world.state(job),
        JobState::Completed,
        "another revision was looked at"
    );
    world.tell(revise(2, 0)).unwrap();
    assert_eq!(
        (world.state(job), film(&world)),
        (JobState::Waiting, FilmState::Waiting)
    );
    world.tell(made).unwrap(); // Of the pictures as they were.
    assert_eq!(film(&world), FilmState::Waiting);
    world.connect(0);
    world.settle();
    world.tell(Event::Tick).unwrap();
    assert_eq!(world.delivered[&(job, Frame::try_from(2).unwrap(), 1)], 1);
    assert_eq!((film(&world), world.films.len()), (FilmState::Making, 3));
}

#[test]
fn a_full_disk_uses_up_no_attempt_and_the_job_goes_on_when_there_is_space() {
    let mut world = World::new(1);
    let job = world.submit("1-4");
    let batch = world.farm.job_detail(job, world.now()).unwrap().batches[0].id;
    for number in 1..=4 {
        let frame = Frame::try_from(number).unwrap();
        let failure = Failure::new(FailureKind::DiskFull, "no space is left on the node's disk");
        let failed = FailedFrame { frame, failure };
        world
            .tell(Event::Report(Report::FrameFailed { batch, failed }))
            .unwrap();
    }
    let detail = world.farm.job_detail(job, world.now()).unwrap();
    assert_eq!((detail.job.state, detail.attempts.len()), (JobState::Waiting, 0));
    assert!(
        detail
            .job
            .reason
            .clone()
            .is_some_and(|words| words.contains("no space")),
        "{detail:?}"
    );
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn a_broken_scene_costs_one_attempt_on_each_of_two_nodes() {
    let mut world = World::new(5);
    world.bad_scene = true;
    let job = world.submit("1-100");
    world.settle();
    assert_eq!(world.state(job), JobState::Failed);
    let attempts = world.farm.job_detail(job, world.now()).unwrap().attempts;
    let nodes: BTreeSet<NodeId> = attempts.iter().map(|attempt| attempt.node).collect();
    assert_eq!((attempts.len(), nodes.len()), (2, 2));
}

#[test]
fn a_lost_nodes_frames_go_elsewhere_after_its_lease_and_its_late_answer_changes_nothing() {
    let mut world = World::new(2);
    let job = world.submit("1-10");
    world.agents[0].die();
    while world.deliver_mail() {}
    for _ in 0..12 {
        world.pass(Duration::from_secs(1));
        world.report(Report::NodeHeard(node(1)));
    }
    let lost = world
        .farm
        .job_detail(job, world.now())
        .unwrap()
        .batches
        .iter()
        .any(|b| b.state == farmhand_protocol::farm::BatchState::Lost);
    assert!(lost, "the silent node's batch is lost");
    world.work(0);
    world.settle();
    assert_eq!(world.state(job), JobState::Completed);
}

#[test]
fn cancelled_frames_stay_so_until_retried() {
    let mut world = World::new(1);
    let job = world.submit("1-10");
    while world.deliver_mail() {}
    world
        .tell(Event::Command(Command::CancelJob {
            job,
            frames: Some("4-6".parse().unwrap()),
        }))
        .unwrap();
    world.settle();
    assert_eq!(world.state(job), JobState::Cancelled);
    assert_eq!(world.delivered.len(), 7);
    world
        .tell(Event::Command(Command::RetryJob {
            job,
            frames: Some("1,5".parse().unwrap()),
        }))
        .unwrap();
    world.settle();
    assert_eq!(world.state(job), JobState::Cancelled);
    assert!(
        world
            .delivered
            .contains_key(&(job, Frame::try_from(1).unwrap(), 1)),
        "a delivered frame gets a new revision"
    );
    assert_eq!(world.delivered.len(), 9);
}

#[test]
fn only_an_ended_job_can_be_forgotten_and_its_id_is_not_used_again() {
    let mut world = World::new(1);
    let job = world.submit("1-3");
    let refused = world.tell(Event::Command(Command::ForgetJob(job))).unwrap_err();
    assert_eq!(refused.to_string(), "job j1 has not ended: cancel it first");
    world.settle();
    world.tell(Event::Command(Command::ForgetJob(job))).unwrap();
    assert!(world.farm.job(job).is_none());
    assert_eq!(world.submit("1").to_string(), "j2");
}

#[test]
fn the_same_command_twice_is_no_error_and_changes_nothing() {
    let mut world = World::new(1);
    let job = world.submit("1-10");
    for command in [
        Command::Pause(job),
        Command::Drain {
            node: node(0),
            now: true,
        },
        Command::CancelJob { job, frames: None },
    ] {
        world.tell(Event::Command(command.clone())).unwrap();
        let facts = world.journal.len();
        world.tell(Event::Command(command)).unwrap();
        assert_eq!(world.journal.len(), facts);
    }
}

fn seen_at(world: &World, n: usize, address: &str) -> Decision {
    let info = Box::new(world.farm.presence(node(n)).unwrap().info.clone());
    let address = address.to_owned();
    decide(
        &world.farm,
        world.now(),
        Event::Report(Report::NodeSeen { address, info }),
    )
    .unwrap()
}

#[test]
fn a_node_that_is_met_elsewhere_is_no_longer_waited_for_where_it_was() {
    let mut world = World::new(2);
    let before = world.farm.node(node(0)).unwrap().address.clone();
    let added = Command::AddNode {
        address: "http://new".to_owned(),
    };
    world.tell(Event::Command(added)).unwrap();
    let (connect, release) = (
        |address: &str| Effect::Connect {
            address: address.to_owned(),
        },
        |address: &str| Effect::Release {
            address: address.to_owned(),
        },
    );
    let moved = seen_at(&world, 0, "http://new");
    assert_eq!(moved.effects, [connect("http://new"), release(&before)]);
    world.remember(&moved);
    // It moves on, and what its agent had added goes with it.
    let moved = seen_at(&world, 0, "http://newer");
    assert_eq!(moved.effects, [connect("http://newer"), release("http://new")]);
    world.remember(&moved);
    assert!(!world.farm.addresses().contains("http://new"));
    assert!(seen_at(&world, 0, "http://newer").facts.is_empty());
}

#[test]
fn two_nodes_may_swap_their_addresses_and_a_removed_one_takes_none_of_another_with_it() {
    let mut world = World::new(2);
    let other = world.farm.node(node(1)).unwrap().address.clone();
    let first = world.farm.node(node(0)).unwrap().address.clone();
    let moved = seen_at(&world, 0, &other);
    world.remember(&moved);
    let moved = seen_at(&world, 1, &first);
    assert!(
        !moved
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Release { .. })),
        "the other one answers there: {moved:?}"
    );
    let remove = Event::Command(Command::RemoveNode(node(1)));
    let removed = decide(&world.farm, world.now(), remove).unwrap();
    assert!(
        !removed
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Disconnect { .. })),
        "{removed:?}"
    );
}

#[derive(Debug, Clone)]
enum Step {
    Mail,
    RepeatMail,
    SwapMail,
    LoseMail,
    Work(usize),
    Kill(usize),
    Revive(usize),
    Pass(u64),
    Restart,
    Submit,
    Cancel(i64),
    Retry,
    Pause,
    Resume,
    Drain(usize, bool),
    Undrain(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let agent = 0..3_usize;
    prop::collection::vec(
        prop_oneof![
            12 => Just(Step::Mail),
            2 => Just(Step::RepeatMail),
            2 => Just(Step::SwapMail),
            1 => Just(Step::LoseMail),
            10 => agent.clone().prop_map(Step::Work),
            1 => agent.clone().prop_map(Step::Kill),
            2 => agent.clone().prop_map(Step::Revive),
            2 => (0..8_u64).prop_map(Step::Pass),
            1 => Just(Step::Restart),
            1 => Just(Step::Submit),
            1 => (1..30_i64).prop_map(Step::Cancel),
            1 => Just(Step::Retry),
            1 => Just(Step::Pause),
            1 => Just(Step::Resume),
            1 => (agent.clone(), any::<bool>()).prop_map(|(n, now)| Step::Drain(n, now)),
            1 => agent.prop_map(Step::Undrain),
        ],
        0..150,
    )
}

proptest! {
    #[test]
    fn whatever_happens_every_job_ends_and_no_frame_is_lost_or_delivered_twice(steps in steps(), bad in 0..40_i32) {
        let mut world = World::new(3);
        world.bad_frames.insert(bad);
        let job = world.submit("1-30");
        let mut jobs = vec![job];
        let mut epoch = 1;
        for step in steps {
            match step {
                Step::Mail => { world.deliver_mail(); }
                Step::RepeatMail => world.mail.extend(world.mail.front().cloned()),
                Step::SwapMail => world.mail.rotate_left(usize::from(!world.mail.is_empty())),
                // The call's own answer always comes: its loss is `BatchUnclear`, or `FetchFailed`.
                Step::LoseMail => world.mail.retain(|mail| matches!(mail, Report::BatchAccepted(_) | Report::BatchUnclear(_) | Report::Fetched { .. } | Report::FetchFailed { .. })),
                Step::Work(n) => { world.work(n); }
                Step::Kill(n) => {
                    world.agents[n].die();
                }
                Step::Revive(n) => { world.agents[n].up = true; world.connect(n); }
                Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
                Step::Restart => { epoch += 1; world.restart(epoch); }
                Step::Submit => jobs.push(world.submit("1")),
                Step::Cancel(frame) => for job in &jobs {
                    world.tell(Event::Command(Command::CancelJob { job: *job, frames: Some(Frame::try_from(frame).unwrap().into()) })).unwrap();
                }
                Step::Retry => { let _nothing = world.tell(Event::Command(Command::RetryJob { job, frames: None })); }
                Step::Pause => { let _ended = world.tell(Event::Command(Command::Pause(job))); }
                Step::Resume => { world.tell(Event::Command(Command::Resume(job))).unwrap(); }
                Step::Drain(n, now) => { world.tell(Event::Command(Command::Drain { node: node(n), now })).unwrap(); }
                Step::Undrain(n) => { world.tell(Event::Command(Command::Undrain(node(n)))).unwrap(); }
            }
        }
        (0..3).for_each(|n| { world.tell(Event::Command(Command::Undrain(node(n)))).unwrap(); });
        world.tell(Event::Command(Command::Resume(job))).unwrap();
        world.settle();
        for job in jobs {
            let counts = world.farm.job_view(job, world.now()).unwrap().counts;
            prop_assert_eq!(counts.pending + counts.leased + counts.rendering, 0);
            let delivered: BTreeSet<Frame> =
                world.delivered.keys().filter(|(of, ..)| *of == job).map(|(_, frame, _)| *frame).collect();
            prop_assert_eq!(u32::try_from(delivered.len()).unwrap(), counts.delivered);
        }
    }
}
