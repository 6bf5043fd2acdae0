//! What an action means for what is selected: whether it can be done and why not, what is lost by it, and
//! the command that does it.

use farmhand_protocol::FrameSet;
use farmhand_protocol::farm::{BatchState, BatchView, JobState, JobView, NodeState, SlotView};

use super::model::Pending;
use super::{
    Act, Action, Command, Dialog, Model, NodeEntry, Overlay, Panel, Prompt, Screen, Target, Tone, forget,
    job, queue, undo,
};
use crate::words;

/// What `c` and `r` are about.
enum Subject<'m> {
    Job(&'m JobView),
    Batch(&'m BatchView),
    None,
}

fn subject(model: &Model) -> Subject<'_> {
    match model.focus {
        Panel::Jobs => model.selected_job().map_or(Subject::None, Subject::Job),
        Panel::Batches => model.selected_batch().map_or(Subject::None, Subject::Batch),
        Panel::Nodes | Panel::Events => Subject::None,
    }
}

/// Why a read-only dashboard does nothing.
pub(crate) const READ_ONLY: &str = "this dashboard is read-only: --readonly, or a token that may only look";

/// Whether an action can be done now; if not, why, in words.
pub(crate) fn availability(model: &Model, action: Action) -> Result<(), String> {
    if model.readonly && action.changes_the_farm() {
        return Err(READ_ONLY.to_owned());
    }
    if let Screen::Job(_) = model.screen()
        && action != Action::Undo
    {
        return job::availability(model, action);
    }
    match action {
        Action::Cancel => can_cancel(model),
        Action::Retry => can_retry(model),
        Action::PauseOrResume => match model.selected_job() {
            None => Err("nothing to pause: no job is selected".to_owned()),
            Some(job) if job.state.has_ended() => {
                Err(format!("nothing to pause: {} is {}", job.id, job.state.word()))
            }
            Some(_) => Ok(()),
        },
        Action::Undo => undo::availability(model),
        Action::Raise | Action::Lower => queue::can_change(model, action),
        Action::Forget => forget::availability(model),
        Action::CancelShown => queue::can_cancel_shown(model),
        Action::Drain | Action::DrainUntil => node(model).map(drop),
        Action::DrainNow => match node(model)?.view.state {
            NodeState::Drained => Err("it is drained already".to_owned()),
            _ => Ok(()),
        },
        Action::Open => {
            let something = match model.focus {
                Panel::Jobs => model.selected_job().is_some(),
                Panel::Nodes => model.selected_node().is_some(),
                Panel::Batches => model.selected_batch().is_some(),
                Panel::Events => !model.farm.notes.is_empty(),
            };
            something
                .then_some(())
                .ok_or_else(|| "nothing is selected".to_owned())
        }
        _ => Ok(()),
    }
}

fn node(model: &Model) -> Result<&NodeEntry, String> {
    if model.focus != Panel::Nodes && !matches!(model.screen(), Screen::Node(_)) {
        return Err("drain is about nodes: select one in panel 2".to_owned());
    }
    let node = model.selected_node().ok_or("there is no node to drain")?;
    if node.view.id.is_none() {
        return Err(format!("{} has not been reached yet", node.view.name));
    }
    Ok(node)
}

fn can_cancel(model: &Model) -> Result<(), String> {
    match subject(model) {
        Subject::Job(job) if job.state.has_ended() => {
            Err(format!("nothing to cancel: {} is {}", job.id, job.state.word()))
        }
        Subject::Batch(batch) if batch.ended.is_some() => Err(format!(
            "nothing to cancel: {} is {}",
            batch.id,
            words::batch_state(batch.state)
        )),
        Subject::None => Err("nothing to cancel: select a job or a batch".to_owned()),
        Subject::Job(_) | Subject::Batch(_) => Ok(()),
    }
}

fn can_retry(model: &Model) -> Result<(), String> {
    match subject(model) {
        Subject::Job(job) if job.counts.failed + job.counts.cancelled == 0 => Err(format!(
            "nothing to retry: no frame of {} failed or was cancelled",
            job.id
        )),
        Subject::Batch(batch) if retryable(batch).is_empty() => Err(format!(
            "nothing to retry: no frame of {} failed or was cancelled",
            batch.id
        )),
        Subject::None => Err("nothing to retry: select a job or a batch".to_owned()),
        Subject::Job(_) | Subject::Batch(_) => Ok(()),
    }
}

/// Frames of a batch that failed or were cancelled with it.
pub(super) fn retryable(batch: &BatchView) -> FrameSet {
    match batch.state {
        BatchState::Cancelled => batch.frames.difference(&batch.delivered),
        _ => batch.failed.clone(),
    }
}

/// Does an action that changes the farm, or asks first where something is lost by it.
pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Command> {
    if let Err(reason) = availability(model, action) {
        model.say(Tone::Plain, reason);
        return Vec::new();
    }
    match action {
        Action::Cancel => {
            let dialog = cancel_dialog(model);
            model.overlay = dialog.map(Overlay::Dialog);
            Vec::new()
        }
        Action::Retry => match subject(model) {
            Subject::Job(job) => {
                let job = job.clone();
                retry_job(model, &job)
            }
            Subject::Batch(batch) => {
                let batch = batch.clone();
                retry_batch(model, &batch)
            }
            Subject::None => Vec::new(),
        },
        Action::PauseOrResume => match model.selected_job().cloned() {
            Some(job) => pause_or_resume(model, &job),
            None => Vec::new(),
        },
        Action::Raise | Action::Lower => queue::change_priority(model, action),
        Action::Forget => {
            model.overlay = forget::dialog(model).map(Overlay::Dialog);
            Vec::new()
        }
        Action::CancelShown => queue::ask_to_cancel_shown(model),
        Action::DrainUntil => {
            if let Some((id, view)) = model
                .selected_node()
                .and_then(|node| Some((node.view.id?, &node.view)))
            {
                model.overlay = Some(Overlay::Prompt(Prompt::drain_until(id, &view.name)));
            }
            Vec::new()
        }
        Action::Drain => drain(model),
        Action::DrainNow => {
            let dialog = drain_now_dialog(model);
            model.overlay = dialog.map(Overlay::Dialog);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

pub(super) fn retry_job(model: &mut Model, job: &JobView) -> Vec<Command> {
    let count = job.counts.failed + job.counts.cancelled;
    let done = format!("{}: {} queued again", job.id, words::frames(count));
    start(
        model,
        Target::Job(job.id),
        Act::RetryJob(job.id),
        "retrying",
        done,
    )
}

pub(super) fn retry_batch(model: &mut Model, batch: &BatchView) -> Vec<Command> {
    let (id, frames) = (batch.id, retryable(batch));
    let done = format!("{id}: {} queued again ({frames})", words::frames(frames.len()));
    start(model, Target::Batch(id), Act::RetryBatch(id), "retrying", done)
}

pub(super) fn pause_or_resume(model: &mut Model, job: &JobView) -> Vec<Command> {
    let id = job.id;
    if job.state == JobState::Paused {
        let done = format!("{id} goes on");
        return start(model, Target::Job(id), Act::Resume(id), "resuming", done);
    }
    let done = format!("{id} paused: frames on nodes are finished; p lets it go on");
    start(model, Target::Job(id), Act::Pause(id), "pausing", done)
}

fn drain(model: &mut Model) -> Vec<Command> {
    let Some(node) = model.selected_node() else {
        return Vec::new();
    };
    let Some(id) = node.view.id else { return Vec::new() };
    let name = node.view.name.clone();
    if matches!(node.view.state, NodeState::Draining | NodeState::Drained) {
        let done = format!("{name} gets work again");
        start(model, Target::Node(id), Act::Undrain(id), "undraining", done)
    } else {
        let done = format!("{name} finishes its frame and gets nothing new; d takes it back");
        start(
            model,
            Target::Node(id),
            Act::Drain {
                node: id,
                now: false,
                until: None,
            },
            "draining",
            done,
        )
    }
}

/// Begins an act, unless one on the same thing is under way.
pub(crate) fn start(
    model: &mut Model,
    target: Target,
    act: Act,
    doing: &'static str,
    done: String,
) -> Vec<Command> {
    if model.readonly {
        model.say(Tone::Plain, READ_ONLY);
        return Vec::new();
    }
    if let Some(pending) = model.pending.get(&target) {
        let doing = pending.doing;
        model.say(Tone::Plain, format!("still {doing}"));
        return Vec::new();
    }
    let generation = model.generation();
    model.pending.insert(
        target.clone(),
        Pending {
            generation,
            doing,
            done,
            undo: None,
        },
    );
    vec![Command::Act {
        generation,
        target,
        act,
    }]
}

/// How an act is called while it is under way, and when it is done.
pub(crate) fn wording(act: &Act) -> (&'static str, String) {
    match act {
        Act::CancelJob(id) => ("cancelling", format!("{id} cancelled")),
        Act::CancelBatch(id) => (
            "cancelling",
            format!("{id} cancelled; r on it renders its frames again"),
        ),
        Act::RetryJob(id) => ("retrying", format!("{id} queued again")),
        Act::RetryBatch(id) => ("retrying", format!("{id} queued again")),
        Act::CancelFrames { job, frames } => (
            "cancelling",
            format!("{job}: {} cancelled ({frames})", words::frames(frames.len())),
        ),
        Act::RetryFrames { job, frames } => (
            "retrying",
            format!("{job}: {} queued again ({frames})", words::frames(frames.len())),
        ),
        Act::SetPriority { job, priority } => ("changing", format!("{job} has priority {priority}")),
        Act::CancelJobs(ids) => ("cancelling", format!("{} jobs cancelled", ids.len())),
        Act::Pause(id) => ("pausing", format!("{id} paused")),
        Act::Resume(id) => ("resuming", format!("{id} goes on")),
        Act::Drain { until: Some(_), .. } => (
            "draining",
            "the node finishes its frame, and works again at that time".to_owned(),
        ),
        Act::Drain { .. } => ("draining", "the node is drained".to_owned()),
        Act::Undrain(_) => ("undraining", "the node gets work again".to_owned()),
        Act::AddNode(address) => ("adding", format!("{address} is known now")),
        Act::Verify(id) => (
            "reading",
            format!("{id}: its pictures were read again; events tell of what is rendered again"),
        ),
        Act::MakeFilms(id) => (
            "asking",
            format!("{id}: its film is made once all pictures are there"),
        ),
        Act::ForgetJob(id) => ("forgetting", format!("{id} is forgotten; its pictures stay")),
        Act::ForgetNode(_) => ("forgetting", "the node is forgotten".to_owned()),
    }
}

fn cancel_dialog(model: &Model) -> Option<Dialog> {
    match subject(model) {
        Subject::Job(job) => Some(cancel_job_dialog(model, job)),
        Subject::Batch(batch) => Some(cancel_batch_dialog(model, batch)),
        Subject::None => None,
    }
}

pub(super) fn cancel_job_dialog(model: &Model, job: &JobView) -> Dialog {
    let counts = &job.counts;
    let left = counts.total() - counts.delivered - counts.failed - counts.cancelled;
    let mut lines = vec![format!(
        "{} not delivered will be cancelled.",
        words::frames(left)
    )];
    lines.extend(lost_frames(model, |slot| slot.job == Some(job.id)));
    lines.push(format!("{} stay in their folder.", delivered(counts.delivered)));
    Dialog::confirm(
        format!("Cancel {} {}?", job.id, job.name),
        lines,
        "Keep",
        "Cancel job",
        Target::Job(job.id),
        Act::CancelJob(job.id),
    )
}

pub(super) fn cancel_batch_dialog(model: &Model, batch: &BatchView) -> Dialog {
    let left = batch
        .frames
        .difference(&batch.delivered)
        .difference(&batch.failed);
    let mut lines = vec![format!(
        "{} left ({left}) will be cancelled.",
        words::frames(left.len())
    )];
    lines.extend(lost_frames(model, |slot| slot.progress.key.batch == batch.id));
    lines.push(format!(
        "{} stay in their folder.",
        delivered(batch.delivered.len())
    ));
    Dialog::confirm(
        format!("Cancel batch {} of {}?", batch.id, batch.job),
        lines,
        "Keep",
        "Cancel batch",
        Target::Batch(batch.id),
        Act::CancelBatch(batch.id),
    )
}

fn delivered(count: u32) -> String {
    format!("{} delivered", words::frames(count))
}

fn drain_now_dialog(model: &Model) -> Option<Dialog> {
    let node = model.selected_node()?;
    let id = node.view.id?;
    let mut lines: Vec<String> = node.view.running.iter().filter_map(lost_frame).collect();
    lines.push("Its frames are rendered again on other nodes.".to_owned());
    lines.push("d instead lets it finish the frame it renders.".to_owned());
    Some(Dialog::confirm(
        format!("Drain {} now?", node.view.name),
        lines,
        "Keep",
        "Drain now",
        Target::Node(id),
        Act::Drain {
            node: id,
            now: true,
            until: None,
        },
    ))
}

/// Frames under way that would be lost, a line each.
pub(super) fn lost_frames(model: &Model, belongs: impl Fn(&SlotView) -> bool) -> Vec<String> {
    const SHOWN: usize = 4;
    let lost: Vec<String> = model
        .farm
        .nodes
        .values()
        .flat_map(|node| &node.view.running)
        .filter(|slot| belongs(slot))
        .filter_map(lost_frame)
        .collect();
    let mut lines: Vec<String> = lost.iter().take(SHOWN).cloned().collect();
    if lost.len() > SHOWN {
        lines.push(format!(
            "and {} more frames under way are lost.",
            lost.len() - SHOWN
        ));
    }
    lines
}

fn lost_frame(slot: &SlotView) -> Option<String> {
    let progress = &slot.progress;
    let frame = progress.frame?;
    let far = match (progress.sample, progress.samples) {
        (Some(sample), Some(samples)) if samples > 0 => {
            format!(
                " at {} %",
                (u64::from(sample) * 100 / u64::from(samples)).min(100)
            )
        }
        _ => String::new(),
    };
    let spent = words::duration(std::time::Duration::from_millis(progress.elapsed_ms));
    Some(format!("Frame {frame}{far} is lost ({spent} of rendering)."))
}
