//! One claim about the board each; no Blender, no files.

use farmhand_protocol::agent::{FrameFile, Proof};
use farmhand_protocol::{BatchId, BlobHash, Device, Failure, FailureKind, JobId, RenderSettings};
use uuid::Uuid;

use super::super::sharing::Machine;
use super::*;
use crate::config::Slots;

#[path = "board/slots_tests.rs"]
mod slots;

const GB: u64 = 1_000_000_000;

/// A machine of 4 threads.
fn sharing(slots: Slots) -> Sharing {
    let machine = Machine {
        threads: 4,
        memory_bytes: 16 * GB,
        memory_of_each: None,
    };
    Sharing::new(slots, machine, None)
}

fn request(batch: u64, frames: &str) -> StartBatch {
    StartBatch {
        farm: FarmId(Uuid::from_u128(1)),
        epoch: Epoch(1),
        batch: BatchId(batch),
        job: JobId(1),
        scene: SceneHash::of(b""),
        frames: frames.parse().unwrap(),
        settings: RenderSettings::default(),
        blender: None,
        before: None,
        sources: Vec::new(),
    }
}

fn named(batch: u64) -> BatchKey {
    key(&request(batch, "1"))
}

fn frame(number: i64) -> Frame {
    Frame::try_from(number).unwrap()
}

fn done(number: i64) -> FinishedFrame {
    FinishedFrame {
        frame: frame(number),
        files: vec![FrameFile {
            path: format!("{number:04}.png").parse().unwrap(),
            hash: BlobHash::of(b"x"),
            size: 1,
            proof: Proof::Decoded,
        }],
        render_ms: 1,
        peak_memory_bytes: 0,
        device: Device::Cpu,
        film: None,
    }
}

fn failed(number: i64, kind: FailureKind) -> FailedFrame {
    FailedFrame {
        frame: frame(number),
        failure: Failure::new(kind, "why"),
    }
}

fn board(slots: u32, batches: &[(u64, &str)]) -> Batches {
    let mut board = Batches::new(sharing(Slots::Fixed(slots)), HashMap::new());
    for (batch, frames) in batches {
        board.start(request(*batch, frames)).unwrap();
    }
    board
}

/// The board with its first batch in slot 0.
fn running(batches: &[(u64, &str)]) -> Batches {
    let mut board = board(1, batches);
    board.next(0).unwrap();
    board
}

fn phase(board: &Batches, batch: u64) -> BatchPhase {
    board.phase(named(batch)).unwrap()
}

#[test]
fn a_batch_goes_from_queued_to_completed_frame_by_frame() {
    let mut board = board(1, &[(1, "-1-0")]);
    assert_eq!(phase(&board, 1), BatchPhase::Queued);
    board.next(0).unwrap();
    assert_eq!(phase(&board, 1), BatchPhase::Loading);
    assert_eq!(board.take_frame(0), Some(frame(-1)));
    let changes = board.frame_started(0, frame(-1));
    let expected = [
        Change::Phase(named(1), BatchPhase::Rendering),
        Change::Started(named(1), frame(-1)),
    ];
    assert_eq!(changes, expected);
    assert_eq!(
        board.frame_finished(0, done(-1), None),
        [Change::Finished(named(1), done(-1))]
    );
    assert_eq!(board.take_frame(0), Some(frame(0)));
    board.frame_finished(0, done(0), None);
    assert_eq!(board.take_frame(0), None);
    assert!(
        board
            .slot_free(0)
            .contains(&Change::Ended(named(1), BatchPhase::Completed))
    );
    let report = board.report(named(1)).unwrap();
    assert_eq!((report.finished.len(), report.waiting.len()), (2, 0));
}

#[test]
fn the_same_batch_sent_twice_starts_once_and_another_one_of_its_name_never() {
    let mut board = running(&[(1, "1-5")]);
    let again = StartBatch {
        epoch: Epoch(2),
        before: Some(BatchId(9)),
        ..request(1, "1-5")
    };
    assert_eq!(board.start(again), Ok(Vec::new()));
    assert_eq!(
        board.start(request(1, "1-6")),
        Err(StartError::Different(named(1)))
    );
    assert_eq!(board.reports().len(), 1);
}

#[test]
fn an_orchestrator_that_was_replaced_is_refused() {
    let mut board = board(1, &[]);
    let newer = StartBatch {
        epoch: Epoch(5),
        ..request(1, "1")
    };
    let farm = newer.farm;
    assert!(
        board
            .start(newer)
            .unwrap()
            .contains(&Change::Epoch(farm, Epoch(5)))
    );
    assert_eq!(
        board.start(request(2, "1")),
        Err(StartError::StaleEpoch { seen: Epoch(5) })
    );
    let other = StartBatch {
        farm: FarmId(Uuid::from_u128(2)),
        ..request(2, "1")
    };
    assert!(board.start(other).is_ok(), "another farm counts its own epochs");
}

#[test]
fn a_batch_that_should_go_first_goes_before_what_has_not_started() {
    let mut board = running(&[(1, "1"), (2, "1"), (3, "1")]);
    let before = |batch, before| StartBatch {
        before: Some(BatchId(before)),
        ..request(batch, "1")
    };
    board.start(before(4, 3)).unwrap();
    board.start(before(5, 1)).unwrap(); // Runs already: as early as can be.
    board.start(before(6, 77)).unwrap();
    board.slot_free(0);
    let order: Vec<u64> = std::iter::from_fn(|| {
        let next = board.next(0)?.0.batch.0;
        board.slot_free(0);
        Some(next)
    })
    .collect();
    assert_eq!(order, [5, 2, 4, 3, 6]);
}

#[test]
fn cancelling_a_running_batch_stops_it_and_keeps_nothing() {
    let mut board = running(&[(1, "1-5")]);
    board.take_frame(0);
    board.frame_finished(0, done(1), None);
    board.take_frame(0);
    let (cancelled, changes) = board.cancel(named(1)).unwrap();
    assert_eq!(
        (cancelled, changes),
        (Cancelled::Stopping, vec![Change::Stop(named(1))])
    );
    assert_eq!(board.cancel(named(1)).unwrap(), (Cancelled::Stopping, Vec::new()));
    assert_eq!(board.take_frame(0), None);
    assert!(
        board
            .slot_free(0)
            .contains(&Change::Ended(named(1), BatchPhase::Cancelled))
    );
    assert_eq!(board.report(named(1)).unwrap().finished, []);
    assert_eq!(board.acknowledge(named(1), frame(1)), None);
}

#[test]
fn a_late_repetition_of_a_forgotten_batch_starts_nothing() {
    let mut board = board(1, &[(1, "1")]);
    assert_eq!(board.cancel(named(1)).unwrap().0, Cancelled::Ended);
    assert_eq!(
        board.start(request(1, "1")),
        Ok(Vec::new()),
        "it is here, and ended"
    );
    let forgotten = (Cancelled::Forgotten, vec![Change::Forgotten(named(1))]);
    assert_eq!(board.cancel(named(1)).unwrap(), forgotten);
    assert_eq!(board.cancel(named(1)), None);
    assert_eq!(board.start(request(1, "1")), Err(StartError::Forgotten(named(1))));
    assert!(board.next(0).is_none());
}

#[test]
fn a_failure_that_all_frames_share_ends_the_batch_and_leaves_the_others_waiting() {
    let mut board = running(&[(1, "1-3")]);
    board.take_frame(0);
    board.frame_failed(0, failed(1, FailureKind::MissingFiles));
    assert_eq!(board.take_frame(0), None);
    board.slot_free(0);
    let report = board.report(named(1)).unwrap();
    assert_eq!(
        (report.phase, report.waiting.to_string()),
        (BatchPhase::Failed, "2-3".to_owned())
    );
}

#[test]
fn a_failure_of_one_frame_leaves_the_next_ones_their_turn() {
    let mut board = running(&[(1, "1-2")]);
    board.take_frame(0);
    board.frame_failed(0, failed(1, FailureKind::BlenderKilled));
    assert_eq!(board.take_frame(0), Some(frame(2)));
    board.frame_finished(0, done(2), None);
    assert_eq!(board.take_frame(0), None);
    board.slot_free(0);
    assert_eq!(phase(&board, 1), BatchPhase::Completed);
}

#[test]
fn only_frames_that_have_not_begun_can_be_taken_back() {
    let mut board = running(&[(1, "1-6"), (2, "1-2")]);
    board.take_frame(0);
    let (revoked, changes) = board.revoke(named(1), &"1-3,6,9".parse().unwrap()).unwrap();
    assert_eq!(revoked.to_string(), "2-3,6");
    assert_eq!(changes, [Change::Revoked(named(1), revoked)]);
    let report = board.report(named(1)).unwrap();
    assert_eq!(
        (report.frames.to_string(), report.waiting.to_string()),
        ("1,4-5".into(), "4-5".into())
    );
    board.frame_finished(0, done(1), None);
    assert_eq!(board.take_frame(0), Some(frame(4)));
    board.revoke(named(2), &"1-2".parse().unwrap()).unwrap();
    assert_eq!(phase(&board, 2), BatchPhase::Completed, "nothing of it is left");
}

#[test]
fn an_acknowledgement_may_come_again() {
    let mut board = running(&[(1, "1-2")]);
    board.take_frame(0);
    board.frame_finished(0, done(1), None);
    let news = vec![Change::Acknowledged(named(1), frame(1))];
    assert_eq!(board.acknowledge(named(1), frame(1)), Some(news));
    assert_eq!(board.acknowledge(named(1), frame(1)), Some(Vec::new()));
    assert_eq!(board.acknowledge(named(1), frame(2)), None);
    assert_eq!(board.report(named(1)).unwrap().acknowledged.to_string(), "1");
}

#[test]
fn an_agent_that_ends_in_mid_frame_leaves_the_batch_interrupted_and_the_frame_waiting() {
    let mut board = running(&[(1, "1")]);
    board.take_frame(0);
    board.slot_free(0);
    let report = board.report(named(1)).unwrap();
    assert_eq!(
        (report.phase, report.waiting.to_string()),
        (BatchPhase::Interrupted, "1".into())
    );
}

#[test]
fn a_slot_is_free_again_in_the_moment_in_which_its_batch_has_ended() {
    let mut board = board(1, &[]);
    board.start_at_once(request(1, "1")).unwrap();
    assert_eq!(board.start_at_once(request(2, "1")), Err(StartError::NoFreeSlot));
    board.next(0).unwrap();
    board.take_frame(0);
    board.frame_finished(0, done(1), None);
    assert_eq!(board.start_at_once(request(2, "1")), Err(StartError::NoFreeSlot));
    board.slot_free(0);
    assert!(board.start_at_once(request(2, "1")).is_ok());
}

#[test]
fn the_past_is_bounded_but_never_at_the_cost_of_a_frame_that_nobody_has_fetched() {
    let mut board = Batches::new(sharing(Slots::Fixed(1)), HashMap::new());
    for batch in 1..=1_500 {
        board.start(request(batch, "1")).unwrap();
        board.next(0).unwrap();
        board.take_frame(0);
        if batch == 1 {
            board.frame_finished(0, done(1), None);
        } else {
            board.frame_failed(0, failed(1, FailureKind::TimedOut));
        }
        board.slot_free(0);
    }
    assert_eq!(board.reports().len(), MOST_ENDED);
    assert_eq!(board.report(named(1)).unwrap().finished.len(), 1);
    assert_eq!(board.phase(named(2)), None);
}
