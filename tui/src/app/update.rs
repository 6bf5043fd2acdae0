//! How a message changes the model, and what shall be done for it: each kind of message goes to the module that
//! knows it, each key to the screen or overlay that has it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;

use super::dialog::{on_dialog, press_button_of};
use super::palette::{on_palette, type_in_palette};
use super::prompt::{on_prompt, type_in_prompt};
use super::search::{on_search, type_in_search};
use super::submit::{on_form, type_in_form};
use super::{
    Action, Chord, Command, Context, Found, Leave, Model, Msg, Stage, Tone, Typed, clipboard, details,
    farm_screen, help, job, live, log, mouse, node_screen, palette, preview, submit, undo, why,
};

/// Changes the model as the message says.
pub(crate) fn update(model: &mut Model, message: Msg) -> Vec<Command> {
    match message {
        Msg::Key(key) => return press(model, key),
        Msg::Paste(text) => return paste(model, &text),
        Msg::Mouse(event) => return mouse::mouse(model, event),
        Msg::Resize(width, height) => {
            model.size = Size::new(width, height);
            model.settle_all();
            log::settle(model);
            return preview::resized(model);
        }
        Msg::Tick(now) => {
            model.now = now;
            if model.toast.as_ref().is_some_and(|toast| toast.until <= now) {
                model.toast = None;
            }
            model.outcomes.retain(|_, outcome| outcome.until > now);
            let mut commands = job::refresh(model);
            commands.extend(node_screen::refresh(model));
            commands.extend(why::refresh(model));
            commands.extend(log::refresh(model));
            commands.extend(submit::keep_draft(model));
            return commands;
        }
        Msg::Signal(signal) => {
            let mut commands = live::hear(model, signal);
            commands.extend(live::settle(model));
            return commands;
        }
        Msg::FarmLoaded { generation, result } => return live::farm_loaded(model, generation, result),
        Msg::JobLoaded { job, result } => match result {
            Ok(detail) => return live::job_loaded(model, &detail),
            Err(error) => model.say(Tone::Bad, format!("{job}: {error}")),
        },
        Msg::OutputLoaded { job, result } => job::output_loaded(model, job, result),
        Msg::WhyLoaded { subject, result } => why::loaded(model, subject, result),
        Msg::HistoryLoaded { node, cursor, result } => {
            node_screen::loaded(model, node, cursor.as_deref(), result);
        }
        Msg::FrameLoaded { job, result } => job::frame_loaded(model, job, result),
        Msg::Acted {
            generation,
            target,
            result,
        } => return live::acted(model, generation, &target, result),
        Msg::CanUndo {
            generation,
            target,
            act,
        } => live::can_undo(model, generation, &target, act),
        Msg::FileRead { generation, result } => submit::file_read(model, generation, result),
        Msg::PathsListed { generation, hits } => submit::paths_listed(model, generation, hits),
        Msg::Submitting { generation, doing } => submit::submitting(model, generation, doing),
        Msg::Submitted { generation, result } => return submit::submitted(model, generation, result),
        Msg::LogLoaded { generation, result } => log::loaded(model, generation, &result),
        Msg::PictureReady {
            generation,
            side,
            result,
        } => return preview::ready(model, generation, side, result),
        Msg::PlayOn { generation } => return preview::play_on(model, generation),
        Msg::Done(text) => model.say(Tone::Good, text),
        Msg::HandedOver => model.stage = Stage::Connected,
        Msg::Trouble(text) => model.say(Tone::Bad, text),
    }
    Vec::new()
}

/// A key: an action of the key table, the beginning of a longer row of keys, or text.
fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let context = model.context();
    let mut typed = model.typed.take().map(|typed| typed.keys).unwrap_or_default();
    typed.push(Chord::from(key));
    match model.keys.find(context, &typed) {
        Found::Action(action) => on_action(model, context, action),
        Found::Prefix => {
            model.typed = Some(Typed {
                keys: typed,
                since: model.now,
            });
            Vec::new()
        }
        Found::Nothing if typed.len() > 1 => Vec::new(),
        Found::Nothing => on_text(model, context, key),
    }
}

/// An action goes to whoever has the keys.
pub(crate) fn on_action(model: &mut Model, context: Context, action: Action) -> Vec<Command> {
    match action {
        Action::QuitNow => return vec![Command::Quit(leave_at_once(model))],
        Action::Suspend => return vec![Command::Suspend],
        Action::Mouse => return mouse::toggle(model),
        Action::Undo => return undo::undo(model),
        Action::Help => return help::open(model),
        Action::Palette => return palette::open(model),
        Action::Log if matches!(context, Context::Job | Context::Node) => return log::open_pointed(model),
        Action::Preview if matches!(context, Context::Job | Context::Node) => {
            return preview::open_pointed(model);
        }
        Action::Copy if matches!(context, Context::Job | Context::Node) => {
            return clipboard::copy_selected(model);
        }
        _ => {}
    }
    match context {
        Context::Farm => farm_screen::on_farm(model, action),
        Context::Job => job::on_job(model, action),
        Context::Node => node_screen::on_node(model, action),
        Context::Why => why::on_why(model, action),
        Context::Details => details::on_details(model, action),
        Context::Log => log::on_log(model, action),
        Context::LogSearch => log::on_search(model, action),
        Context::Preview => preview::on_preview(model, action),
        Context::Help => help::on_help(model, action),
        Context::Dialog => on_dialog(model, action),
        Context::Prompt => on_prompt(model, action),
        Context::Form => on_form(model, action),
        Context::Search => on_search(model, action),
        Context::Palette => on_palette(model, action),
        // Layers; nobody is ever in them.
        Context::Moving | Context::Everywhere => Vec::new(),
    }
}

/// A key that is no action is typed, where something can be typed.
fn on_text(model: &mut Model, context: Context, key: KeyEvent) -> Vec<Command> {
    match context {
        Context::Dialog => press_button_of(model, key),
        Context::Prompt => type_in_prompt(model, key),
        Context::Form => type_in_form(model, key),
        Context::Search => type_in_search(model, key),
        Context::LogSearch => log::type_in_search(model, key),
        Context::Palette => type_in_palette(model, key),
        Context::Farm
        | Context::Job
        | Context::Node
        | Context::Why
        | Context::Details
        | Context::Log
        | Context::Preview
        | Context::Help
        | Context::Moving
        | Context::Everywhere => Vec::new(),
    }
}

fn paste(model: &mut Model, text: &str) -> Vec<Command> {
    let line: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let mut commands = Vec::new();
    for letter in line.chars() {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
        match model.context() {
            Context::Prompt => commands.extend(type_in_prompt(model, key)),
            Context::LogSearch => commands = log::type_in_search(model, key),
            Context::Form => commands = type_in_form(model, key),
            Context::Search => commands = type_in_search(model, key),
            Context::Palette => commands = type_in_palette(model, key),
            // Pasted text is no row of commands.
            _ => {}
        }
    }
    commands
}

/// What becomes of the farm when nobody can be asked.
pub(crate) fn leave_at_once(model: &Model) -> Leave {
    if model.stage == Stage::Hosting && model.newest().has_unfinished_jobs() {
        Leave::Running
    } else {
        Leave::Stopped
    }
}
