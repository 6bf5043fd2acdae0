//! Copying to the clipboard of the terminal's person, and what there is to copy where.

use std::path::Path;

use super::{Command, JobPanel, JobScreen, Model, Panel, Screen, Tone, frame_at_cursor};

/// Terminals drop longer ones without a word.
const LONGEST: usize = 70_000;

/// Sends text to the terminal's clipboard. Whether it arrives is the terminal's affair, and nobody tells.
pub(crate) fn copy(model: &mut Model, text: String, what: &str) -> Vec<Command> {
    if text.len() > LONGEST {
        model.say(
            Tone::Plain,
            format!("{what} are too much for a terminal's clipboard: mark fewer, or save them with s"),
        );
        return Vec::new();
    }
    model.say(Tone::Good, format!("{what} sent to terminal (OSC 52)"));
    vec![Command::Copy { text }]
}

/// Copies what is selected on the screens that are no log and no picture.
pub(crate) fn copy_selected(model: &mut Model) -> Vec<Command> {
    let text = match model.screen() {
        Screen::Details(details) => Some(details.lines.join("\n")),
        Screen::Job(screen) => of_job(model, screen),
        Screen::Node(_) => model.selected_node().map(|node| node.view.address.clone()),
        _ => match model.focus {
            Panel::Jobs => model.selected_job().map(|job| job.id.to_string()),
            Panel::Nodes => model.selected_node().map(|node| node.view.address.clone()),
            Panel::Batches => model.selected_batch().map(|batch| batch.id.to_string()),
            Panel::Events => {
                let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
                model.farm.notes.get(newest).map(|note| note.text.clone())
            }
        },
    };
    let Some(text) = text else {
        model.say(Tone::Plain, "nothing is selected that could be copied");
        return Vec::new();
    };
    let what = if text.len() < 60 && !text.contains('\n') {
        text.clone()
    } else {
        "text".to_owned()
    };
    copy(model, text, &what)
}

/// The selected batch's id; else the picture at the cursor, or where it will be.
fn of_job(model: &Model, screen: &JobScreen) -> Option<String> {
    if screen.panel == JobPanel::Batches {
        return screen.batches.selected().map(ToString::to_string);
    }
    let folder = &model.farm.jobs.get(&screen.job)?.output;
    let frame = screen
        .frame
        .as_ref()
        .filter(|frame| Some(frame.frame) == frame_at_cursor(model));
    Some(match frame.and_then(|frame| frame.files.first()) {
        Some(file) => Path::new(folder).join(file.path.as_str()).display().to_string(),
        None => folder.clone(),
    })
}
