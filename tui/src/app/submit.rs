//! The submit screen: keys of the form, and what its answers change.

use crossterm::event::{Event, KeyCode, KeyEvent};
use farmhand_protocol::farm::{Existing, FarmEvent, JobState, JobView, NodeState};
use farmhand_protocol::{Frame, FrameSet, JobId};
use tui_input::backend::crossterm::EventHandler;

use super::act::READ_ONLY;
use super::farm_screen::go_to_job;
use super::model::Pending;
use super::{
    Action, Command, Dialog, Field, Model, NodeEntry, Overlay, Panel, PathHit, SceneFile, Screen, SubmitForm,
    Target, Tone,
};
use crate::new_job::NewJob;
use crate::words;

/// A frame that was submitted alone, and the job that waits for what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TestFrame {
    /// Once the farm has taken it.
    pub(crate) job: Option<JobId>,
    pub(crate) frame: Frame,
    /// With the test frame; what is there already is skipped.
    pub(crate) rest: NewJob,
}

pub(crate) fn on_form(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Back => {
            model.screens.pop();
            Vec::new()
        }
        Action::Send => send_form(model),
        Action::TestFrame => send_test(model),
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
    model.form.is_new = true;
    model.form.refusal = None;
    list_paths(model)
}

/// Asks what the typed path may become, and what the file it names says.
pub(crate) fn list_paths(model: &mut Model) -> Vec<Command> {
    if !model.form.focus.is_path() {
        return Vec::new();
    }
    // What does not fit any more is no choice while the new ones are on their way.
    let typed = model.form.typed_path().to_owned();
    model.form.hits.retain(|hit| hit.path.starts_with(&typed));
    model.form.marked = 0;
    let generation = model.generation();
    model.form.generation = generation;
    let mut commands = Vec::new();
    let is_scene = model.form.focus == Field::Scene;
    // Who goes through the fields with the arrows shall not be held by files that nobody asked for.
    if is_scene || !typed.is_empty() {
        let blends_only = is_scene;
        commands.push(Command::ListPaths {
            generation,
            typed,
            blends_only,
        });
    } else {
        model.form.hits.clear();
    }
    let path = model.form.text(Field::Scene).to_owned();
    if path != model.form.read_path || model.form.file.is_none() {
        model.form.file = None;
        model.form.reading = generation;
        model.form.read_path.clone_from(&path);
        let worth_reading = std::path::Path::new(&path).extension().is_some();
        if worth_reading {
            commands.push(Command::ReadFile { generation, path });
        }
    }
    commands
}

/// Keeps the draft where it has changed, at most once a second.
pub(crate) fn keep_draft(model: &mut Model) -> Vec<Command> {
    if !std::mem::take(&mut model.form.is_new) {
        return Vec::new();
    }
    vec![Command::KeepDraft(Some(model.form.draft()))]
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
        Err(field) => wrong(model, field),
        Ok(job) => {
            model.test = None;
            send(model, job)
        }
    }
}

fn wrong(model: &mut Model, field: Field) -> Vec<Command> {
    model.form.focus = field;
    model.form.hits.clear();
    Vec::new()
}

/// Submits one frame from the middle; the rest waits for a person's word.
fn send_test(model: &mut Model) -> Vec<Command> {
    if model.readonly {
        model.say(Tone::Plain, READ_ONLY);
        return Vec::new();
    }
    if model.pending.contains_key(&Target::Form) {
        return Vec::new();
    }
    let job = match model.form.job() {
        Err(field) => return wrong(model, field),
        Ok(job) => job,
    };
    let frames = job.frames.clone().or_else(|| model.form.own_range().cloned());
    let middle = frames.as_ref().and_then(|frames| frames.nth(frames.len() / 2));
    let (Some(frames), Some(frame)) = (frames, middle) else {
        model.form.refusal = Some("type the frames first: the file does not tell them".to_owned());
        return Vec::new();
    };
    let test = NewJob {
        frames: Some(frame.into()),
        ..job.clone()
    };
    model.test = Some(TestFrame {
        job: None,
        frame,
        rest: NewJob {
            frames: Some(frames),
            ..job
        },
    });
    send(model, test)
}

fn send(model: &mut Model, job: NewJob) -> Vec<Command> {
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

/// A job has changed: where it is a test frame that has ended, the rest may follow.
pub(crate) fn job_changed(model: &mut Model, id: JobId) {
    let Some((job, test)) = model.farm.jobs.get(&id).zip(model.test.as_ref()) else {
        return;
    };
    if test.job != Some(id) || !job.state.has_ended() {
        return;
    }
    if job.state == JobState::Completed {
        let said = format!(
            "test frame {} of {id} is rendered: T shows it and asks about the rest",
            test.frame
        );
        model.say(Tone::Good, said);
        return;
    }
    let reason = job.reason.clone().unwrap_or_else(|| job.state.word().to_owned());
    let said = format!(
        "test frame {} of {id}: {reason}; l on it shows the log",
        test.frame
    );
    model.test = None;
    model.say(Tone::Bad, said);
}

/// Whether a test frame is there that the rest of its job waits for; if not, why.
pub(crate) fn can_ask_about_rest(model: &Model) -> Result<(), String> {
    let Some(test) = &model.test else {
        return Err("no test frame was rendered: ctrl-t in the submit form begins with one".to_owned());
    };
    match test.job.and_then(|id| model.farm.jobs.get(&id)) {
        Some(job) if job.state == JobState::Completed => Ok(()),
        _ => Err(format!("test frame {} is not rendered yet", test.frame)),
    }
}

/// Asks whether what is left of a tested job shall be rendered.
pub(crate) fn ask_about_rest(model: &mut Model) {
    if let Err(reason) = can_ask_about_rest(model) {
        model.say(Tone::Plain, reason);
        return;
    }
    let Some((job, test)) = model.test.as_ref().and_then(|test| {
        let job = model.farm.jobs.get(&test.job?)?;
        Some((job, test))
    }) else {
        return;
    };
    let left = test
        .rest
        .frames
        .as_ref()
        .map_or(0, FrameSet::len)
        .saturating_sub(1);
    let took = job
        .ended
        .zip(job.started)
        .map(|(ended, started)| ended.duration_since(started));
    let took = took.and_then(|took| std::time::Duration::try_from(took).ok());
    let mut lines = vec![format!(
        "It is in {}{}.",
        job.output,
        took.map(|took| format!(", after {}", words::duration(took)))
            .unwrap_or_default()
    )];
    let slots = ready_slots(model);
    lines.push(match took.filter(|_| slots > 0) {
        Some(took) => format!(
            "{} are left: {} at the most on {}, start of Blender counted for each.",
            words::frames(left),
            words::duration(took * left.div_ceil(slots)),
            words::count(slots as usize, "slot"),
        ),
        None => format!("{} are left.", words::frames(left)),
    });
    let title = format!("Test frame {} is rendered", test.frame);
    model.overlay = Some(Overlay::Dialog(Dialog::rest(title, lines)));
}

/// The picture of the test frame.
pub(crate) fn see_test(model: &mut Model) -> Vec<Command> {
    match model.test.as_ref().and_then(|test| Some((test.job?, test.frame))) {
        Some((job, frame)) => super::preview::open(model, job, frame),
        None => Vec::new(),
    }
}

/// Submits what is left of a tested job.
pub(crate) fn send_rest(model: &mut Model) -> Vec<Command> {
    match model.test.take() {
        Some(test) => send(model, test.rest),
        None => Vec::new(),
    }
}

/// Slots that could render.
fn ready_slots(model: &Model) -> u32 {
    let ready = |node: &&NodeEntry| matches!(node.view.state, NodeState::Idle | NodeState::Rendering);
    model
        .farm
        .nodes
        .values()
        .filter(ready)
        .map(|node| node.view.slots)
        .sum()
}

/// What the job of the form will probably be: batches, and time from the frames of an earlier job of its name.
pub(crate) fn dry_run(model: &Model) -> Option<String> {
    let form = &model.form;
    let typed = form.text(Field::Frames).parse::<FrameSet>().ok();
    let count = typed.as_ref().or(form.own_range())?.len();
    let name = match form.text(Field::Name) {
        "" => std::path::Path::new(form.text(Field::Scene))
            .file_stem()?
            .to_str()?,
        name => name,
    };
    let earlier = model
        .farm
        .jobs
        .values()
        .rev()
        .find(|job| job.name == name && job.mean_frame_ms.is_some());
    let size = form.text(Field::BatchSize).parse().ok().or_else(|| {
        let batches = model.farm.batches.get(&earlier?.id)?;
        let mut sizes: Vec<u32> = batches.values().map(|batch| batch.frames.len()).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied()
    });
    let batches = match size {
        Some(size) if size > 0 => {
            let batches = usize::try_from(count.div_ceil(size)).unwrap_or(usize::MAX);
            format!(
                "about {} of {size}",
                words::count(batches, "batch").replace("batchs", "batches")
            )
        }
        _ => "batches as the farm finds best".to_owned(),
    };
    let slots = ready_slots(model);
    let time = match earlier.and_then(|job| Some((job, job.mean_frame_ms?))) {
        Some((job, ms)) if slots > 0 => {
            let each = std::time::Duration::from_millis(ms);
            format!(
                "about {} on {}: {:.1} s a frame in {}",
                words::duration(each * count.div_ceil(slots)),
                words::count(slots as usize, "slot"),
                each.as_secs_f32(),
                job.id
            )
        }
        _ if slots == 0 => "no node is ready: it will wait".to_owned(),
        _ => format!("no earlier job {name} was measured; ctrl-t renders one frame first"),
    };
    Some(format!("{}, {batches}; {time}", words::frames(count)))
}

/// The file in the scene field was looked into.
pub(crate) fn file_read(model: &mut Model, generation: u64, result: Result<SceneFile, String>) {
    if generation == model.form.reading {
        model.form.take_file(result);
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
            let output = job.output.clone();
            let now = model.now;
            if model.behind.is_some() {
                model.farm.apply(FarmEvent::Job { job: job.clone() }, now);
            }
            model.newest_mut().apply(FarmEvent::Job { job }, now);
            let mut commands = Vec::new();
            if let Some(test) = &mut model.test {
                // The form stays as it is until the rest is on its way too.
                test.job = Some(id);
                test.rest.output = Some(output);
                test.rest.existing = Existing::Skip;
            } else {
                model.form = SubmitForm::default();
                commands.push(Command::KeepDraft(None));
            }
            model.screens.retain(|screen| !matches!(screen, Screen::Submit));
            model.focus = Panel::Jobs;
            model.settle_all();
            job_changed(model, id);
            commands.extend(go_to_job(model, id));
            commands
        }
        Err(error) => {
            model.test = None;
            if !matches!(model.screen(), Screen::Submit) {
                model.say(Tone::Bad, error.clone());
            }
            model.form.refusal = Some(error);
            Vec::new()
        }
    }
}

fn pending_submit(model: &Model) -> Option<u64> {
    model.pending.get(&Target::Form).map(|pending| pending.generation)
}
