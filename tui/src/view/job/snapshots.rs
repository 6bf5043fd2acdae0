//! The job screen as it looks.

use insta::assert_snapshot;

use crate::app::fixture::{frames, job_screen, now};
use crate::app::{JobScreen, Model, Msg, Screen, update};
use crate::view::snapshots::{picture, press};
use farmhand_protocol::farm::{FarmEvent, FrameState, FramesInState, JobView};

fn shown(width: u16, height: u16) -> Model {
    job_screen(width, height)
}

#[test]
fn job_60x20() {
    assert_snapshot!(picture(&shown(60, 20), true));
}

#[test]
fn job_80x24() {
    assert_snapshot!(picture(&shown(80, 24), true));
}

#[test]
fn job_100x30() {
    assert_snapshot!(picture(&shown(100, 30), true));
}

#[test]
fn job_140x40() {
    assert_snapshot!(picture(&shown(140, 40), true));
}

#[test]
fn job_80x24_with_a_selection() {
    let mut model = shown(80, 24);
    press(&mut model, "Vjll");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn job_80x24_asks_before_pictures_are_replaced() {
    let mut model = shown(80, 24);
    press(&mut model, "ggVjR");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn job_100x30_of_a_million_frames() {
    let mut model = shown(100, 30);
    let all = frames("1-1000000");
    if let Some(Screen::Job(screen)) = model.screens.last_mut() {
        screen.map = crate::app::FrameMap::new(all.clone());
        screen.map.apply(
            &[
                (FrameState::Delivered, "1-412000"),
                (FrameState::Failed, "200123"),
                (FrameState::Rendering, "412001-412040"),
            ]
            .map(|(state, text)| FramesInState {
                state,
                frames: frames(text),
            }),
        );
        screen.cursor = 200_122;
        screen.attempts.clear();
    }
    assert_snapshot!(picture(&model, true));
}

#[test]
fn job_80x24_before_it_was_read() {
    let mut model = shown(80, 24);
    let job = farmhand_protocol::JobId(7);
    model.screens.pop();
    model.screens.push(Screen::Job(Box::new(JobScreen::new(job))));
    assert_snapshot!(picture(&model, true));
}

#[test]
fn the_job_screen_reads_without_colours() {
    for (width, height) in [(60, 20), (80, 24), (100, 30), (140, 40)] {
        let model = shown(width, height);
        assert_eq!(picture(&model, true), picture(&model, false));
    }
}

#[test]
fn no_expected_end_is_shown_before_three_frames_are_measured() {
    let mut model = shown(100, 30);
    assert!(picture(&model, true).contains("eta 0:25:00") || picture(&model, true).contains("eta 25:00"));
    let early = JobView {
        eta_ms: None,
        mean_frame_ms: None,
        ..model.farm.jobs[&farmhand_protocol::JobId(7)].clone()
    };
    model.farm.apply(FarmEvent::Job { job: Box::new(early) }, now());
    if let Some(Screen::Job(screen)) = model.screens.last_mut()
        && let Some(output) = &mut screen.output
    {
        output.newest.truncate(2);
    }
    let screen = picture(&model, true);
    assert!(!screen.contains("eta") && !screen.contains("p50"), "{screen}");
    assert!(screen.contains("from the third frame on"), "{screen}");
    update(&mut model, Msg::Resize(80, 24));
}
