//! Finding things: filter, sort, hold, palette, rows of keys, help.

use jiff::SignedDuration;

use farmhand_protocol::farm::{FarmEvent, FrameCounts, JobState};
use farmhand_protocol::{BatchId, JobId};

use super::fixture::{acts, busy, dialog, empty, event, job, press};
use super::*;

fn ids(model: &Model) -> Vec<u64> {
    model.job_rows.iter().map(|id| id.0).collect()
}

fn toast(model: &mut Model) -> String {
    model.toast.take().map(|toast| toast.text).unwrap_or_default()
}

#[test]
fn a_filter_applies_with_every_letter_and_esc_shows_all_again() {
    let mut model = busy(100, 30);
    press(&mut model, "/intr");
    assert_eq!(ids(&model), [7], "still typing");
    press(&mut model, "\u{1b}");
    assert_eq!((ids(&model).len(), model.context()), (5, Context::Farm));
    press(&mut model, "/!status:run\n");
    assert_eq!(ids(&model), [9, 6, 5]);
    press(&mut model, "\u{1b}");
    assert_eq!(ids(&model).len(), 5);
    assert!(press(&mut model, "\u{1b}\u{1b}").is_empty(), "esc never quits");
}

#[test]
fn a_filtered_table_follows_the_farm() {
    let mut model = busy(100, 30);
    press(&mut model, "/status:failed\n");
    let mut failed = job(9, "titles", JobState::Failed, FrameCounts::default());
    failed.priority = 10;
    event(
        &mut model,
        FarmEvent::Job {
            job: Box::new(failed),
        },
    );
    assert_eq!(ids(&model), [9, 6]);
}

#[test]
fn a_screen_that_is_returned_to_is_as_it_was_left() {
    let mut model = busy(100, 30);
    press(&mut model, "ooj/i\n");
    let before = (
        ids(&model),
        model.jobs.clone(),
        model.shown_jobs.sort,
        model.focus,
    );
    press(&mut model, "\n\u{1b}?\u{1b}n\u{1b}2jo1");
    let after = (
        ids(&model),
        model.jobs.clone(),
        model.shown_jobs.sort,
        model.focus,
    );
    assert_eq!(before, after);
    assert_eq!(model.shown_jobs.sort.column.word(), "name");
}

#[test]
fn a_key_goes_through_the_orders_and_keeps_the_selection() {
    let mut model = busy(100, 30);
    press(&mut model, "j");
    let selected = model.jobs.selected().copied();
    for column in JobSort::ALL.iter().cycle().skip(1).take(JobSort::ALL.len()) {
        press(&mut model, "o");
        assert_eq!(model.shown_jobs.sort.column, *column);
        assert_eq!(model.jobs.selected().copied(), selected);
    }
    press(&mut model, "oO");
    assert_eq!(ids(&model), [5, 6, 7, 8, 9]);
}

#[test]
fn what_is_held_stays_while_the_farm_goes_on_behind_it() {
    let mut model = busy(100, 30);
    press(&mut model, "zz");
    let finished = job(7, "intro_v12", JobState::Completed, FrameCounts::default());
    event(
        &mut model,
        FarmEvent::Job {
            job: Box::new(finished),
        },
    );
    event(&mut model, FarmEvent::JobGone { id: JobId(8) });
    assert_eq!(model.farm.jobs[&JobId(7)].state, JobState::Running);
    assert_eq!(ids(&model), [7, 8, 9, 6, 5]);
    press(&mut model, "zz");
    assert_eq!(model.farm.jobs[&JobId(7)].state, JobState::Completed);
    assert_eq!(ids(&model), [9, 7, 6, 5]);
}

#[test]
fn a_held_screen_still_asks_about_jobs_that_run_when_it_is_left() {
    let mut model = empty(100, 30);
    press(&mut model, "zz");
    let new = job(1, "new", JobState::Running, FrameCounts::default());
    event(&mut model, FarmEvent::Job { job: Box::new(new) });
    assert!(press(&mut model, "q").is_empty());
    assert!(dialog(&model).title.contains("Quit"));
}

#[test]
fn keys_that_may_follow_are_listed_after_300_ms() {
    let mut model = busy(100, 30);
    press(&mut model, "g");
    let at = model.wake_at().expect("it wants to be drawn again");
    assert_eq!(at.duration_since(model.now), SignedDuration::from_millis(300));
    update(&mut model, Msg::Tick(at));
    assert_eq!(model.wake_at(), None);
    assert!(model.typed.as_ref().unwrap().hint_at() <= model.now);
    press(&mut model, "n");
    assert_eq!((model.focus, model.typed.is_none()), (Panel::Nodes, true));
    // A key that does not go on is dropped with its prefix.
    press(&mut model, "gq");
    assert!(model.overlay.is_none() && model.typed.is_none());
}

#[test]
fn the_palette_finds_jobs_nodes_batches_and_actions_by_a_few_letters() {
    let best = |typed: &str| {
        let mut model = busy(100, 30);
        press(&mut model, &format!(":{typed}"));
        let Some(Overlay::Palette(palette)) = &model.overlay else {
            panic!()
        };
        palette
            .hits()
            .next()
            .map(|entry| (entry.name.clone(), entry.key.clone()))
            .unwrap()
    };
    assert_eq!(
        best("job intro"),
        ("job j7 intro_v12".to_owned(), "enter".to_owned())
    );
    assert_eq!(
        best("node rtx-01"),
        ("node rtx-01".to_owned(), "enter".to_owned())
    );
    assert_eq!(
        best("cancel j7"),
        ("cancel j7 intro_v12".to_owned(), "c".to_owned())
    );
    assert_eq!(best("cancel b12"), ("cancel b12".to_owned(), "c".to_owned()));
    assert_eq!(best("freeze"), ("freeze".to_owned(), "z z".to_owned()));
}

#[test]
fn what_the_palette_runs_is_what_the_key_does() {
    let mut model = busy(100, 30);
    press(&mut model, "2:cancel j8\n");
    assert_eq!(model.jobs.selected(), Some(&JobId(8)));
    assert!(dialog(&model).title.contains("j8"), "it asks, as the key does");
    press(&mut model, "\u{1b}:retry j6\n");
    assert!(model.pending.contains_key(&Target::Job(JobId(6))));
    let mut model = busy(100, 30);
    press(&mut model, ":cancel b12\n");
    assert_eq!(acts(&press(&mut model, "y")), [&Act::CancelBatch(BatchId(12))]);
}

#[test]
fn what_cannot_be_done_now_is_in_the_palette_and_says_why() {
    let mut model = busy(100, 30);
    press(&mut model, "4:cancel");
    let Some(Overlay::Palette(palette)) = &mut model.overlay else {
        panic!()
    };
    let place = palette.hits().position(|entry| entry.name == "cancel").unwrap();
    palette.marked = place;
    press(&mut model, "\n");
    assert_eq!(toast(&mut model), "nothing to cancel: select a job or a batch");
}

#[test]
fn help_is_about_the_screen_and_can_be_searched() {
    let mut model = busy(100, 30);
    press(&mut model, "\n?");
    assert!(matches!(model.screen(), Screen::Help(help) if help.context == Context::Job));
    press(&mut model, "\u{1b}\u{1b}?/pause");
    assert!(crate::view::help_lines(&model) < 6);
    press(&mut model, "\n\u{1b}");
    assert_eq!(*model.screen(), Screen::Farm);
}

#[test]
fn every_bound_key_is_in_the_help_of_its_screen() {
    let model = busy(100, 30);
    for context in [
        Context::Farm,
        Context::Job,
        Context::Node,
        Context::Why,
        Context::Details,
        Context::Form,
    ] {
        let text = crate::view::help_text(&model, context);
        for binding in model.keys.of(context) {
            for key in &binding.keys {
                assert!(text.contains(&key.to_string()), "{key} of {context:?}");
            }
        }
    }
}

#[test]
fn a_panel_can_be_shown_alone() {
    let mut model = busy(80, 24);
    let before = model.visible(Panel::Jobs);
    press(&mut model, "zm");
    assert!(model.visible(Panel::Jobs) > before + 8);
    press(&mut model, "3");
    assert!(model.visible(Panel::Batches) > 15);
    press(&mut model, "\u{1b}1");
    assert_eq!(model.visible(Panel::Jobs), before);
}
