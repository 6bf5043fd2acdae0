//! One claim about slots each: scenes loaded ahead, and how the machine is shared.

use std::time::Duration;

use super::*;
use crate::batches::sharing::Share;

/// A batch with one frame in slot 0, and one of another scene behind it.
fn before_another_scene() -> Batches {
    let mut board = running(&[(1, "1-3")]);
    board.take_frame(0);
    let other = SceneHash::of(b"other");
    let next = StartBatch {
        scene: other,
        ..request(2, "1-3")
    };
    board.start(next).unwrap();
    board
}

const LEAD: Duration = Duration::from_secs(30);

#[test]
fn the_next_scene_is_loaded_ahead_when_the_running_batch_is_nearly_begun() {
    let mut board = before_another_scene();
    assert_eq!(
        board.to_load_ahead(LEAD),
        None,
        "nobody knows how long a frame takes"
    );
    let slow = FinishedFrame {
        render_ms: 29_000,
        peak_memory_bytes: 7,
        ..done(1)
    };
    board.frame_finished(0, slow, None);
    board.take_frame(0);
    let ahead = board.to_load_ahead(LEAD).unwrap();
    assert_eq!((ahead.key, ahead.heaviest_bytes), (named(2), 7));
    assert_eq!(board.to_load_ahead(Duration::from_secs(28)), None);
    board.frame_failed(0, failed(2, FailureKind::RenderError));
    board.take_frame(0);
    assert!(
        board.to_load_ahead(Duration::ZERO).is_some(),
        "the last frame has begun"
    );
}

#[test]
fn nothing_is_loaded_ahead_for_a_free_slot_or_for_the_scene_that_is_loaded() {
    let mut board = before_another_scene();
    board.cancel(named(2)).unwrap();
    board.start(request(3, "4-6")).unwrap();
    board.revoke(named(1), &"2-3".parse().unwrap()).unwrap();
    assert_eq!(board.to_load_ahead(LEAD), None, "the same scene follows");

    let mut two = Batches::new(sharing(Slots::Fixed(2)), HashMap::new());
    two.start(request(1, "1")).unwrap();
    two.next(0).unwrap();
    two.take_frame(0);
    let other = SceneHash::of(b"other");
    let next = StartBatch {
        scene: other,
        ..request(2, "1")
    };
    two.start(next).unwrap();
    assert_eq!(two.to_load_ahead(LEAD), None, "a slot is free");
}

/// A board that measures, with these batches of a scene each.
fn measuring(batches: &[(u64, &str, &str)]) -> Batches {
    let mut board = Batches::new(sharing(Slots::Auto), HashMap::new());
    for (batch, scene, frames) in batches {
        let request = StartBatch {
            scene: SceneHash::of(scene.as_bytes()),
            ..request(*batch, frames)
        };
        board.start(request).unwrap();
    }
    board
}

/// The slot takes a frame and begins it; the share that it has.
fn begin(board: &mut Batches, slot: u32) -> Share {
    let frame = board.take_frame(slot).unwrap();
    let share = board.share(slot);
    board.frame_started(slot, frame);
    share
}

/// The slot ends its frame, which took a second.
fn finish(board: &mut Batches, slot: u32) -> Vec<Change> {
    board.frame_finished(slot, done(1), Some(Duration::from_secs(1)))
}

/// A board that has learnt that two Blenders render a scene best, with nothing to do.
fn two_are_best() -> Batches {
    let mut board = measuring(&[(101, "two", "1-30")]);
    board.next(0).unwrap();
    for _ in 0..4 {
        begin(&mut board, 0);
        finish(&mut board, 0);
    }
    assert_eq!(board.slots(), 2);
    board.cancel(named(101)).unwrap();
    board.slot_free(0);
    board
}

/// Adds batches to it.
fn add(board: &mut Batches, batches: &[(u64, &str, &str)]) {
    for (batch, scene, frames) in batches {
        let request = StartBatch {
            scene: SceneHash::of(scene.as_bytes()),
            ..request(*batch, frames)
        };
        board.start(request).unwrap();
    }
}

#[test]
fn a_scene_that_nobody_knows_has_one_slot_with_all_threads_until_it_is_measured() {
    let mut board = measuring(&[(1, "a", "1-20"), (2, "a", "21-40")]);
    assert!(board.next(1).is_none());
    board.next(0).unwrap();
    assert!(board.next(1).is_none());
    for _ in 0..3 {
        assert_eq!(begin(&mut board, 0).threads, 4);
        assert_eq!(
            finish(&mut board, 0).len(),
            1,
            "the first frame is not like those after it"
        );
    }
    begin(&mut board, 0);
    let changes = finish(&mut board, 0);
    assert!(
        matches!(changes[1..], [Change::Learnt(_), Change::Slots(2), Change::Wake]),
        "{changes:?}"
    );
    assert_eq!(
        begin(&mut board, 0).threads,
        2,
        "the other batch is about to begin"
    );
    assert!(board.next(1).is_some());
}

#[test]
fn frames_that_were_loaded_for_or_had_not_the_same_beside_them_are_not_compared() {
    let mut board = measuring(&[(1, "a", "1-40")]);
    board.next(0).unwrap();
    for _ in 0..10 {
        begin(&mut board, 0);
        board.frame_finished(0, done(1), None);
    }
    assert_eq!(board.slots(), 1, "each had to load its scene");

    let mut board = two_are_best();
    add(&mut board, &[(1, "two", "1-40"), (2, "two", "41-80")]);
    board.next(0).unwrap();
    for _ in 0..30 {
        begin(&mut board, 0);
        finish(&mut board, 0);
    }
    assert_eq!(board.slots(), 2, "one Blender alone says nothing about two");
    board.next(1).unwrap();
    begin(&mut board, 0);
    finish(&mut board, 0);
    begin(&mut board, 0);
    begin(&mut board, 1);
    finish(&mut board, 1); // Its first.
    begin(&mut board, 1);
    finish(&mut board, 0); // It began while the other loaded.
    for _ in 0..6 {
        assert_eq!(board.slots(), 2);
        finish(&mut board, 1);
        begin(&mut board, 1);
    }
    assert_eq!(board.slots(), 4);
}

#[test]
fn a_scene_of_fewer_slots_waits_until_the_others_have_ended_and_what_is_behind_it_too() {
    let mut board = two_are_best();
    add(&mut board, &[(1, "two", "1-9"), (2, "two", "1-9")]);
    board.next(0).unwrap();
    board.next(1).unwrap();
    add(
        &mut board,
        &[(3, "one", "1-9"), (4, "two", "1-9"), (5, "two", "1-9")],
    );
    board.slot_free(0);
    assert!(
        board.next(0).is_none(),
        "one slot for it, and another batch is at work"
    );
    assert!(board.next(2).is_none());
    begin(&mut board, 1);
    board.slot_free(1);
    assert!(board.next(1).is_none(), "it runs in the first slot");
    let (_, changes) = board.next(0).unwrap();
    assert!(changes.contains(&Change::Slots(1)), "{changes:?}");
    assert!(
        changes.contains(&Change::Wake),
        "what is behind it may begin elsewhere"
    );
    assert!(
        board.next(1).is_some(),
        "two may be at work where the next one is rendered"
    );
    assert_eq!(board.slots(), 2);
}

#[test]
fn the_last_frames_of_a_scene_have_all_threads() {
    let mut board = two_are_best();
    add(&mut board, &[(1, "two", "1-3"), (2, "two", "4")]);
    board.next(0).unwrap();
    assert_eq!(begin(&mut board, 0).threads, 2, "another batch is about to begin");
    board.next(1).unwrap();
    assert_eq!(begin(&mut board, 1).threads, 2);
    finish(&mut board, 1);
    board.slot_free(1);
    finish(&mut board, 0);
    assert_eq!(begin(&mut board, 0).threads, 2, "more may come");
    finish(&mut board, 0);
    let last = begin(&mut board, 0);
    assert_eq!((last.threads, last.memory_bytes), (4, 8 * GB));
}

#[test]
fn a_frame_that_needs_more_than_its_share_of_the_memory_is_rendered_again_alone() {
    let mut board = two_are_best();
    add(&mut board, &[(1, "two", "1-3"), (2, "two", "4-6")]);
    board.next(0).unwrap();
    board.next(1).unwrap();
    begin(&mut board, 0);
    assert_eq!(begin(&mut board, 1).memory_bytes, 8 * GB);
    let changes = board.frame_failed(1, failed(4, FailureKind::OutOfMemory));
    assert_eq!(changes[0], Change::Phase(named(2), BatchPhase::Queued));
    assert!(changes.contains(&Change::Slots(1)), "{changes:?}");
    assert_eq!(board.take_frame(1), None);
    assert_eq!(board.slot_free(1), []);
    assert!(board.next(1).is_none() && board.next(0).is_none());
    board.slot_free(0);
    board.next(0).unwrap();
    let report = board.report(named(2)).unwrap();
    assert_eq!(
        (report.waiting.to_string().as_str(), report.failed.len()),
        ("4-6", 0)
    );
    assert_eq!(begin(&mut board, 0).memory_bytes, 16 * GB);
    let changes = board.frame_failed(0, failed(4, FailureKind::OutOfMemory));
    assert!(
        matches!(changes[..], [Change::Failed(..)]),
        "there is no more: {changes:?}"
    );
}
