//! Keys and events on the job screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::farm::{FarmEvent, FrameState, FramesInState, JobState};
use farmhand_protocol::{Frame, JobId};

use crate::app::fixture::{busy, detail, frames, job_screen};
use crate::app::{Act, Command, JobScreen, Model, Msg, Overlay, Screen, Shade, Target, update};

const J7: JobId = JobId(7);

fn press(model: &mut Model, keys: &str) -> Vec<Command> {
    let keys = keys.chars().map(|letter| match letter {
        '\n' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\u{1b}' => KeyCode::Esc,
        letter => KeyCode::Char(letter),
    });
    keys.flat_map(|code| update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))))
        .collect()
}

fn screen(model: &Model) -> &JobScreen {
    model.job_screen().expect("the job screen is on top")
}

fn frame_at_cursor(model: &Model) -> i32 {
    let screen = screen(model);
    screen.map.frame(screen.cursor).map_or(0, Frame::get)
}

fn states(model: &mut Model, state: FrameState, text: &str) {
    let states = vec![FramesInState {
        state,
        frames: frames(text),
    }];
    let event = FarmEvent::Frames { job: J7, states };
    update(model, Msg::Signal(FarmSignal::Event(event)));
}

fn acts(commands: &[Command]) -> Vec<(&Target, &Act)> {
    let acts = commands.iter().filter_map(|command| match command {
        Command::Act { target, act, .. } => Some((target, act)),
        _ => None,
    });
    acts.collect()
}

fn dialog(model: &Model) -> String {
    match &model.overlay {
        Some(Overlay::Dialog(dialog)) => format!("{}\n{}", dialog.title, dialog.lines.join("\n")),
        other => panic!("no question is asked: {other:?}"),
    }
}

#[test]
fn enter_on_a_job_opens_its_screen_on_what_matters_most_there() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "\n");
    assert!(commands.contains(&Command::LoadJob { job: J7 }), "{commands:?}");
    let commands = update(
        &mut model,
        Msg::JobLoaded {
            job: J7,
            result: Ok(Box::new(detail())),
        },
    );
    assert_eq!(frame_at_cursor(&model), 142, "the first failed frame");
    let frame = Frame::try_from(142).unwrap();
    assert_eq!(commands, [Command::LoadFrame { job: J7, frame }]);
    press(&mut model, "\u{1b}");
    assert_eq!(*model.screen(), Screen::Farm);
}

#[test]
fn frames_stay_as_the_last_event_said_though_an_older_answer_comes_later() {
    let mut model = busy(100, 30);
    press(&mut model, "\n");
    states(&mut model, FrameState::Delivered, "158");
    update(
        &mut model,
        Msg::JobLoaded {
            job: J7,
            result: Ok(Box::new(detail())),
        },
    );
    let place = screen(&model)
        .map
        .position(Frame::try_from(158).unwrap())
        .unwrap();
    assert_eq!(screen(&model).map.shade(place), Some(Shade::Delivered));
    states(&mut model, FrameState::Rendering, "160");
    assert_eq!(screen(&model).map.count(Shade::Rendering), 2);
}

#[test]
fn f_goes_from_one_failed_frame_to_the_next_round_and_round() {
    let mut model = job_screen(100, 30);
    assert_eq!(frame_at_cursor(&model), 142);
    press(&mut model, "f");
    assert_eq!(frame_at_cursor(&model), 150);
    press(&mut model, "f");
    assert_eq!(frame_at_cursor(&model), 142);
    states(&mut model, FrameState::Delivered, "142,150");
    press(&mut model, "f");
    assert_eq!(frame_at_cursor(&model), 142, "it stays");
    assert!(model.toast.is_some(), "and says that there is none");
}

#[test]
fn a_selection_follows_the_cursor_and_esc_gives_it_up_first() {
    let mut model = job_screen(100, 30);
    press(&mut model, "ggVlll");
    let layout = crate::app::JobLayout::of(model.size, screen(&model)).unwrap();
    assert_eq!(screen(&model).selection(layout.grid), 0..4);
    press(&mut model, "j");
    assert_eq!(screen(&model).selection(layout.grid), 0..4 + layout.grid.columns);
    press(&mut model, "\u{1b}");
    assert_eq!(screen(&model).anchor, None);
    press(&mut model, "\u{1b}");
    assert_eq!(*model.screen(), Screen::Farm);
}

#[test]
fn cancelling_a_selection_names_its_open_frames_and_what_is_lost() {
    let mut model = job_screen(100, 30);
    press(&mut model, "GVhhhh");
    press(&mut model, "c");
    let asked = dialog(&model);
    assert!(asked.contains("5 frames not delivered (246-250)"), "{asked}");
    assert!(press(&mut model, "n").is_empty(), "the safe button does nothing");
    press(&mut model, "c");
    let commands = press(&mut model, "y");
    let wanted = Act::CancelFrames {
        job: J7,
        frames: frames("246-250"),
    };
    assert_eq!(acts(&commands), [(&Target::Job(J7), &wanted)]);
}

#[test]
fn frames_of_delivered_pictures_are_rendered_again_only_after_a_question() {
    let mut model = job_screen(100, 30);
    // 139 to 142: three delivered ones and a failed one.
    press(&mut model, "Vhhh");
    assert!(acts(&press(&mut model, "R")).is_empty());
    let asked = dialog(&model);
    assert!(asked.contains("3 frames delivered already (139-141)"), "{asked}");
    assert!(asked.contains("1 frame failed or cancelled"), "{asked}");
    let commands = press(&mut model, "y");
    let wanted = Act::RetryFrames {
        job: J7,
        frames: frames("139-142"),
    };
    assert_eq!(acts(&commands), [(&Target::Job(J7), &wanted)]);

    let mut model = job_screen(100, 30);
    let commands = press(&mut model, "R");
    let wanted = Act::RetryFrames {
        job: J7,
        frames: frames("142"),
    };
    assert_eq!(
        acts(&commands),
        [(&Target::Job(J7), &wanted)],
        "nothing is replaced"
    );
}

#[test]
fn r_retries_what_failed_of_the_job_of_the_selection_or_of_the_batch() {
    let mut model = job_screen(100, 30);
    assert_eq!(
        acts(&press(&mut model, "r")),
        [(&Target::Job(J7), &Act::RetryJob(J7))]
    );
    let mut model = job_screen(100, 30);
    press(&mut model, "Vl");
    let wanted = Act::RetryFrames {
        job: J7,
        frames: frames("142"),
    };
    assert_eq!(acts(&press(&mut model, "r")), [(&Target::Job(J7), &wanted)]);
    let mut model = job_screen(100, 30);
    press(&mut model, "\tjj");
    let id = *screen(&model).batches.selected().unwrap();
    assert_eq!(
        acts(&press(&mut model, "r")),
        [(&Target::Batch(id), &Act::RetryBatch(id))]
    );
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut model = job_screen(100, 30);
    press(&mut model, "gg");
    assert!(press(&mut model, "c").is_empty());
    let said = &model.toast.as_ref().unwrap().text;
    assert!(
        said.contains("none of the selected frames is still to be rendered"),
        "{said}"
    );
    let ended = farmhand_protocol::farm::JobView {
        state: JobState::Completed,
        ..model.farm.jobs[&J7].clone()
    };
    let event = FarmEvent::Job { job: Box::new(ended) };
    update(&mut model, Msg::Signal(FarmSignal::Event(event)));
    for (key, words) in [
        ("C", "is completed"),
        ("p", "is completed"),
        ("+", "is completed"),
    ] {
        assert!(press(&mut model, key).is_empty(), "{key}");
        let said = &model.toast.as_ref().unwrap().text;
        assert!(said.contains(words), "{key}: {said}");
    }
}

#[test]
fn priority_goes_up_and_down_by_ten_within_its_bounds() {
    let mut model = job_screen(100, 30);
    let commands = press(&mut model, "+");
    let wanted = Act::SetPriority {
        job: J7,
        priority: 60,
    };
    assert_eq!(acts(&commands), [(&Target::Job(J7), &wanted)]);
    let mut model = job_screen(100, 30);
    let commands = press(&mut model, "-");
    let wanted = Act::SetPriority {
        job: J7,
        priority: 40,
    };
    assert_eq!(acts(&commands), [(&Target::Job(J7), &wanted)]);
}

#[test]
fn a_failed_attempt_makes_the_job_read_anew_at_the_next_second() {
    let mut model = job_screen(100, 30);
    let now = model.now;
    update(&mut model, Msg::Tick(now));
    states(&mut model, FrameState::Rendering, "160");
    let quiet = update(&mut model, Msg::Tick(now));
    assert!(!quiet.contains(&Command::LoadJob { job: J7 }), "{quiet:?}");
    states(&mut model, FrameState::Pending, "160");
    let commands = update(&mut model, Msg::Tick(now));
    assert!(commands.contains(&Command::LoadJob { job: J7 }), "{commands:?}");
}

#[test]
fn w_asks_about_the_frame_at_the_cursor_or_the_batch() {
    let mut model = job_screen(100, 30);
    let commands = press(&mut model, "w");
    let [Command::LoadWhy { subject }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        *subject,
        crate::app::WhySubject::Frame(J7, Frame::try_from(142).unwrap())
    );
    press(&mut model, "\u{1b}\t");
    let commands = press(&mut model, "w");
    let [Command::LoadWhy { subject }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert!(matches!(subject, crate::app::WhySubject::Batch(_)), "{subject:?}");
}
