//! The submit form's test frame and dry run.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{Existing, FarmEvent, FrameCounts, JobState, JobView};

use super::fixture::{busy, frames, job};
use super::{Command, Field, Model, Msg, SceneFile, dry_run, update};

fn key(model: &mut Model, code: KeyCode, modifiers: KeyModifiers) -> Vec<Command> {
    update(model, Msg::Key(KeyEvent::new(code, modifiers)))
}

fn press(model: &mut Model, keys: &str) -> Vec<Command> {
    let keys = keys.chars().map(KeyCode::Char);
    keys.flat_map(|code| key(model, code, KeyModifiers::NONE))
        .collect()
}

/// A form for `/s/NAME.blend` with frames 1-48.
fn form(name: &str) -> Model {
    let mut model = busy(100, 30);
    press(&mut model, &format!("n/s/{name}.blend"));
    let generation = model.form.reading;
    let result = Ok(SceneFile {
        range: Some(frames("1-48")),
        ..SceneFile::default()
    });
    update(&mut model, Msg::FileRead { generation, result });
    model
}

fn ended(state: JobState) -> Box<JobView> {
    let counts = FrameCounts {
        delivered: u32::from(state == JobState::Completed),
        failed: u32::from(state == JobState::Failed),
        ..FrameCounts::default()
    };
    Box::new(JobView {
        reason: Some("no camera".to_owned()),
        ..job(20, "intro", state, counts)
    })
}

/// Sends the test frame and hears how it ended.
fn tested(state: JobState) -> Model {
    let mut model = form("intro");
    let commands = key(&mut model, KeyCode::Char('t'), KeyModifiers::CONTROL);
    let [Command::Submit { generation, job: new }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(new.frames, Some(frames("25")), "one frame from the middle");
    let waiting = ended(JobState::Waiting);
    let result = Ok(waiting);
    update(
        &mut model,
        Msg::Submitted {
            generation: *generation,
            result,
        },
    );
    let event = FarmEvent::Job { job: ended(state) };
    update(&mut model, Msg::Signal(FarmSignal::Event(event)));
    model
}

#[test]
fn a_test_frame_is_rendered_alone_and_the_rest_follows_on_a_persons_word_only() {
    let mut model = tested(JobState::Completed);
    assert!(model.overlay.is_none(), "no question in the midst of typing");
    assert!(model.toast.as_ref().unwrap().text.contains("T shows it"));
    assert_eq!(model.form.text(Field::Scene), "/s/intro.blend", "the draft stays");
    press(&mut model, "T");
    let commands = press(&mut model, "y");
    let [
        Command::Submit {
            generation,
            job: rest,
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(rest.frames, Some(frames("1-48")));
    assert_eq!(
        rest.existing,
        Existing::Skip,
        "the test frame is not rendered twice"
    );
    assert_eq!(rest.output.as_deref(), Some("/renders/intro"));
    let result = Ok(Box::new(job(
        21,
        "intro",
        JobState::Waiting,
        FrameCounts::default(),
    )));
    let commands = update(
        &mut model,
        Msg::Submitted {
            generation: *generation,
            result,
        },
    );
    assert!(commands.contains(&Command::KeepDraft(None)), "{commands:?}");
    assert_eq!(model.form.text(Field::Scene), "");
    assert_eq!(model.jobs.selected(), Some(&JobId(21)));
}

#[test]
fn a_test_frame_that_fails_says_why_and_sends_nothing_more() {
    let mut model = tested(JobState::Failed);
    assert!(model.toast.as_ref().unwrap().text.contains("no camera"));
    assert_eq!(press(&mut model, "T"), []);
    assert!(model.overlay.is_none());
    assert_eq!(model.form.text(Field::Scene), "/s/intro.blend");
}

#[test]
fn a_dry_run_counts_with_what_an_earlier_job_of_the_scene_took() {
    let mut model = form("intro_v12");
    // Frames of 31 s in j7, batches of 10 there, four slots that are ready.
    assert_eq!(
        dry_run(&model).unwrap(),
        "48 frames, about 5 batches of 10; about 6:12 on 4 slots: 31.0 s a frame in j7"
    );
    model.form.set(Field::BatchSize, "4".to_owned());
    model.form.set(Field::Frames, "1-9x2".to_owned());
    assert!(
        dry_run(&model)
            .unwrap()
            .starts_with("5 frames, about 2 batches of 4; about 1:02 on")
    );
    assert!(
        dry_run(&form("never_seen"))
            .unwrap()
            .contains("ctrl-t renders one frame first")
    );
}

#[test]
fn a_changed_draft_is_written_down_once_a_second() {
    let mut model = form("intro");
    let now = model.now;
    let commands = update(&mut model, Msg::Tick(now));
    let [Command::KeepDraft(Some(draft))] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(*draft, model.form.draft());
    assert_eq!(update(&mut model, Msg::Tick(now)), []);
}

#[test]
fn fields_can_be_typed_in_while_the_file_is_read() {
    let mut model = busy(100, 30);
    press(&mut model, "n/s/slow.blend");
    let generation = model.form.reading;
    key(&mut model, KeyCode::Down, KeyModifiers::NONE);
    key(&mut model, KeyCode::Down, KeyModifiers::NONE);
    press(&mut model, "7-9");
    assert_eq!(model.form.text(Field::Frames), "7-9");
    let result = Ok(SceneFile {
        range: Some(frames("1-48")),
        ..SceneFile::default()
    });
    update(&mut model, Msg::FileRead { generation, result });
    assert_eq!(model.form.text(Field::Frames), "7-9", "what a person typed stays");
}

#[test]
fn a_hit_that_does_not_fit_what_is_typed_is_no_choice_any_more() {
    let mut model = busy(100, 30);
    press(&mut model, "n");
    let generation = model.form.generation;
    let hits = ["/s/a.blend", "/s/b.blend"].map(|path| super::PathHit {
        path: path.to_owned(),
        size: None,
    });
    let hits = hits.to_vec();
    update(&mut model, Msg::PathsListed { generation, hits });
    press(&mut model, "/s/a");
    key(&mut model, KeyCode::Down, KeyModifiers::NONE);
    assert_eq!(
        model.form.focus,
        Field::With,
        "one is left: nothing to choose from"
    );
}

#[test]
fn arrows_go_through_an_empty_field_of_further_files() {
    let mut model = form("intro");
    key(&mut model, KeyCode::Down, KeyModifiers::NONE);
    assert_eq!(model.form.focus, Field::With);
    let commands = key(&mut model, KeyCode::Down, KeyModifiers::NONE);
    assert_eq!((model.form.focus, commands), (Field::Frames, Vec::new()));
    key(&mut model, KeyCode::Up, KeyModifiers::NONE);
    let commands = press(&mut model, "/t");
    assert!(matches!(
        commands[..],
        [Command::ListPaths { .. }, Command::ListPaths { .. }]
    ));
}
