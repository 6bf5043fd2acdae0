//! One-line prompts.

use crossterm::event::{Event, KeyEvent};
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

pub(crate) fn type_in_prompt(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Overlay::Prompt(prompt)) = &mut model.overlay {
        prompt.input.handle_event(&Event::Key(key));
        prompt.error = None;
    }
    Vec::new()
}
