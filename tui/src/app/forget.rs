//! Forgetting: a job that has ended, a node that is gone.

use farmhand_protocol::farm::{JobView, NodeState};

use super::{Act, Dialog, Model, Panel, Target};

pub(super) fn availability(model: &Model) -> Result<(), String> {
    match model.focus {
        Panel::Jobs => {
            let job = model.selected_job();
            can_forget_job(job.ok_or("nothing to forget: no job is selected")?)
        }
        Panel::Nodes => {
            let node = &model
                .selected_node()
                .ok_or("nothing to forget: no node is selected")?
                .view;
            match node.state {
                _ if node.id.is_none() => Err(format!("{} has not been reached yet", node.name)),
                NodeState::Lost => Ok(()),
                _ => Err(format!("{} answers: stop its agent first", node.name)),
            }
        }
        Panel::Batches | Panel::Events => Err("forgetting is about jobs and nodes".to_owned()),
    }
}

pub(super) fn can_forget_job(job: &JobView) -> Result<(), String> {
    if job.state.has_ended() {
        return Ok(());
    }
    let (id, state) = (job.id, job.state.word());
    Err(format!("{id} is {state}: cancel it first"))
}

/// Asks about what is selected on the farm screen.
pub(super) fn dialog(model: &Model) -> Option<Dialog> {
    if model.focus == Panel::Jobs {
        return model.selected_job().map(job_dialog);
    }
    let node = &model.selected_node()?.view;
    let id = node.id?;
    Some(Dialog::confirm(
        format!("Forget node {}?", node.name),
        vec!["It is not looked for any more. It comes back by itself when its agent joins again.".to_owned()],
        "Keep",
        "Forget node",
        Target::Node(id),
        Act::ForgetNode(id),
    ))
}

pub(super) fn job_dialog(job: &JobView) -> Dialog {
    let lines = vec![
        format!("Its pictures stay in {}.", job.output),
        "Its history, logs and scene are gone: it cannot be rendered again without a new submit.".to_owned(),
    ];
    Dialog::confirm(
        format!("Forget {} {}?", job.id, job.name),
        lines,
        "Keep",
        "Forget job",
        Target::Job(job.id),
        Act::ForgetJob(job.id),
    )
}
