//! One-line prompts.

use crossterm::event::{Event, KeyEvent};
use farmhand_protocol::NodeId;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::{Act, Action, Command, Model, Overlay, Target, act};

/// Asks for one line of text.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) title: String,
    pub(crate) hint: Vec<String>,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
    kind: Kind,
}

/// What becomes of the typed line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    AddNode,
    DrainUntil { node: NodeId, name: String },
}

impl Prompt {
    /// Asks for an agent's address.
    pub(crate) fn add_node() -> Self {
        Self {
            title: "Add a node".to_owned(),
            hint: vec![
                "On the machine that shall render, run".to_owned(),
                "  farmhand-agent --listen 127.0.0.1:3001".to_owned(),
                "and name its address here (for another machine: see `farmhand token`).".to_owned(),
            ],
            input: Input::new("http://127.0.0.1:3001".to_owned()),
            error: None,
            kind: Kind::AddNode,
        }
    }

    /// Asks until when a node is taken from the farm.
    pub(crate) fn drain_until(node: NodeId, name: &str) -> Self {
        Self {
            title: format!("Take {name} until"),
            hint: vec![
                "It finishes the frame it renders and gets nothing new. At this time it works".to_owned(),
                "again; d gives it back earlier. A time of day, or a while: 18:00, 2h, 90m.".to_owned(),
            ],
            input: Input::new("18:00".to_owned()),
            error: None,
            kind: Kind::DrainUntil {
                node,
                name: name.to_owned(),
            },
        }
    }
}

pub(crate) fn on_prompt(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Overlay::Prompt(prompt)) = &mut model.overlay else {
        return Vec::new();
    };
    if action == Action::Back {
        model.overlay = None;
        return Vec::new();
    }
    let typed = prompt.input.value().trim();
    let (act, target) = match &prompt.kind {
        Kind::AddNode => match farmhand_orchestrator::agent_address(typed) {
            Ok(address) => (Act::AddNode(address), Target::Farm),
            Err(error) => {
                prompt.error = Some(error.to_string());
                return Vec::new();
            }
        },
        Kind::DrainUntil { node, .. } => {
            let Some(until) = time_after(typed, model.now, &model.zone) else {
                prompt.error = Some("a time of day or a while: 18:00, 2h, 90m".to_owned());
                return Vec::new();
            };
            let act = Act::Drain {
                node: *node,
                now: false,
                until: Some(until),
            };
            (act, Target::Node(*node))
        }
    };
    let name = match &prompt.kind {
        Kind::DrainUntil { name, .. } => Some(name.clone()),
        Kind::AddNode => None,
    };
    model.overlay = None;
    let (doing, mut done) = act::wording(&act);
    if let (
        Some(name),
        Act::Drain {
            until: Some(until), ..
        },
    ) = (name, &act)
    {
        let at = until
            .to_zoned_datetime(model.zone.clone())
            .strftime("%H:%M")
            .to_string();
        done = format!("{name} finishes its frame, and works again at {at}; d gives it back earlier");
    }
    act::start(model, target, act, doing, done)
}

/// The next time that a text names: a time of day, or a while from now.
fn time_after(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = jiff::civil::Time::strptime("%H:%M", text) {
        let today = now.to_zoned_datetime(zone.clone());
        let at = today.with().time(time).build().ok()?.timestamp();
        let day = SignedDuration::from_hours(24);
        return if at > now {
            Some(at)
        } else {
            at.checked_add(day).ok()
        };
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number
        .parse()
        .ok()
        .filter(|number| (1..=10_000).contains(number))?;
    let wait = match unit {
        "h" => SignedDuration::from_hours(number),
        "m" => SignedDuration::from_mins(number),
        _ => return None,
    };
    now.checked_add(wait).ok()
}

pub(crate) fn type_in_prompt(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Overlay::Prompt(prompt)) = &mut model.overlay {
        prompt.input.handle_event(&Event::Key(key));
        prompt.error = None;
    }
    Vec::new()
}
