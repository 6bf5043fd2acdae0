//! What protects from mistakes: read-only, undo, typed answers, pending rows.

use farmhand_protocol::JobId;
use farmhand_protocol::farm::{FarmEvent, FrameCounts, JobState};
use jiff::SignedDuration;

use super::fixture::{acts, busy, ctrl, dialog, event, job, press, showing, snapshot};
use super::*;

/// Answers the one act that was asked for, telling what takes it back.
fn answer(model: &mut Model, commands: &[Command], undo: Option<Act>) {
    let [
        Command::Act {
            generation, target, ..
        },
    ] = commands
    else {
        panic!("{commands:?}")
    };
    let (generation, target) = (*generation, target.clone());
    if let Some(act) = undo {
        let target = target.clone();
        update(
            model,
            Msg::CanUndo {
                generation,
                target,
                act,
            },
        );
    }
    update(
        model,
        Msg::Acted {
            generation,
            target,
            result: Ok(()),
        },
    );
}

fn toast(model: &mut Model) -> String {
    model.toast.take().map(|toast| toast.text).unwrap_or_default()
}

#[test]
fn an_act_can_be_taken_back_for_eight_seconds() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "p");
    assert_eq!(acts(&commands), [&Act::Pause(JobId(7))], "it is sent at once");
    answer(&mut model, &commands, Some(Act::Resume(JobId(7))));
    let later = model.now + SignedDuration::from_millis(7_900);
    update(&mut model, Msg::Tick(later));
    assert_eq!(model.undo.as_ref().unwrap().seconds_left(model.now), Some(1));
    assert_eq!(acts(&press(&mut model, "u")), [&Act::Resume(JobId(7))]);

    let mut model = busy(100, 30);
    let commands = press(&mut model, "p");
    answer(&mut model, &commands, Some(Act::Resume(JobId(7))));
    let later = model.now + SignedDuration::from_secs(8);
    update(&mut model, Msg::Tick(later));
    assert!(press(&mut model, "u").is_empty());
    assert!(toast(&mut model).contains("nothing to undo"));
}

#[test]
fn what_was_undone_can_be_done_again_by_the_same_key() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "+");
    let up = Act::SetPriority {
        job: JobId(7),
        priority: 60,
    };
    let down = Act::SetPriority {
        job: JobId(7),
        priority: 50,
    };
    assert_eq!(acts(&commands), [&up]);
    answer(&mut model, &commands, Some(down.clone()));
    let commands = press(&mut model, "u");
    assert_eq!(acts(&commands), [&down]);
    answer(&mut model, &commands, Some(up.clone()));
    assert_eq!(acts(&press(&mut model, "u")), [&up]);
}

#[test]
fn an_undo_of_another_act_is_not_taken_for_this_one() {
    let mut model = busy(100, 30);
    press(&mut model, "p");
    let late = Msg::CanUndo {
        generation: 0,
        target: Target::Job(JobId(7)),
        act: Act::Pause(JobId(7)),
    };
    update(&mut model, late);
    assert!(model.undo.is_none());
}

#[test]
fn read_only_changes_nothing_whatever_is_pressed() {
    for keys in [
        "c",
        "r",
        "p",
        "+",
        "-",
        "C",
        "2jjjd",
        "2jjjD",
        "a\n",
        "3c",
        "B\n",
        ":cancel j8\n",
    ] {
        let mut model = busy(100, 30);
        model.readonly = true;
        assert!(acts(&press(&mut model, keys)).is_empty(), "{keys:?}");
        assert!(model.pending.is_empty(), "{keys:?}");
        assert!(toast(&mut model).contains("read-only"), "{keys:?}");
    }
    let mut model = busy(100, 30);
    model.readonly = true;
    press(&mut model, "n/s/a.blend");
    let commands = ctrl(&mut model, 's');
    assert!(
        !commands
            .iter()
            .any(|command| matches!(command, Command::Submit { .. })),
        "{commands:?}"
    );
}

#[test]
fn a_dashboard_whose_token_may_only_look_is_read_only() {
    let mut snapshot = snapshot();
    snapshot.farm.readonly = true;
    let mut model = showing(snapshot, 100, 30);
    assert!(model.readonly);
    assert!(acts(&press(&mut model, "c")).is_empty());
    assert!(toast(&mut model).contains("read-only"));
}

#[test]
fn every_action_that_changes_the_farm_is_off_in_read_only() {
    let mut model = busy(100, 30);
    model.readonly = true;
    for binding in Keymap::default().all() {
        if binding.action.changes_the_farm() {
            let refused = availability(&model, binding.action).unwrap_err();
            assert!(refused.contains("read-only"), "{:?}: {refused}", binding.action);
        }
    }
}

#[test]
fn nothing_is_lost_without_a_question() {
    // What loses frames opens a dialog whose safe button has the focus.
    for (keys, go) in [("c", "y"), ("3c", "y"), ("2jjjD", "y")] {
        let mut model = busy(100, 30);
        assert!(acts(&press(&mut model, keys)).is_empty(), "{keys}");
        assert_eq!(dialog(&model).focus, 0);
        assert!(acts(&press(&mut model, "\n")).is_empty(), "the safe button");
        press(&mut model, keys);
        assert_eq!(acts(&press(&mut model, go)).len(), 1, "{keys}");
    }
}

#[test]
fn cancelling_many_jobs_wants_the_words_typed() {
    let mut model = busy(100, 30);
    press(&mut model, "/status:run\nC");
    assert_eq!(dialog(&model).title, "Cancel 2 jobs?");
    assert!(press(&mut model, "y\n").is_empty(), "not typed yet");
    assert!(model.overlay.is_some());
    press(&mut model, "\u{8}");
    assert_eq!(
        acts(&press(&mut model, "cancel 2\n")),
        [&Act::CancelJobs(vec![JobId(7), JobId(8)])]
    );
}

#[test]
fn a_row_says_what_is_done_to_it_and_how_it_went() {
    let mut model = busy(100, 30);
    let commands = press(&mut model, "p");
    assert_eq!(
        model.pending[&Target::Job(JobId(7))].doing,
        "pausing",
        "with the key itself"
    );
    answer(&mut model, &commands, None);
    let shown = &model.outcomes[&Target::Job(JobId(7))];
    assert!(shown.good);
    let later = model.now + SignedDuration::from_secs(5);
    update(&mut model, Msg::Tick(later));
    assert!(model.outcomes.is_empty());
    let commands = press(&mut model, "p");
    let [
        Command::Act {
            generation, target, ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    let failed = Msg::Acted {
        generation: *generation,
        target: target.clone(),
        result: Err("no".to_owned()),
    };
    assert!(
        matches!(update(&mut model, failed)[..], [Command::LoadFarm { .. }]),
        "and asks how it stands"
    );
    assert!(!model.outcomes[&Target::Job(JobId(7))].good);
}

#[test]
fn an_act_names_its_thing_and_what_it_shall_become() {
    // Pressed twice on a row that is out of date, it asks for the same again and not for the contrary.
    let mut model = busy(100, 30);
    let first = press(&mut model, "p");
    answer(&mut model, &first, None);
    let second = press(&mut model, "p");
    assert_eq!(acts(&first), acts(&second));
    let first = press(&mut model, "j+");
    let wanted = Act::SetPriority {
        job: JobId(8),
        priority: 60,
    };
    assert_eq!(acts(&first), [&wanted]);
}

#[test]
fn an_act_on_a_row_that_has_changed_meanwhile_is_the_one_that_was_asked_for() {
    let mut model = busy(100, 30);
    // The question is open while another job becomes the first, and the asked one ends.
    press(&mut model, "c");
    let mut urgent = job(10, "urgent", JobState::Waiting, FrameCounts::default());
    urgent.priority = 99;
    let done = job(7, "intro_v12", JobState::Completed, FrameCounts::default());
    for job in [urgent, done] {
        event(&mut model, FarmEvent::Job { job: Box::new(job) });
    }
    let commands = press(&mut model, "y");
    assert_eq!(acts(&commands), [&Act::CancelJob(JobId(7))]);
    // On the row as it is now nothing is left to cancel.
    answer(&mut model, &commands, None);
    assert!(acts(&press(&mut model, "cy")).is_empty());
}

#[test]
fn a_workstation_is_taken_back_until_a_time_of_day() {
    let mut model = busy(100, 30);
    press(&mut model, "2jjjB");
    let commands = press(&mut model, "\n");
    let [
        Act::Drain {
            now: false,
            until: Some(until),
            ..
        },
    ] = acts(&commands)[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(until.to_string(), "2026-11-24T18:00:00Z", "18:00 is offered");
    press(&mut model, "B");
    ctrl(&mut model, 'u');
    press(&mut model, "25:00\n");
    let Some(Overlay::Prompt(prompt)) = &model.overlay else {
        panic!()
    };
    assert!(prompt.error.as_ref().unwrap().contains("18:00"));
}

#[test]
fn what_is_forgotten_has_ended_and_is_asked_about() {
    let mut model = busy(100, 30);
    assert!(press(&mut model, "X").is_empty() && model.overlay.is_none());
    assert_eq!(toast(&mut model), "j7 is running: cancel it first");

    let mut ended = model.selected_job().unwrap().clone();
    ended.state = JobState::Completed;
    event(&mut model, FarmEvent::Job { job: Box::new(ended) });
    press(&mut model, "X");
    let lines = dialog(&model).lines.join("\n");
    assert!(lines.contains("Its pictures stay in"), "{lines}");
    assert!(press(&mut model, "\n").is_empty(), "enter keeps it");
    assert_eq!(acts(&press(&mut model, "Xy")), [&Act::ForgetJob(JobId(7))]);

    press(&mut model, "2X");
    assert!(toast(&mut model).ends_with("answers: stop its agent first"));
}

#[test]
fn pictures_are_read_again_and_films_made_from_the_job_screen() {
    let mut model = fixture::job_screen(100, 30);
    let commands = press(&mut model, "P");
    assert_eq!(acts(&commands), [&Act::Verify(JobId(7))]);
    answer(&mut model, &commands, None);
    assert_eq!(acts(&press(&mut model, "F")), [&Act::MakeFilms(JobId(7))]);
}
