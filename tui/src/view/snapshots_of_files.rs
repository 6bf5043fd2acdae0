//! The log and the preview as they look, and what their keys do.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_protocol::agent::{FrameFile, Proof};
use farmhand_protocol::farm::{FrameState, FrameView};
use farmhand_protocol::{BlobHash, Frame, JobId, NodeId};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use uuid::Uuid;

use super::{Look, draw};
use crate::app::fixture::busy;
use crate::app::{
    Command, Context, Model, Msg, PictureRequest, Screen, ShownFrame, ShownPicture, Which, update,
};
use crate::pictures::Picture;

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (100, 30), (140, 40)];

fn drawn(model: &Model) -> String {
    let backend = TestBackend::new(model.size.width, model.size.height);
    let mut terminal = Terminal::new(backend).unwrap();
    let look = Look::new(true);
    terminal.draw(|frame| draw(model, look, frame)).unwrap();
    terminal.backend().to_string()
}

fn press(model: &mut Model, keys: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            _ => KeyCode::Char(letter),
        };
        commands.extend(update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))));
    }
    commands
}

const LOG: &str = "\
--- batch b11 on rtx-04 ---
Blender 5.0.1 (hash a3db93c5b259 built 2025-12-16 01:32:58)
Read blend: \"/scenes/intro_v12.blend\"
--- frame 142 ---
Fra:142 Mem:9.10G (Peak 9.60G) | Time:00:24.10 | Remaining:00:07.00 | Mem:9.10G, Peak:9.60G | Scene, ViewLayer | Sample 400/512
Fra:142 Mem:9.10G (Peak 9.60G) | Time:00:26.40 | Remaining:00:05.00 | Mem:9.10G, Peak:9.60G | Scene, ViewLayer | Sample 432/512
Warning: texture wood.png missing, using pink
\u{1b}[31mCUDA error: out of memory\u{1b}[0m in cuMemAlloc
Error: Out of memory
Segmentation fault (core dumped)
--- frame 142 failed: Blender was ended by signal 11 while it rendered frame 142 ---
";

/// A dashboard that shows the log of the failed frame of job 7.
fn with_log(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    let commands = press(&mut model, "l");
    let [
        Command::LoadLog {
            generation,
            job,
            frame,
        },
    ] = commands[..]
    else {
        panic!("l reads the log: {commands:?}")
    };
    assert_eq!((job, frame), (JobId(7), Frame::try_from(142).unwrap()));
    update(
        &mut model,
        Msg::LogLoaded {
            generation,
            result: Ok(LOG.to_owned()),
        },
    );
    model
}

fn view(number: i64, state: FrameState) -> FrameView {
    FrameView {
        frame: Frame::try_from(number).unwrap(),
        state,
        attempts: 0,
        failure: None,
        files: Vec::new(),
        node: None,
        render_ms: None,
    }
}

fn delivered(number: i64) -> FrameView {
    let name = format!("intro_v12_{number:04}.exr");
    FrameView {
        files: vec![FrameFile {
            hash: BlobHash::of(name.as_bytes()),
            path: name.parse().unwrap(),
            size: 25_270_682,
            proof: Proof::default(),
        }],
        node: Some(NodeId(Uuid::from_u128(2))),
        render_ms: Some(31_400),
        ..view(number, FrameState::Delivered)
    }
}

fn shown(request: &PictureRequest, number: i64) -> ShownFrame {
    let (width, height) = (usize::from(request.room.width), usize::from(request.room.height));
    let shades = ["  ", "..", "::", "==", "##", "@@"];
    let line = |y: usize| -> String {
        let letters = (0..width).map(|x| shades[(x * 3 / width.max(1) + y * 3 / height.max(1)).min(5)]);
        letters.map(|two| &two[..1]).collect()
    };
    ShownFrame {
        frame: delivered(number),
        previous: Some(delivered(number - 1)),
        next: Some(view(number + 1, FrameState::Rendering)),
        picture: Some(ShownPicture {
            picture: Arc::new(Picture::Letters((0..height).map(line).collect())),
            file: 0,
            pixels: (1920, 1080),
            depth: "half RGBA".to_owned(),
            layers: vec!["ViewLayer.Combined".to_owned(), "ViewLayer.Depth".to_owned()],
            layer: 0,
            is_light: true,
            decode_ms: 38,
            encode_ms: 6,
        }),
        problem: None,
    }
}

/// Answers each picture that is asked for.
fn answer(model: &mut Model, commands: Vec<Command>, number: i64) -> Vec<Command> {
    let mut more = Vec::new();
    for command in commands {
        let Command::ShowPicture(request) = command else {
            continue;
        };
        let result = Ok(Box::new(shown(&request, number)));
        let (generation, side) = (request.generation, request.side);
        more.extend(update(
            model,
            Msg::PictureReady {
                generation,
                side,
                result,
            },
        ));
    }
    more
}

fn with_picture(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    let commands = press(&mut model, "v");
    answer(&mut model, commands, 155);
    model
}

#[test]
fn log_at_every_size() {
    for (width, height) in SIZES {
        let screen = drawn(&with_log(width, height));
        assert!(
            screen.contains("frame 142 > log") && screen.contains("Segmentation fault"),
            "{screen}"
        );
    }
}

#[test]
fn log_searched_wrapped_and_marked() {
    let mut model = with_log(80, 24);
    press(&mut model, "w/memory\nvj");
    let screen = drawn(&model);
    assert!(
        screen.contains("search: memory") && screen.contains("marked"),
        "{screen}"
    );
}

#[test]
fn preview_at_every_size() {
    for (width, height) in SIZES {
        let screen = drawn(&with_picture(width, height));
        assert!(screen.contains("frame 155") && screen.contains("###"), "{screen}");
    }
}

#[test]
fn preview_compared() {
    let mut model = with_picture(100, 30);
    let commands = press(&mut model, "c");
    assert_eq!(commands.len(), 2, "both sides have other room now");
    answer(&mut model, commands, 155);
    let commands = press(&mut model, "l");
    answer(&mut model, commands, 156);
    let screen = drawn(&model);
    assert!(
        screen.contains("j7 frame 155") && screen.contains("j7 frame 156"),
        "{screen}"
    );
}

#[test]
fn escape_lets_the_selection_go_then_the_search_then_the_screen() {
    let mut model = with_log(80, 24);
    press(&mut model, "/err\nv");
    for _ in 0..2 {
        press(&mut model, "\u{1b}");
        assert_eq!(model.context(), Context::Log);
    }
    press(&mut model, "\u{1b}");
    assert_eq!(model.context(), Context::Farm);
}

#[test]
fn marked_lines_are_copied_whole_and_the_log_is_saved_whole() {
    let mut model = with_log(60, 20);
    let commands = press(&mut model, "ggGkkkvjy");
    let text = "CUDA error: out of memory in cuMemAlloc\nError: Out of memory".to_owned();
    assert_eq!(commands, [Command::Copy { text }]);
    assert!(
        model
            .toast
            .as_ref()
            .unwrap()
            .text
            .contains("2 lines sent to terminal")
    );
    let commands = press(&mut model, "s");
    let [Command::SaveText { name, text }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(name, "farmhand-j7-f142.log");
    assert!(
        text.contains("\nCUDA error: out of memory in cuMemAlloc\n"),
        "{text}"
    );
}

#[test]
fn a_log_says_how_many_lines_it_dropped() {
    let mut model = with_log(100, 30);
    let Some(Screen::Log(page)) = model.screens.last_mut() else {
        panic!()
    };
    page.take(&"a line\n".repeat(10_250));
    assert!(drawn(&model).contains("10250 lines, the first 250 dropped"));
}

#[test]
fn a_late_answer_of_an_older_question_changes_nothing() {
    let mut model = with_log(80, 24);
    let late = Msg::LogLoaded {
        generation: 1,
        result: Ok("another log".to_owned()),
    };
    update(&mut model, late);
    let Screen::Log(page) = model.screen() else {
        panic!()
    };
    assert_eq!(page.lines.len(), 11);

    let mut model = with_picture(80, 24);
    let first = press(&mut model, "l");
    let second = press(&mut model, "l");
    answer(&mut model, first, 143);
    let Screen::Preview(preview) = model.screen() else {
        panic!()
    };
    assert!(preview.pane.waiting, "the newer one is still awaited");
    answer(&mut model, second, 144);
    assert!(drawn(&model).contains("frame 144"));
}

#[test]
fn a_play_goes_from_one_delivered_frame_to_the_next_until_it_is_stopped() {
    let mut model = with_picture(80, 24);
    let commands = press(&mut model, " ");
    let [Command::ShowPicture(request)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        request.which,
        Which::DeliveredBehind(Frame::try_from(155).unwrap())
    );
    let commands = answer(&mut model, commands, 160);
    let [Command::PlayOn { generation }] = commands[..] else {
        panic!("{commands:?}")
    };
    let commands = update(&mut model, Msg::PlayOn { generation });
    assert_eq!(commands.len(), 1);
    press(&mut model, " ");
    assert_eq!(answer(&mut model, commands, 161), []);
    assert_eq!(update(&mut model, Msg::PlayOn { generation }), []);
}

#[test]
fn a_picture_of_another_machine_is_not_opened_here_but_its_path_can_be_had() {
    let mut model = with_picture(100, 30);
    let path = "/renders/intro_v12/intro_v12_0155.exr".to_owned();
    let opened = press(&mut model, "o");
    assert_eq!(opened, [Command::OpenOutside { path: path.clone() }]);
    model.stage = crate::app::Stage::Connected;
    model.farm_address = String::from("http://farm.example:4000");
    assert_eq!(press(&mut model, "o"), []);
    assert!(
        model
            .toast
            .as_ref()
            .unwrap()
            .text
            .contains("on the farm's machine")
    );
    assert_eq!(press(&mut model, "y"), [Command::Copy { text: path }]);
}
