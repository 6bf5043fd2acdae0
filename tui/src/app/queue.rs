//! Acts on jobs as they stand in the queue: their priority, and many at once.

use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobView;

use super::{Act, Action, Command, Dialog, Model, Overlay, Panel, Target, act};
use crate::words;

/// By how much a key changes a priority.
const STEP: i32 = 10;

/// Whether the selected job's priority can go this way.
pub(crate) fn can_change(model: &Model, action: Action) -> Result<(), String> {
    let job = model
        .selected_job()
        .filter(|_| matches!(model.focus, Panel::Jobs | Panel::Batches))
        .ok_or("priority is of jobs: select one in panel 1")?;
    if job.state.has_ended() {
        return Err(format!(
            "{} is {}: its priority changes nothing",
            job.id,
            job.state.word()
        ));
    }
    if changed(job, action) == job.priority {
        return Err(format!("{} has priority {} already", job.id, job.priority));
    }
    Ok(())
}

fn changed(job: &JobView, action: Action) -> i32 {
    let step = if action == Action::Raise { STEP } else { -STEP };
    job.priority.saturating_add(step).clamp(-100, 100)
}

/// Raises or lowers the selected job's priority.
pub(crate) fn change_priority(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(job) = model.selected_job() else {
        return Vec::new();
    };
    let (job, priority) = (job.id, changed(job, action));
    let change = Act::SetPriority { job, priority };
    let (doing, done) = act::wording(&change);
    act::start(model, Target::Job(job), change, doing, done)
}

/// Jobs of the table that can be cancelled.
fn unfinished(model: &Model) -> Vec<&JobView> {
    let jobs = model.job_rows.iter().filter_map(|id| model.farm.jobs.get(id));
    jobs.filter(|job| !job.state.has_ended()).collect()
}

pub(crate) fn can_cancel_shown(model: &Model) -> Result<(), String> {
    if unfinished(model).is_empty() {
        return Err("nothing to cancel: no job that is shown is unfinished".to_owned());
    }
    Ok(())
}

/// Asks whether to cancel every unfinished job that the filter shows; for more than one the answer is typed.
pub(crate) fn ask_to_cancel_shown(model: &mut Model) -> Vec<Command> {
    let jobs = unfinished(model);
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let left: u32 = jobs
        .iter()
        .map(|job| job.counts.total() - job.counts.delivered - job.counts.failed - job.counts.cancelled)
        .sum();
    let rendering: u32 = jobs.iter().map(|job| job.counts.rendering).sum();
    let names: Vec<String> = jobs
        .iter()
        .take(4)
        .map(|job| format!("{} {}", job.id, job.name))
        .collect();
    let more = ids.len().saturating_sub(names.len());
    let mut lines = vec![
        names.join(", ")
            + &(if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            }),
    ];
    lines.push(format!(
        "{} not delivered will be cancelled.",
        words::frames(left)
    ));
    if rendering > 0 {
        lines.push(format!("{} being rendered are lost.", words::frames(rendering)));
    }
    lines.push("Delivered frames stay in their folders.".to_owned());
    let count = ids.len();
    let mut dialog = Dialog::confirm(
        format!("Cancel {count} jobs?"),
        lines,
        "Keep",
        "Cancel them",
        Target::Farm,
        Act::CancelJobs(ids),
    );
    if count > 1 {
        dialog.must_be_typed(format!("cancel {count}"));
    }
    model.overlay = Some(Overlay::Dialog(dialog));
    Vec::new()
}
