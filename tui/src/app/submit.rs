//! The submit screen: keys of the form, and what its answers change.

use crossterm::event::{Event, KeyCode, KeyEvent};
use farmhand_protocol::FrameSet;
use farmhand_protocol::farm::{FarmEvent, JobView};
use tui_input::backend::crossterm::EventHandler;

use super::act::READ_ONLY;
use super::farm_screen::go_to_job;
use super::model::Pending;
use super::{Action, Command, Field, Model, Panel, PathHit, Screen, SubmitForm, Target, Tone};
use crate::words;

pub(crate) fn on_form(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Back => {
            model.screens.pop();
            Vec::new()
        }
        Action::Send => send_form(model),
        Action::Up | Action::Down if model.form.hits.len() > 1 => {
            let count = model.form.hits.len();
            let step = if action == Action::Down { 1 } else { count - 1 };
            model.form.marked = (model.form.marked + step) % count;
            Vec::new()
        }
        Action::Up | Action::PreviousField => leave_field(model, -1),
        Action::Down => leave_field(model, 1),
        Action::Choose => match model.form.hits.get(model.form.marked).map(|hit| hit.path.clone()) {
            Some(path) if model.form.focus.is_path() && model.form.typed_path() != path => {
                model.form.complete(&path);
                list_paths(model)
            }
            _ => leave_field(model, 1),
        },
        Action::NextField => {
            let completed = model
                .form
                .common_start()
                .filter(|start| model.form.focus.is_path() && start.len() > model.form.typed_path().len());
            match completed {
                Some(start) => {
                    model.form.complete(&start);
                    list_paths(model)
                }
                None => leave_field(model, 1),
            }
        }
        _ => Vec::new(),
    }
}

fn leave_field(model: &mut Model, steps: isize) -> Vec<Command> {
    model.form.move_focus(steps);
    list_paths(model)
}

pub(crate) fn type_in_form(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if !model.form.takes_text() {
        match key.code {
            KeyCode::Left => model.form.turn(-1),
            KeyCode::Right | KeyCode::Char(' ') => model.form.turn(1),
            _ => {}
        }
        return Vec::new();
    }
    let field = model.form.focus;
    model.form.input_mut(field).handle_event(&Event::Key(key));
    model.form.refusal = None;
    list_paths(model)
}

/// Asks what the typed path may become, and what the file it names says.
pub(crate) fn list_paths(model: &mut Model) -> Vec<Command> {
    if !model.form.focus.is_path() {
        return Vec::new();
    }
    let generation = model.generation();
    model.form.generation = generation;
    let mut commands = vec![Command::ListPaths {
        generation,
        typed: model.form.typed_path().to_owned(),
        blends_only: model.form.focus == Field::Scene,
    }];
    if model.form.focus == Field::Scene {
        model.form.own_range = None;
        let path = model.form.text(Field::Scene).to_owned();
        let worth_reading = std::path::Path::new(&path).extension().is_some();
        if worth_reading {
            commands.push(Command::ReadHead { generation, path });
        }
    }
    commands
}

fn send_form(model: &mut Model) -> Vec<Command> {
    if model.readonly {
        model.say(Tone::Plain, READ_ONLY);
        return Vec::new();
    }
    if model.pending.contains_key(&Target::Form) {
        return Vec::new();
    }
    match model.form.job() {
        Err(field) => {
            model.form.focus = field;
            model.form.hits.clear();
            Vec::new()
        }
        Ok(job) => {
            let generation = model.generation();
            model.pending.insert(
                Target::Form,
                Pending {
                    generation,
                    doing: "submitting",
                    undo: None,
                    done: String::new(),
                },
            );
            model.form.refusal = None;
            model.form.sending = Some("packing".to_owned());
            vec![Command::Submit {
                generation,
                job: Box::new(job),
            }]
        }
    }
}

/// The file in the scene field was looked into.
pub(crate) fn head_read(model: &mut Model, generation: u64, result: Result<Option<FrameSet>, String>) {
    if generation == model.form.generation {
        model.form.take_range(result);
    }
}

/// What the typed path may become.
pub(crate) fn paths_listed(model: &mut Model, generation: u64, hits: Vec<PathHit>) {
    if generation == model.form.generation && model.form.focus.is_path() {
        model.form.hits = hits;
        model.form.marked = 0;
    }
}

/// How far a submit is.
pub(crate) fn submitting(model: &mut Model, generation: u64, doing: String) {
    if pending_submit(model) == Some(generation) {
        model.form.sending = Some(doing);
    }
}

pub(crate) fn submitted(
    model: &mut Model,
    generation: u64,
    result: Result<Box<JobView>, String>,
) -> Vec<Command> {
    if pending_submit(model) != Some(generation) {
        return Vec::new();
    }
    model.pending.remove(&Target::Form);
    model.form.sending = None;
    match result {
        Ok(job) => {
            model.say(
                Tone::Good,
                format!(
                    "{} {}: {} to {}",
                    job.id,
                    job.name,
                    words::frames(job.frames.len()),
                    job.output
                ),
            );
            let id = job.id;
            let now = model.now;
            if model.behind.is_some() {
                model.farm.apply(FarmEvent::Job { job: job.clone() }, now);
            }
            model.newest_mut().apply(FarmEvent::Job { job }, now);
            model.form = SubmitForm::default();
            model.screens.retain(|screen| *screen != Screen::Submit);
            model.focus = Panel::Jobs;
            model.settle_all();
            go_to_job(model, id)
        }
        Err(error) => {
            model.form.refusal = Some(error);
            Vec::new()
        }
    }
}

fn pending_submit(model: &Model) -> Option<u64> {
    model.pending.get(&Target::Form).map(|pending| pending.generation)
}
