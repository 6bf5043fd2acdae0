//! What messages do to a dashboard, one claim each.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::farm::{BatchState, FarmEvent, FrameCounts, JobState, NodeState};
use farmhand_protocol::{BatchId, JobId, NodeId};
use std::time::Duration;
use uuid::Uuid;

use super::fixture::{
    self, acts, batch, busy, ctrl, dialog, empty, event, job, node, press, showing, silent,
};
use super::*;

#[test]
fn cancelling_a_job_asks_and_names_the_frames_that_are_lost() {
    let mut model = busy(100, 30);
    assert!(acts(&press(&mut model, "c")).is_empty());
    let lines = dialog(&model).lines.join("\n");
    assert!(
        lines.contains("93 frames not delivered will be cancelled"),
        "{lines}"
    );
    assert!(lines.contains("Frame 156 at 75 % is lost"), "{lines}");
    assert!(lines.contains("155 frames delivered stay"), "{lines}");
    // Enter presses the safe button.
    assert!(press(&mut model, "\n").is_empty());
    assert!(model.overlay.is_none());
    let commands = press(&mut model, "cy");
    assert_eq!(acts(&commands), [&Act::CancelJob(JobId(7))]);
}

#[test]
fn cancelling_a_batch_loses_only_its_own_frames() {
    let mut model = busy(100, 30);
    press(&mut model, "3jc");
    let dialog = dialog(&model);
    assert!(dialog.title.contains("b12"), "{}", dialog.title);
    let lines = dialog.lines.join("\n");
    assert!(
        lines.contains("Frame 156 at 75 % is lost") && !lines.contains("161"),
        "{lines}"
    );
    let commands = press(&mut model, "\t\n");
    assert_eq!(acts(&commands), [&Act::CancelBatch(BatchId(12))]);
}

#[test]
fn a_key_that_can_do_nothing_says_why() {
    let mut model = busy(100, 30);
    press(&mut model, "3ggr"); // b13 has no failed frame.
    let toast = model.toast.take().unwrap();
    assert_eq!(
        toast.text,
        "nothing to retry: no frame of b13 failed or was cancelled"
    );
    press(&mut model, "4c");
    assert_eq!(
        model.toast.take().unwrap().text,
        "nothing to cancel: select a job or a batch"
    );
    press(&mut model, "1Gp");
    assert_eq!(
        model.toast.take().unwrap().text,
        "nothing to pause: j5 is completed"
    );
}

#[test]
fn retrying_loses_nothing_and_does_not_ask() {
    let mut model = busy(100, 30);
    assert_eq!(acts(&press(&mut model, "r")), [&Act::RetryJob(JobId(7))]);
    assert_eq!(acts(&press(&mut model, "3jjr")), [&Act::RetryBatch(BatchId(11))]);
}

#[test]
fn the_same_key_twice_acts_once_until_the_farm_has_answered() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "pp");
    let [
        Command::Act {
            generation,
            target,
            act,
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(*act, Act::Pause(JobId(7)));
    // An answer to something else changes nothing.
    let stale = Msg::Acted {
        generation: generation + 1,
        target: target.clone(),
        result: Ok(()),
    };
    update(&mut model, stale);
    assert!(model.pending.contains_key(target));
    let answer = Msg::Acted {
        generation: *generation,
        target: target.clone(),
        result: Ok(()),
    };
    update(&mut model, answer);
    assert!(model.pending.is_empty() && model.toast.as_ref().unwrap().tone == Tone::Good);
    assert_eq!(acts(&press(&mut model, "p")).len(), 1);
}

#[test]
fn an_act_that_fails_is_explained_and_the_farm_read_again() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "r");
    let [
        Command::Act {
            generation, target, ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    let answer = Msg::Acted {
        generation: *generation,
        target: target.clone(),
        result: Err("there is no job j7".to_owned()),
    };
    assert!(matches!(
        update(&mut model, answer)[..],
        [Command::LoadFarm { .. }]
    ));
    assert_eq!(model.toast.unwrap().text, "there is no job j7");
}

#[test]
fn the_selection_stays_on_its_job_when_jobs_come_and_go() {
    let mut model = busy(100, 30);
    press(&mut model, "j");
    assert_eq!(model.jobs.selected(), Some(&JobId(8)));
    let mut urgent = job(10, "urgent", JobState::Waiting, FrameCounts::default());
    urgent.priority = 99;
    event(
        &mut model,
        FarmEvent::Job {
            job: Box::new(urgent),
        },
    );
    assert_eq!((model.jobs.selected(), model.jobs.index()), (Some(&JobId(8)), 2));
    event(&mut model, FarmEvent::JobGone { id: JobId(7) });
    assert_eq!((model.jobs.selected(), model.jobs.index()), (Some(&JobId(8)), 1));
    event(&mut model, FarmEvent::JobGone { id: JobId(8) });
    assert_eq!(model.jobs.selected(), Some(&JobId(9)));
}

#[test]
fn the_batches_of_a_job_are_read_once_when_it_is_selected() {
    let mut model = busy(100, 30);
    assert_eq!(press(&mut model, "j"), [Command::LoadJob { job: JobId(8) }]);
    assert_eq!(press(&mut model, "kj"), []);
    assert!(model.batch_rows.is_empty());
    let new = FarmEvent::Batch {
        batch: Box::new(batch(40, 8, 3, BatchState::Assigned)),
    };
    event(&mut model, new);
    assert_eq!(model.batch_rows, [BatchId(40)]);
}

#[test]
fn events_that_overtake_a_snapshot_are_not_undone_by_it() {
    let mut model = busy(100, 30);
    let commands = event(&mut model, FarmEvent::Reset);
    let Some(Command::LoadFarm { generation }) = commands.first() else {
        panic!("{commands:?}")
    };
    let mut finished = job(9, "titles", JobState::Completed, FrameCounts::default());
    finished.counts.delivered = 30;
    event(
        &mut model,
        FarmEvent::Job {
            job: Box::new(finished),
        },
    );
    event(&mut model, FarmEvent::JobGone { id: JobId(5) });
    let answer = Msg::FarmLoaded {
        generation: *generation,
        result: Ok(Box::new(fixture::snapshot())),
    };
    update(&mut model, answer);
    assert_eq!(model.farm.jobs[&JobId(9)].state, JobState::Completed);
    assert!(!model.farm.jobs.contains_key(&JobId(5)));
    assert!(model.farm.jobs.contains_key(&JobId(6)));
}

#[test]
fn a_line_of_the_diary_that_comes_behind_the_snapshot_it_is_in_is_shown_once() {
    let mut model = busy(100, 30);
    let notes: Vec<_> = model.farm.notes.iter().cloned().collect();
    for note in notes.clone() {
        event(&mut model, FarmEvent::Note { note });
    }
    assert_eq!(model.farm.notes, notes);
}

#[test]
fn an_answer_to_an_older_question_is_dropped() {
    let mut model = silent(100, 30);
    let first = event(&mut model, FarmEvent::Reset);
    let second = event(&mut model, FarmEvent::Reset);
    let [Command::LoadFarm { generation: old }] = first[..] else {
        panic!("{first:?}")
    };
    let [Command::LoadFarm { generation: new }] = second[..] else {
        panic!("{second:?}")
    };
    let answer = |generation| Msg::FarmLoaded {
        generation,
        result: Ok(Box::new(fixture::snapshot())),
    };
    update(&mut model, answer(old));
    assert!(model.farm.jobs.is_empty());
    update(&mut model, answer(new));
    assert_eq!(model.farm.jobs.len(), 5);
}

#[test]
fn a_lost_connection_counts_down_and_keeps_what_was_known() {
    let mut model = busy(100, 30);
    let lost = FarmSignal::Lost {
        error: "connection refused".to_owned(),
        retry_in: Duration::from_secs(4),
    };
    update(&mut model, Msg::Signal(lost));
    assert!(matches!(&model.link, Link::Lost { since, .. } if *since == model.now));
    assert_eq!(model.farm.jobs.len(), 5);
    update(&mut model, Msg::Signal(FarmSignal::Connected));
    assert_eq!(model.link, Link::Live);
}

#[test]
fn quitting_with_unfinished_jobs_asks_and_leaves_the_farm_running_by_default() {
    let mut model = busy(100, 30);
    assert!(press(&mut model, "q").is_empty());
    assert_eq!(press(&mut model, "\n"), [Command::Quit(Leave::Running)]);
    press(&mut model, "q");
    assert_eq!(press(&mut model, "s"), [Command::Quit(Leave::Stopped)]);
    assert!(press(&mut model, "q\u{1b}").is_empty());
    assert_eq!(ctrl(&mut model, 'c'), [Command::Quit(Leave::Running)]);
}

#[test]
fn a_connected_dashboard_and_an_idle_farm_are_left_at_once() {
    let mut connected = busy(100, 30);
    connected.stage = Stage::Connected;
    assert_eq!(press(&mut connected, "q"), [Command::Quit(Leave::Stopped)]);
    let mut idle = empty(100, 30);
    assert_eq!(press(&mut idle, "q"), [Command::Quit(Leave::Stopped)]);
    assert_eq!(leave_at_once(&idle), Leave::Stopped);
}

#[test]
fn esc_never_quits() {
    let mut model = busy(100, 30);
    assert!(
        press(&mut model, "\u{1b}\u{1b}\u{1b}n\u{1b}?\u{1b}c\u{1b}").is_empty() || model.screens.len() == 1
    );
    assert_eq!(*model.screen(), Screen::Farm);
}

#[test]
fn every_footer_hint_of_the_farm_screen_does_something() {
    let map = Keymap::default();
    for binding in map.of(Context::Farm).filter(|binding| !binding.hint.is_empty()) {
        let mut model = busy(100, 30);
        let state = |model: &Model| {
            let (sort, overlay) = (model.shown_jobs.sort, &model.overlay);
            format!("{:?}{overlay:?}{:?}{sort:?}", model.screens, model.focus)
        };
        let before = state(&model);
        let mut commands = Vec::new();
        for chord in binding.keys[0].chords() {
            commands.extend(update(&mut model, Msg::Key((*chord).into())));
        }
        // A hint that is dim here says why instead.
        let says_why = availability(&busy(100, 30), binding.action).is_err() && model.toast.is_some();
        assert!(
            !commands.is_empty() || before != state(&model) || says_why,
            "{} does nothing",
            binding.label()
        );
    }
}

#[test]
fn all_ways_to_move_work_in_every_list() {
    let mut model = showing(fixture::snapshot(), 60, 16);
    let many = |count: u64| (1..=count).map(|id| job(id, "x", JobState::Waiting, FrameCounts::default()));
    for job in many(50) {
        event(&mut model, FarmEvent::Job { job: Box::new(job) });
    }
    for id in 1..=50 {
        event(
            &mut model,
            FarmEvent::Batch {
                batch: Box::new(batch(id, 1, 1, BatchState::Ended)),
            },
        );
        event(
            &mut model,
            FarmEvent::Node {
                node: Box::new(node(id, &format!("n{id:02}"), NodeState::Idle)),
            },
        );
    }
    press(&mut model, "1gg");
    let place = |model: &Model| match model.focus {
        Panel::Jobs => model.jobs.index(),
        Panel::Nodes => model.nodes.index(),
        _ => model.batches.index(),
    };
    for panel in ["1", "2", "3"] {
        press(&mut model, panel);
        press(&mut model, "gg");
        let mut seen = vec![place(&model)];
        for keys in ["j", "G", "k", "gg"] {
            press(&mut model, keys);
            seen.push(place(&model));
        }
        assert_eq!(seen, [0, 1, 49, 48, 0], "panel {panel}");
        let key = |code| Msg::Key(KeyEvent::new(code, KeyModifiers::NONE));
        update(&mut model, key(KeyCode::PageDown));
        assert!(place(&model) >= 1, "panel {panel}");
        update(&mut model, key(KeyCode::End));
        assert_eq!(place(&model), 49);
        update(&mut model, key(KeyCode::PageUp));
        assert!(place(&model) < 49);
        update(&mut model, key(KeyCode::Home));
        if panel == "1" {
            press(&mut model, "gg");
        }
    }
}

#[test]
fn the_form_reads_the_file_and_submits_what_was_typed() {
    let mut model = empty(100, 30);
    press(&mut model, "n");
    let commands = press(&mut model, "/s/a.blend");
    let Some(Command::ReadFile { generation, path }) = commands.last() else {
        panic!("{commands:?}")
    };
    assert_eq!(path, "/s/a.blend");
    let old = Msg::FileRead {
        generation: generation - 1,
        result: Err("old".to_owned()),
    };
    update(&mut model, old);
    assert_eq!(model.form.error(Field::Scene), None);
    let answer = Msg::FileRead {
        generation: *generation,
        result: Ok(SceneFile {
            range: "1-48".parse().ok(),
            ..SceneFile::default()
        }),
    };
    update(&mut model, answer);
    assert_eq!(model.form.text(Field::Frames), "1-48");
    let commands = ctrl(&mut model, 's');
    let [Command::Submit { generation, job: new }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(new.frames, "1-48".parse().ok());
    assert!(ctrl(&mut model, 's').is_empty(), "one submit at a time");
    let refused = Msg::Submitted {
        generation: *generation,
        result: Err("no".to_owned()),
    };
    update(&mut model, refused);
    assert_eq!(
        (
            matches!(model.screen(), Screen::Submit),
            model.form.refusal.as_deref()
        ),
        (true, Some("no"))
    );
    let commands = ctrl(&mut model, 's');
    let [Command::Submit { generation, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    let taken = Msg::Submitted {
        generation: *generation,
        result: Ok(Box::new(job(3, "a", JobState::Waiting, FrameCounts::default()))),
    };
    update(&mut model, taken);
    assert_eq!(
        (model.screen(), model.jobs.selected()),
        (&Screen::Farm, Some(&JobId(3)))
    );
    assert_eq!(model.form.text(Field::Scene), "", "the draft is spent");
}

#[test]
fn esc_keeps_the_draft_of_a_job() {
    let mut model = empty(100, 30);
    press(&mut model, "n/s/a.blend\u{1b}n");
    assert_eq!(model.form.text(Field::Scene), "/s/a.blend");
}

#[test]
fn a_mistyped_address_stays_in_the_prompt_with_the_reason() {
    let mut model = empty(100, 30);
    press(&mut model, "a");
    ctrl(&mut model, 'u');
    assert!(press(&mut model, "ftp://x\n").is_empty());
    let Some(Overlay::Prompt(prompt)) = &model.overlay else {
        panic!()
    };
    assert!(
        prompt.error.as_ref().unwrap().contains("an agent's address"),
        "{prompt:?}"
    );
    ctrl(&mut model, 'u');
    let commands = press(&mut model, "http://node:3000\n");
    assert_eq!(acts(&commands), [&Act::AddNode("http://node:3000".to_owned())]);
}

#[test]
fn pasted_text_is_typed_and_never_taken_for_keys() {
    let mut model = busy(100, 30);
    update(&mut model, Msg::Paste("cy".to_owned()));
    assert!(model.overlay.is_none() && model.pending.is_empty());
    press(&mut model, "n");
    update(&mut model, Msg::Paste("/s/b.blend\nq".to_owned()));
    assert_eq!(model.form.text(Field::Scene), "/s/b.blend");
}

#[test]
fn draining_a_node_goes_back_and_forth_and_now_asks() {
    let mut model = busy(100, 30);
    press(&mut model, "2gg");
    let first = model.selected_node().unwrap().view.name.clone();
    assert_eq!(first, "cpu-01");
    press(&mut model, "jj");
    let mac = NodeId(Uuid::from_u128(6));
    assert_eq!(acts(&press(&mut model, "d")), [&Act::Undrain(mac)]);
    press(&mut model, "jD");
    assert!(dialog(&model).lines[0].contains("Frame 156 at 75 % is lost"));
    let rtx = NodeId(Uuid::from_u128(1));
    assert_eq!(
        acts(&press(&mut model, "y")),
        [&Act::Drain {
            node: rtx,
            now: true,
            until: None
        }]
    );
}

#[test]
fn y_copies_what_the_screen_is_about() {
    let copied = |model: &mut Model| match &press(model, "y")[..] {
        [Command::Copy { text }] => text.clone(),
        other => panic!("{other:?}"),
    };
    let mut model = busy(100, 30);
    assert_eq!(copied(&mut model), "j7");
    press(&mut model, "3j");
    assert_eq!(copied(&mut model), "b12");
    assert!(model.toast.as_ref().unwrap().text.contains("sent to terminal"));
    let mut model = fixture::node_screen(100, 30);
    assert_eq!(copied(&mut model), "http://10.0.0.1:3000");
    let mut model = fixture::job_screen(100, 30);
    assert_eq!(
        copied(&mut model),
        "/renders/intro_v12",
        "no picture yet: its folder"
    );
    press(&mut model, "2");
    assert!(copied(&mut model).starts_with('b'));
}

#[test]
fn a_silent_node_says_for_how_long() {
    let mut model = busy(100, 30);
    let mut silent = node(1, "rtx-01", NodeState::Rendering);
    silent.silent_ms = Some(2_000);
    event(
        &mut model,
        FarmEvent::Node {
            node: Box::new(silent),
        },
    );
    let entry = &model.farm.nodes["http://10.0.0.1:3000"];
    assert_eq!(entry.silent_seconds(model.now), Some(2));
    let later = model.now + jiff::SignedDuration::from_secs(40);
    assert_eq!(
        entry.silent_seconds(later),
        Some(42),
        "time goes on without a word"
    );
}

#[test]
fn an_end_is_expected_only_where_the_farm_expects_one() {
    let mut model = busy(100, 30);
    let mut first = job(7, "intro_v12", JobState::Running, FrameCounts::default());
    first.eta_ms = None;
    let mut other = job(8, "other", JobState::Completed, FrameCounts::default());
    other.eta_ms = Some(5);
    for job in [first, other] {
        event(&mut model, FarmEvent::Job { job: Box::new(job) });
    }
    let shown = crate::view::expected_end(&model, JobId(7));
    assert_eq!(shown, "--", "fewer than three frames are measured");
    assert_eq!(crate::view::expected_end(&model, JobId(8)), "--", "it has ended");
}

#[test]
fn the_diary_is_bounded_and_says_what_it_dropped() {
    let mut model = busy(100, 30);
    let before = model.farm.notes.len();
    for number in 0..2_100 {
        let note = farmhand_protocol::farm::Note {
            at: model.now,
            weight: farmhand_protocol::farm::Weight::Info,
            text: format!("event {number}"),
            job: None,
            node: None,
        };
        event(&mut model, FarmEvent::Note { note });
    }
    assert_eq!(model.farm.notes.len(), 2_000);
    let dropped = 100 + before;
    assert_eq!(model.farm.notes_dropped, u64::try_from(dropped).unwrap());
    let screen = crate::view::snapshots::picture(&model, true);
    assert!(screen.contains(&format!("{dropped} oldest dropped")), "{screen}");
}

#[test]
fn the_bell_rings_once_for_a_job_that_ends_and_for_a_node_that_is_lost() {
    let mut model = busy(100, 30);
    let mut hear_job = |id, state| {
        let job = Box::new(job(id, "intro_v12", state, FrameCounts::default()));
        event(&mut model, FarmEvent::Job { job })
    };
    assert!(!hear_job(7, JobState::Running).contains(&Command::Ring));
    assert!(hear_job(7, JobState::Failed).contains(&Command::Ring));
    assert!(
        !hear_job(7, JobState::Failed).contains(&Command::Ring),
        "it is known"
    );
    assert!(
        !hear_job(99, JobState::Completed).contains(&Command::Ring),
        "it had ended before anyone looked"
    );
    let mut hear_node = |number, state| {
        let node = Box::new(node(number, "rtx-99", state));
        event(&mut model, FarmEvent::Node { node })
    };
    assert!(
        !hear_node(99, NodeState::Lost).contains(&Command::Ring),
        "it was never here"
    );
    assert!(!hear_node(99, NodeState::Idle).contains(&Command::Ring));
    assert!(hear_node(99, NodeState::Lost).contains(&Command::Ring));
    assert!(!hear_node(99, NodeState::Lost).contains(&Command::Ring));
}
