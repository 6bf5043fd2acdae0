//! How a message changes the model, and what shall be done for it.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::farm::{FarmEvent, JobDetail};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Size;
use tui_input::backend::crossterm::EventHandler;

use super::dialog::Outcome;
use super::{
    Act, Action, Command, Context, Details, Dialog, Field, Leave, Link, Model, Msg, Overlay, Panel, Prompt,
    Screen, Stage, Target, Tone, act, action, availability,
};
use crate::words;

/// Changes the model as the message says.
pub(crate) fn update(model: &mut Model, message: Msg) -> Vec<Command> {
    match message {
        Msg::Key(key) => press(model, key),
        Msg::Paste(text) => paste(model, &text),
        Msg::Resize(width, height) => {
            model.size = Size::new(width, height);
            model.settle_all();
            Vec::new()
        }
        Msg::Tick(now) => {
            model.now = now;
            if model.toast.as_ref().is_some_and(|toast| toast.until <= now) {
                model.toast = None;
            }
            refresh_details(model)
        }
        Msg::Signal(signal) => receive(model, signal),
        Msg::FarmLoaded { generation, result } => farm_loaded(model, generation, result),
        Msg::JobLoaded { job, result } => {
            match result {
                Ok(detail) => job_loaded(model, &detail),
                Err(error) => model.say(Tone::Bad, format!("{job}: {error}")),
            }
            Vec::new()
        }
        Msg::Acted {
            generation,
            target,
            result,
        } => acted(model, generation, &target, result),
        Msg::HeadRead { generation, result } => {
            if generation == model.form.generation {
                model.form.take_range(result);
            }
            Vec::new()
        }
        Msg::PathsListed { generation, hits } => {
            if generation == model.form.generation && model.form.focus.is_path() {
                model.form.hits = hits;
                model.form.marked = 0;
            }
            Vec::new()
        }
        Msg::Submitting { generation, doing } => {
            if model.pending_submit() == Some(generation) {
                model.form.sending = Some(doing);
            }
            Vec::new()
        }
        Msg::Submitted { generation, result } => submitted(model, generation, result),
        Msg::HandedOver => {
            model.stage = Stage::Connected;
            Vec::new()
        }
        Msg::Trouble(text) => {
            model.say(Tone::Bad, text);
            Vec::new()
        }
    }
}

impl Model {
    fn pending_submit(&self) -> Option<u64> {
        self.pending.get(&Target::Form).map(|pending| pending.generation)
    }
}

fn receive(model: &mut Model, signal: FarmSignal) -> Vec<Command> {
    match signal {
        FarmSignal::Connected => {
            if matches!(model.link, Link::Lost { .. }) {
                model.say(Tone::Good, "connected again");
            }
            model.link = Link::Live;
            Vec::new()
        }
        FarmSignal::Lost { error, retry_in } => {
            let since = match model.link {
                Link::Lost { since, .. } => since,
                Link::Connecting | Link::Live => model.now,
            };
            let wait = SignedDuration::try_from(retry_in).unwrap_or(SignedDuration::ZERO);
            model.link = Link::Lost {
                error,
                since,
                retry_at: model.now.saturating_add(wait).unwrap_or(Timestamp::MAX),
            };
            Vec::new()
        }
        FarmSignal::Event(FarmEvent::Reset) => load_farm(model),
        FarmSignal::Event(event) => {
            let about = match &event {
                FarmEvent::Batch { batch } => Some(batch.job),
                FarmEvent::Job { job } => Some(job.id),
                _ => None,
            };
            if let Some(Screen::Details(details)) = model.screens.last_mut()
                && details.job.is_some()
                && details.job == about
            {
                details.stale = true;
            }
            let changed = model.farm.apply(event, model.now);
            if changed.jobs {
                model.settle_jobs();
            }
            if changed.nodes {
                model.settle_nodes();
            }
            if changed.batches && about.as_ref() == model.jobs.selected() {
                model.settle_batches();
            }
            if changed.notes && model.events_back > 0 {
                model.events_back += 1; // What is being read stays where it is.
            }
            read_selected_job(model)
        }
    }
}

/// Reads the job of a page of details anew where it has changed, at most once a second.
fn refresh_details(model: &mut Model) -> Vec<Command> {
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

fn load_farm(model: &mut Model) -> Vec<Command> {
    let generation = model.generation();
    model.farm.expect_snapshot();
    model.loading = Some(generation);
    vec![Command::LoadFarm { generation }]
}

fn farm_loaded(
    model: &mut Model,
    generation: u64,
    result: Result<Box<super::Snapshot>, String>,
) -> Vec<Command> {
    if model.loading != Some(generation) {
        return Vec::new(); // A newer question is under way.
    }
    model.loading = None;
    match result {
        Ok(snapshot) => {
            model.farm.take(*snapshot, model.now);
            model.settle_all();
            read_selected_job(model)
        }
        Err(error) => {
            model.say(Tone::Bad, error);
            Vec::new()
        }
    }
}

/// Reads the selected job's batches where they were not read since the last reset.
fn read_selected_job(model: &mut Model) -> Vec<Command> {
    match model.jobs.selected() {
        Some(job) if model.farm.read.insert(*job) => vec![Command::LoadJob { job: *job }],
        _ => Vec::new(),
    }
}

fn job_loaded(model: &mut Model, detail: &JobDetail) {
    model.farm.take_detail(detail);
    if model.jobs.selected() == Some(&detail.job.id) {
        model.settle_batches();
    }
    if let Some(Screen::Details(details)) = model.screens.last_mut()
        && details.job == Some(detail.job.id)
    {
        details.fill(detail);
    }
}

fn acted(model: &mut Model, generation: u64, target: &Target, result: Result<(), String>) -> Vec<Command> {
    if model
        .pending
        .get(target)
        .is_none_or(|pending| pending.generation != generation)
    {
        return Vec::new();
    }
    let Some(pending) = model.pending.remove(target) else {
        return Vec::new();
    };
    match result {
        Ok(()) => {
            model.say(Tone::Good, pending.done);
            Vec::new()
        }
        Err(error) => {
            model.say(Tone::Bad, error);
            load_farm(model) // What was shown may have been wrong.
        }
    }
}

fn submitted(
    model: &mut Model,
    generation: u64,
    result: Result<Box<farmhand_protocol::farm::JobView>, String>,
) -> Vec<Command> {
    if model.pending_submit() != Some(generation) {
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
            model.farm.apply(FarmEvent::Job { job }, model.now);
            model.form = super::SubmitForm::default();
            model.screens.retain(|screen| *screen != Screen::Submit);
            model.focus = Panel::Jobs;
            model.settle_all();
            if let Some(index) = model.job_rows.iter().position(|row| *row == id) {
                let visible = model.visible(Panel::Jobs);
                model.jobs.go_to(&model.job_rows, index, visible);
                model.settle_batches();
            }
            read_selected_job(model)
        }
        Err(error) => {
            model.form.refusal = Some(error);
            Vec::new()
        }
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
            Context::Form => commands = type_in_form(model, key),
            // Pasted text is no row of commands.
            Context::Farm | Context::Details | Context::Help | Context::Dialog => {}
        }
    }
    commands
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let context = model.context();
    let Some(action) = action(context, key) else {
        return match context {
            Context::Dialog => press_button_of(model, key),
            Context::Prompt => type_in_prompt(model, key),
            Context::Form => type_in_form(model, key),
            Context::Farm | Context::Details | Context::Help => Vec::new(),
        };
    };
    match action {
        Action::QuitNow => return vec![Command::Quit(leave_at_once(model))],
        Action::Suspend => return vec![Command::Suspend],
        _ => {}
    }
    match context {
        Context::Farm => on_farm(model, action),
        Context::Details => on_details(model, action),
        Context::Help => on_help(model, action),
        Context::Dialog => on_dialog(model, action),
        Context::Prompt => on_prompt(model, action),
        Context::Form => on_form(model, action),
    }
}

/// What becomes of the farm when nobody can be asked.
pub(crate) fn leave_at_once(model: &Model) -> Leave {
    if model.stage == Stage::Hosting && model.farm.has_unfinished_jobs() {
        Leave::Running
    } else {
        Leave::Stopped
    }
}

fn on_farm(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
            return move_selection(model, action);
        }
        Action::NextPanel => focus(model, model.focus.next(1)),
        Action::PreviousPanel => focus(model, model.focus.next(-1)),
        Action::Show(panel) => focus(model, panel),
        Action::Open => return open(model),
        Action::Submit => {
            model.screens.push(Screen::Submit);
            return list_paths(model);
        }
        Action::AddNode => model.overlay = Some(Overlay::Prompt(Prompt::add_node())),
        Action::Help => model.screens.push(Screen::Help { scroll: 0 }),
        Action::Quit => {
            let unfinished = model
                .farm
                .jobs
                .values()
                .filter(|job| !job.state.has_ended())
                .count();
            if model.stage == Stage::Hosting && model.farm.has_unfinished_jobs() {
                model.overlay = Some(Overlay::Dialog(Dialog::quit(unfinished)));
            } else {
                return vec![Command::Quit(Leave::Stopped)];
            }
        }
        _ => return act::act(model, action),
    }
    Vec::new()
}

fn focus(model: &mut Model, panel: Panel) {
    model.focus = panel;
    model.settle_all();
}

fn move_selection(model: &mut Model, action: Action) -> Vec<Command> {
    let visible = model.visible(model.focus);
    let page = isize::try_from(visible.max(2) - 1).unwrap_or(isize::MAX);
    let steps = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::Top => isize::MIN,
        _ => isize::MAX,
    };
    match model.focus {
        Panel::Jobs => {
            model.jobs.move_by(&model.job_rows, steps, visible);
            model.batches = super::Cursor::default();
            model.settle_batches();
            return read_selected_job(model);
        }
        Panel::Nodes => model.nodes.move_by(&model.node_rows, steps, visible),
        Panel::Batches => model.batches.move_by(&model.batch_rows, steps, visible),
        Panel::Events => {
            let most = model.farm.notes.len().saturating_sub(visible);
            model.events_back = model
                .events_back
                .saturating_add_signed(steps.saturating_neg())
                .min(most);
        }
    }
    Vec::new()
}

fn open(model: &mut Model) -> Vec<Command> {
    if let Err(reason) = availability(model, Action::Open) {
        model.say(Tone::Plain, reason);
        return Vec::new();
    }
    let (details, commands) = match model.focus {
        Panel::Jobs => {
            let Some(job) = model.jobs.selected().copied() else {
                return Vec::new();
            };
            (Some(Details::awaiting(job)), vec![Command::LoadJob { job }])
        }
        Panel::Nodes => (model.selected_node().map(Details::of_node), Vec::new()),
        Panel::Batches => (model.selected_batch().map(Details::of_batch), Vec::new()),
        Panel::Events => {
            let newest = model.farm.notes.len().saturating_sub(1 + model.events_back);
            let note = model.farm.notes.get(newest);
            (note.map(|note| Details::of_note(note, &model.zone)), Vec::new())
        }
    };
    model.screens.extend(details.map(Screen::Details));
    commands
}

fn on_details(model: &mut Model, action: Action) -> Vec<Command> {
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

fn on_help(model: &mut Model, action: Action) -> Vec<Command> {
    let page = usize::from(model.size.height.saturating_sub(4)).max(1);
    if action == Action::Back {
        model.screens.pop();
    } else if let Some(Screen::Help { scroll }) = model.screens.last_mut() {
        let most = crate::view::help_lines(model.size.width).saturating_sub(page);
        *scroll = scrolled(*scroll, action, page).min(most);
    }
    Vec::new()
}

fn scrolled(scroll: usize, action: Action, page: usize) -> usize {
    match action {
        Action::Up => scroll.saturating_sub(1),
        Action::Down => scroll + 1,
        Action::PageUp => scroll.saturating_sub(page),
        Action::PageDown => scroll + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => scroll,
    }
}

fn on_dialog(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Overlay::Dialog(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    match action {
        Action::Next => dialog.move_focus(1),
        Action::Previous => dialog.move_focus(-1),
        Action::Choose => {
            let outcome = dialog.buttons[dialog.focus].outcome.clone();
            return conclude(model, outcome);
        }
        _ => model.overlay = None,
    }
    Vec::new()
}

fn press_button_of(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let (Some(Overlay::Dialog(dialog)), KeyCode::Char(letter)) = (&model.overlay, key.code) else {
        return Vec::new();
    };
    let button = dialog.buttons.iter().find(|button| button.key == letter);
    match button.map(|button| button.outcome.clone()) {
        Some(outcome) => conclude(model, outcome),
        None => Vec::new(),
    }
}

fn conclude(model: &mut Model, outcome: Outcome) -> Vec<Command> {
    model.overlay = None;
    match outcome {
        Outcome::Nothing => Vec::new(),
        Outcome::Quit(leave) => vec![Command::Quit(leave)],
        Outcome::Act(target, act) => {
            let (doing, done) = act::wording(&act);
            act::start(model, target, act, doing, done)
        }
    }
}

fn on_prompt(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Overlay::Prompt(prompt)) = &mut model.overlay else {
        return Vec::new();
    };
    if action == Action::Back {
        model.overlay = None;
        return Vec::new();
    }
    let address = match farmhand_orchestrator::agent_address(prompt.input.value()) {
        Ok(address) => address,
        Err(error) => {
            prompt.error = Some(error.to_string());
            return Vec::new();
        }
    };
    model.overlay = None;
    let (doing, done) = act::wording(&Act::AddNode(address.clone()));
    act::start(model, Target::Farm, Act::AddNode(address), doing, done)
}

fn type_in_prompt(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Overlay::Prompt(prompt)) = &mut model.overlay {
        prompt.input.handle_event(&Event::Key(key));
        prompt.error = None;
    }
    Vec::new()
}

fn on_form(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Back => {
            model.screens.pop();
            Vec::new()
        }
        Action::Help => {
            model.screens.push(Screen::Help { scroll: 0 });
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

fn type_in_form(model: &mut Model, key: KeyEvent) -> Vec<Command> {
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
fn list_paths(model: &mut Model) -> Vec<Command> {
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
                super::model::Pending {
                    generation,
                    doing: "submitting",
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
