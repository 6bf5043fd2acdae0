//! The page that answers why something waits or failed.

use farmhand_protocol::farm::Why;
use farmhand_protocol::{BatchId, Cause, Frame, JobId, NodeId};

use super::scroll::scrolled;
use super::{Action, Command, JobPanel, Model, Panel, Screen, Tone, frame_at_cursor};
use crate::causes::{self, CauseLine};

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Job(JobId),
    Frame(JobId, Frame),
    Batch(BatchId),
    Node(NodeId),
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WhyPage {
    pub(crate) subject: Subject,
    /// What it is called.
    pub(crate) title: String,
    /// Nothing until the farm has answered.
    pub(crate) causes: Option<Vec<Cause>>,
    pub(crate) scroll: usize,
    /// Seconds since it was asked.
    age: u8,
}

/// Reasons change: the farm is asked again so often, in seconds.
const ASK_EVERY: u8 = 2;

impl WhyPage {
    /// Its lines.
    pub(crate) fn lines(&self) -> Vec<CauseLine> {
        causes::lines(self.causes.as_deref().unwrap_or_default())
    }
}

/// What `w` would be about now; if nothing, why, in words.
pub(crate) fn subject(model: &Model) -> Result<(Subject, String), String> {
    let of_job = |id: JobId| {
        let name = model.farm.jobs.get(&id).map(|job| job.name.clone());
        (Subject::Job(id), format!("{id} {}", name.unwrap_or_default()))
    };
    let of_node = |node: Option<&super::NodeEntry>| -> Result<(Subject, String), String> {
        let view = &node.ok_or("no node is selected")?.view;
        let id = view.id.ok_or_else(|| {
            let problem = view.problem.as_deref().unwrap_or("no answer yet");
            format!("{} has not been reached: {problem}", view.name)
        })?;
        Ok((Subject::Node(id), view.name.clone()))
    };
    match model.screen() {
        Screen::Job(screen) => match screen.panel {
            JobPanel::Batches => {
                let batch = screen.batches.selected().ok_or("no batch is selected")?;
                Ok((Subject::Batch(*batch), format!("{batch} of {}", screen.job)))
            }
            JobPanel::Frames => match frame_at_cursor(model) {
                Some(frame) => {
                    let title = format!("{} frame {frame}", screen.job);
                    Ok((Subject::Frame(screen.job, frame), title))
                }
                None => Ok(of_job(screen.job)),
            },
        },
        Screen::Node(_) => of_node(model.selected_node()),
        _ => match model.focus {
            Panel::Jobs => Ok(of_job(*model.jobs.selected().ok_or("no job is selected")?)),
            Panel::Nodes => of_node(model.selected_node()),
            Panel::Batches => {
                let batch = model.selected_batch().ok_or("no batch is selected")?;
                Ok((Subject::Batch(batch.id), format!("{} of {}", batch.id, batch.job)))
            }
            Panel::Events => {
                let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
                let job = model.farm.notes.get(newest).and_then(|note| note.job);
                job.map(of_job)
                    .ok_or_else(|| "this event is about no job".to_owned())
            }
        },
    }
}

/// Opens the page about what is selected.
pub(crate) fn open(model: &mut Model) -> Vec<Command> {
    match subject(model) {
        Ok((subject, title)) => {
            model.screens.push(Screen::Why(WhyPage {
                subject,
                title,
                causes: None,
                scroll: 0,
                age: 0,
            }));
            vec![Command::LoadWhy { subject }]
        }
        Err(reason) => {
            model.say(Tone::Plain, reason);
            Vec::new()
        }
    }
}

pub(crate) fn on_why(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(5)).max(1);
    match action {
        Action::Back => {
            model.screens.pop();
        }
        _ => {
            if let Some(Screen::Why(why)) = model.screens.last_mut() {
                // Long lines are wrapped, so the end may take some more.
                let most = why.lines().len().saturating_sub(1);
                why.scroll = scrolled(why.scroll, action, page).min(most);
            }
        }
    }
    Vec::new()
}

/// The farm has answered.
pub(crate) fn loaded(model: &mut Model, subject: Subject, result: Result<Why, String>) {
    match result {
        Ok(why) => {
            for screen in &mut model.screens {
                if let Screen::Why(page) = screen
                    && page.subject == subject
                {
                    page.causes = Some(why.causes.clone());
                }
            }
        }
        Err(error) => model.say(Tone::Bad, error),
    }
}

/// Once a second.
pub(crate) fn refresh(model: &mut Model) -> Option<Command> {
    let Some(Screen::Why(page)) = model.screens.last_mut() else {
        return None;
    };
    page.age = (page.age + 1) % ASK_EVERY;
    (page.age == 0).then_some(Command::LoadWhy {
        subject: page.subject,
    })
}
