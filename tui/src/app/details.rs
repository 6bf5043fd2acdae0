//! Everything about one row, as text to scroll through.

use farmhand_protocol::JobId;
use farmhand_protocol::farm::{BatchView, JobDetail, Note};
use jiff::tz::TimeZone;

use super::scroll::scrolled;
use super::{Action, Command, Model, NodeEntry, Screen, act};
use crate::cli::jobs;
use crate::words;

/// A page about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) title: String,
    /// The job to read anew for it, where it is about one.
    pub(crate) job: Option<JobId>,
    pub(crate) lines: Vec<String>,
    pub(crate) scroll: usize,
    /// The job has changed since it was read.
    pub(crate) stale: bool,
}

impl Details {
    /// A page about a job that is still to be read.
    pub(crate) fn awaiting(job: JobId) -> Self {
        Self {
            title: job.to_string(),
            job: Some(job),
            lines: vec!["reading ...".to_owned()],
            scroll: 0,
            stale: false,
        }
    }

    /// Shows what was read.
    pub(crate) fn fill(&mut self, detail: &JobDetail) {
        self.title = format!("{} {}", detail.job.id, detail.job.name);
        self.lines = jobs::describe(detail).lines().map(str::to_owned).collect();
    }

    pub(crate) fn of_batch(batch: &BatchView) -> Self {
        let lines = vec![
            format!("batch     {} of {}", batch.id, batch.job),
            format!("node      {}", batch.node_name),
            format!("state     {}", words::batch_state(batch.state)),
            format!("frames    {}", batch.frames),
            format!("delivered {}", none_or(&batch.delivered.to_string())),
            format!("failed    {}", none_or(&batch.failed.to_string())),
            format!("why       {}", batch.why),
        ];
        Self {
            title: format!("{} on {}", batch.id, batch.node_name),
            job: None,
            lines,
            scroll: 0,
            stale: false,
        }
    }

    pub(crate) fn of_node(node: &NodeEntry) -> Self {
        let view = &node.view;
        let mut lines = vec![
            format!("node      {}", view.name),
            format!("address   {}", view.address),
            format!("state     {}", words::node_state(view.state)),
        ];
        if let Some(problem) = &view.problem {
            lines.push(format!("problem   {problem}"));
        }
        let id = view
            .id
            .map_or_else(|| "not reached yet".to_owned(), |id| id.to_string());
        lines.extend([
            format!("id        {id}"),
            format!("agent     {}", none_or(&view.version)),
            format!("system    {}", none_or(&view.hardware.os)),
            format!(
                "processor {} ({} threads)",
                view.hardware.cpu, view.hardware.threads
            ),
            format!("memory    {}", words::bytes(view.hardware.memory_bytes)),
            format!("slots     {}", view.slots),
            format!("tags      {}", none_or(&view.tags.join(" "))),
        ]);
        for gpu in &view.hardware.gpus {
            lines.push(format!("gpu       {gpu}"));
        }
        for engine in &view.engines {
            let devices: Vec<&str> = engine.devices.iter().map(|device| device.name()).collect();
            let denoiser = if engine.denoiser {
                "denoises"
            } else {
                "no denoiser"
            };
            lines.push(format!(
                "blender   {}  {}  {denoiser}  {}",
                engine.version,
                devices.join(" "),
                engine.path
            ));
        }
        Self {
            title: view.name.clone(),
            job: None,
            lines,
            scroll: 0,
            stale: false,
        }
    }

    pub(crate) fn of_note(note: &Note, zone: &TimeZone) -> Self {
        let at = note
            .at
            .to_zoned_datetime(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string();
        let mut lines = vec![at, String::new()];
        lines.extend(note.text.lines().map(str::to_owned));
        if let Some(job) = note.job {
            lines.push(format!("job  {job}"));
        }
        Self {
            title: "Event".to_owned(),
            job: None,
            lines,
            scroll: 0,
            stale: false,
        }
    }
}

pub(crate) fn on_details(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(5)).max(1);
    match action {
        Action::Back => {
            model.screens.pop();
        }
        Action::Cancel | Action::Retry => return act::act(model, action),
        _ => {
            if let Some(Screen::Details(details)) = model.screens.last_mut() {
                let most = details.lines.len().saturating_sub(page);
                details.scroll = scrolled(details.scroll, action, page).min(most);
            }
        }
    }
    Vec::new()
}

/// Reads the job of a page of details anew where it has changed, at most once a second.
pub(crate) fn refresh_details(model: &mut Model) -> Vec<Command> {
    match model.screens.last_mut() {
        Some(Screen::Details(details)) if details.stale => {
            details.stale = false;
            details
                .job
                .map(|job| Command::LoadJob { job })
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn none_or(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
