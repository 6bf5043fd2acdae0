//! The screens as they look.

use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, draw, frame};
use crate::app::fixture::{busy, empty, job_screen, node_screen, silent, why_page};
use crate::app::{Act, Command, Model, Msg, SceneFile, Target, update};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::{Cause, Failure, FailureKind};
use std::time::Duration;

pub(crate) fn picture(model: &Model, colour: bool) -> String {
    let backend = TestBackend::new(model.size.width, model.size.height);
    let mut terminal = Terminal::new(backend).unwrap();
    terminal
        .draw(|frame| draw(model, Look::new(colour), frame))
        .unwrap();
    terminal.backend().to_string()
}

pub(super) fn press(model: &mut Model, keys: &str) {
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

#[test]
fn farm_100x30() {
    assert_snapshot!(picture(&busy(100, 30), true));
}

#[test]
fn farm_80x24() {
    assert_snapshot!(picture(&busy(80, 24), true));
}

#[test]
fn farm_60x20() {
    assert_snapshot!(picture(&busy(60, 20), true));
}

#[test]
fn farm_140x40() {
    assert_snapshot!(picture(&busy(140, 40), true));
}

#[test]
fn farm_without_anything_100x30() {
    assert_snapshot!(picture(&empty(100, 30), true));
}

#[test]
fn events_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "4");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn cancel_dialog_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "c");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn quit_dialog_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "q");
    assert_snapshot!(picture(&model, true));
}

fn file() -> SceneFile {
    let fact = |label, text: &str| (label, text.to_owned());
    SceneFile {
        range: "1-48".parse().ok(),
        facts: vec![
            fact("blender", "5.0"),
            fact("scene", "Scene"),
            fact("size", "1920x1080 at 50 %"),
            fact("engine", "cycles, 512 samples, GPU"),
            fact("format", "OPEN_EXR"),
            fact("camera", "Camera"),
            fact("needs", "1 library, 12 files"),
        ],
        missing: vec!["/s/textures/wood.png".to_owned()],
        warnings: vec!["1 driver has a Python expression: nodes do not run it".to_owned()],
    }
}

#[test]
fn submit_form_at_other_sizes() {
    for (width, height) in [(60, 20), (80, 24), (140, 40)] {
        let mut model = busy(width, height);
        press(&mut model, "n/s/intro_v12.blend\n");
        let generation = model.form.reading;
        let result = Ok(file());
        update(&mut model, Msg::FileRead { generation, result });
        let screen = picture(&model, true);
        assert!(screen.contains("intro_v12.blend"), "{screen}");
    }
}

#[test]
fn the_chosen_word_of_many_is_seen_in_a_narrow_form() {
    let mut model = busy(60, 20);
    press(&mut model, "n");
    model.form.focus = crate::app::Field::Device;
    for chosen in ["auto", "cpu", "cuda", "optix", "hip", "oneapi", "metal"] {
        let screen = picture(&model, true);
        assert!(screen.contains(&format!("[{chosen}]")), "{screen}");
        model.form.turn(1);
    }
}

#[test]
fn submit_form_100x30() {
    let mut model = empty(100, 30);
    press(&mut model, "n/s/a.blend");
    let generation = model.form.reading;
    update(
        &mut model,
        Msg::FileRead {
            generation,
            result: Ok(file()),
        },
    );
    let screen = picture(&model, true);
    assert!(
        screen.contains("48 frames, batches as the farm finds best"),
        "{screen}"
    );
}

#[test]
fn submit_form_80x24_with_an_error() {
    let mut model = empty(80, 24);
    press(&mut model, "n/s/a.blend");
    let generation = model.form.reading;
    update(
        &mut model,
        Msg::FileRead {
            generation,
            result: Err("/s/a.blend is no .blend file".to_owned()),
        },
    );
    let screen = picture(&model, true);
    assert!(screen.contains("is no .blend file"), "{screen}");
}

#[test]
fn connection_lost_100x30() {
    let mut model = busy(100, 30);
    let lost = FarmSignal::Lost {
        error: "connection refused".to_owned(),
        retry_in: Duration::from_secs(4),
    };
    update(&mut model, Msg::Signal(lost));
    assert_snapshot!(picture(&model, true));
}

#[test]
fn help_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "?");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn filtered_100x30() {
    let mut model = busy(100, 30);
    press(&mut model, "/!status:fail user:ana\noozz");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn palette_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, ":cancel");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn keys_that_may_follow_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "g");
    let at = model.wake_at().unwrap();
    update(&mut model, Msg::Tick(at));
    assert_snapshot!(picture(&model, true));
}

#[test]
fn help_searched_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "?/frame");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn typed_answer_80x24() {
    let mut model = busy(80, 24);
    press(&mut model, "/status:run\nCcancel");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn read_only_80x24() {
    let mut model = busy(80, 24);
    model.readonly = true;
    press(&mut model, "c");
    assert_snapshot!(picture(&model, true));
}

#[test]
fn an_act_that_can_be_undone_80x24() {
    let mut model = busy(80, 24);
    let job = farmhand_protocol::JobId(7);
    let target = Target::Job(job);
    let commands = update(&mut model, Msg::Key(KeyCode::Char('p').into()));
    let Some(Command::Act { generation, .. }) = commands.first() else {
        panic!("{commands:?}")
    };
    let generation = *generation;
    let undo = Msg::CanUndo {
        generation,
        target: target.clone(),
        act: Act::Resume(job),
    };
    update(&mut model, undo);
    let done = Msg::Acted {
        generation,
        target,
        result: Ok(()),
    };
    update(&mut model, done);
    assert_snapshot!(picture(&model, true));
}

#[test]
fn too_small() {
    assert_snapshot!(picture(&busy(40, 10), true));
}

#[test]
fn states_are_told_apart_without_colours() {
    // The same letters with and without: nothing is said by colour alone.
    for model in [busy(100, 30), busy(80, 24)] {
        assert_eq!(picture(&model, true), picture(&model, false));
    }
}

/// Every kind of failure in the words of the page, the command line and the log's hint.
#[test]
fn causes_of_every_kind_of_failure() {
    let said: Vec<String> = FailureKind::ALL
        .into_iter()
        .map(|kind| {
            let message = match kind {
                FailureKind::MissingFiles => {
                    "files that the scene names are missing: //textures/wood.png (add them, or render all the \
                     same with --allow-missing)"
                }
                FailureKind::UnsupportedVersion => {
                    "the scene was written by Blender 5.0 and this node has only older ones (3.4.1); add that \
                     Blender, or render all the same with --allow-older-blender"
                }
                FailureKind::DeviceMissing => {
                    "the device optix was asked for, and this node has none that Blender can use"
                }
                FailureKind::BlenderKilled => {
                    "Blender was ended by SIGKILL in the frame; the machine may be out of memory"
                }
                _ => "what the node said",
            };
            let cause = Cause::of(&Failure::new(kind, message));
            format!("{kind:?}\n{}", crate::causes::text(&[cause]))
        })
        .collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn why_80x24() {
    assert_snapshot!(picture(&why_page(80, 24), true));
}

#[test]
fn why_60x20_scrolled() {
    let mut model = why_page(60, 20);
    press(&mut model, "jjj");
    assert_snapshot!(picture(&model, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_size_and_no_row_of_keys_makes_it_panic(
        width in 0_u16..=300, height in 0_u16..=300, keys in "[a-zA-Z0-9?:/!\u{1b}\n +-]{0,16}", known in 0..5,
    ) {
        let mut model = match known {
            0 => silent(width, height),
            1 => empty(width, height),
            2 => job_screen(width, height),
            3 => node_screen(width, height),
            _ => busy(width, height),
        };
        let paint = |model: &Model, look: Look| {
            let area = Rect::new(0, 0, model.size.width, model.size.height);
            frame::paint(model, look, area, &mut Buffer::empty(area));
        };
        paint(&model, Look::new(true));
        press(&mut model, &keys);
        paint(&model, Look { ascii: true, ..Look::new(false) });
        update(&mut model, Msg::Resize(height, width));
        paint(&model, Look::new(false));
    }
}
