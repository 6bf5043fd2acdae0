//! One claim about sharing each.

use super::*;

const GB: u64 = 1_000_000_000;
/// What a Blender has beside its share, in the tests: nothing to speak of.
const LIGHT: u64 = GB / 10;

fn look(scene: &str) -> Look {
    Look(BlobHash::of(scene.as_bytes()))
}

fn machine(threads: u32) -> Machine {
    Machine {
        threads,
        memory_bytes: 16 * GB,
        memory_of_each: None,
    }
}

fn auto(threads: u32) -> Sharing {
    Sharing::new(Slots::Auto, machine(threads), None)
}

fn told(milliseconds: Option<u64>) -> Told {
    Told {
        look: look("a"),
        memory_bytes: LIGHT,
        on_cpu: true,
        measured: milliseconds.map(Duration::from_millis),
    }
}

/// Renders frames that take so long each among so many Blenders, until that is settled.
fn settle(sharing: &mut Sharing, milliseconds: impl Fn(u32) -> u64) -> Lesson {
    for _ in 0..200 {
        let blenders = sharing.blenders(Some(look("a")));
        let lesson = sharing.hear(told(Some(milliseconds(blenders))));
        if let Some(lesson) = lesson.filter(|lesson| lesson.remember.is_some()) {
            return lesson;
        }
    }
    panic!("it never settles: {sharing:?}");
}

#[test]
fn as_many_blenders_as_render_faster_together_are_found() {
    // Frames that take the same on any number of threads.
    let lesson = settle(&mut auto(2), |_| 500);
    assert_eq!(lesson.blenders, 2);
    let said = "2 Blenders at a time render this scene fastest (frames a minute: 120.0 by 1, 240.0 by 2)";
    assert_eq!(lesson.to_string(), said);
    assert_eq!(
        settle(&mut auto(6), |_| 500).blenders,
        4,
        "no more than there are threads"
    );
    assert_eq!(settle(&mut auto(64), |_| 500).blenders, 8);
    let lesson = settle(&mut auto(8), |blenders| if blenders > 4 { 3000 } else { 500 });
    assert_eq!(lesson.blenders, 4, "eight are slower");
}

#[test]
fn one_blender_stays_where_frames_take_twice_as_long_on_half_the_threads() {
    let lesson = settle(&mut auto(8), |blenders| u64::from(blenders) * 500);
    assert_eq!(lesson.blenders, 1);
    let lesson = settle(&mut auto(8), |blenders| u64::from(blenders) * 475);
    assert_eq!(
        lesson.blenders, 1,
        "five percent are not worth a Blender's memory"
    );
}

#[test]
fn a_number_of_blenders_is_judged_by_three_frames_of_each() {
    let mut sharing = auto(4);
    for milliseconds in [500, 9000] {
        assert_eq!(sharing.hear(told(Some(milliseconds))), None);
    }
    let lesson = sharing.hear(told(Some(500))).unwrap();
    assert_eq!((lesson.blenders, lesson.remember), (2, None));
    for _ in 0..5 {
        assert_eq!(sharing.hear(told(Some(500))), None);
        assert_eq!(sharing.hear(told(None)), None, "it is not comparable");
    }
    assert_eq!(sharing.hear(told(Some(500))).unwrap().blenders, 4);
}

#[test]
fn more_blenders_than_memory_is_enough_for_are_not_tried() {
    let heavy = |sharing: &mut Sharing, memory_bytes| {
        let frame = Told {
            memory_bytes,
            ..told(Some(500))
        };
        (0..3)
            .find_map(|_| sharing.hear(frame))
            .map(|lesson| lesson.blenders)
    };
    assert_eq!(heavy(&mut auto(4), 7 * GB), Some(2));
    assert_eq!(
        heavy(&mut auto(4), 71 * GB / 10),
        Some(1),
        "14 GB of 16 may be taken"
    );

    let mut sharing = auto(4);
    settle(&mut sharing, |_| 500);
    assert_eq!(heavy(&mut sharing, 4 * GB), Some(2), "later frames need more");
    assert_eq!(heavy(&mut sharing, 4 * GB), None);
    assert_eq!(sharing.too_many(look("a")).map(|lesson| lesson.blenders), Some(1));
    assert_eq!(sharing.too_many(look("a")), None);
}

#[test]
fn a_gpu_is_not_shared() {
    let mut sharing = auto(8);
    let frame = Told {
        on_cpu: false,
        ..told(None)
    };
    assert_eq!(sharing.hear(frame).unwrap().blenders, 1);
    assert_eq!(sharing.hear(told(Some(500))), None, "it is settled");
}

#[test]
fn what_was_learnt_outlives_the_agent_but_not_its_machine() {
    let learnt = settle(&mut auto(4), |_| 500).remember.unwrap();
    let json = serde_json::to_string(&learnt).unwrap();
    let read = |threads| {
        let learnt = serde_json::from_str(&json).unwrap();
        let sharing = Sharing::new(Slots::Auto, machine(threads), Some(learnt));
        (
            sharing.blenders(Some(look("a"))),
            sharing.blenders(Some(look("b"))),
            sharing.blenders(None),
        )
    };
    assert_eq!(read(4), (4, 1, 1));
    assert_eq!(read(16), (1, 1, 1));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut sharing = auto(1);
    for n in 0..MOST_LOOKS + 5 {
        let frame = Told {
            look: look(&n.to_string()),
            ..told(Some(500))
        };
        (0..3).for_each(|_| drop(sharing.hear(frame)));
    }
    let learnt = sharing.learnt().looks;
    assert_eq!((learnt.len(), learnt[0].look), (MOST_LOOKS, look("5")));
}

#[test]
fn a_number_that_was_set_stays() {
    let mut sharing = Sharing::new(Slots::Fixed(3), machine(8), None);
    assert!((0..50).all(|_| sharing.hear(told(Some(500))).is_none()));
    assert_eq!((sharing.blenders(Some(look("a"))), sharing.most()), (3, 3));
    let share = Share {
        threads: 2,
        memory_bytes: 16 * GB / 3,
    };
    assert_eq!(sharing.share(1, 1), share);
}
