//! Questions: what is about to happen, what is lost by it, and buttons.

use crossterm::event::{KeyCode, KeyEvent};

use super::{Act, Action, Command, Leave, Model, Overlay, Target, act, submit};

/// A question with buttons. The first button is the safe one and has the focus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) buttons: Vec<Button>,
    pub(crate) focus: usize,
    /// Words that must be typed before anything but the safe button works, and what was typed of them.
    pub(crate) typed: Option<(String, String)>,
}

/// A button of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) label: String,
    /// A letter that presses it.
    pub(crate) key: char,
    pub(crate) outcome: Outcome,
}

/// What a button does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Nothing,
    Act(Target, Act),
    Quit(Leave),
    /// Show the test frame.
    SeeTest,
    /// Submit what a test frame was rendered for.
    SendRest,
}

impl Dialog {
    /// Asks whether to act. `keep` is the safe button's label, `go` the other's.
    pub(crate) fn confirm(
        title: String,
        lines: Vec<String>,
        keep: &str,
        go: &str,
        target: Target,
        act: Act,
    ) -> Self {
        let button = |label: &str, key, outcome| Button {
            label: label.to_owned(),
            key,
            outcome,
        };
        Self {
            title,
            lines,
            buttons: vec![
                button(keep, 'n', Outcome::Nothing),
                button(go, 'y', Outcome::Act(target, act)),
            ],
            focus: 0,
            typed: None,
        }
    }

    /// Wants `words` typed before anything is done.
    pub(crate) fn must_be_typed(&mut self, words: String) {
        self.lines.push(format!("Type \"{words}\" and press enter."));
        self.typed = Some((words, String::new()));
        self.focus = self.buttons.len() - 1;
    }

    /// Whether a button may be pressed.
    fn allows(&self, outcome: &Outcome) -> bool {
        *outcome == Outcome::Nothing || self.typed.as_ref().is_none_or(|(wanted, typed)| wanted == typed)
    }

    /// Asks what becomes of the farm when its dashboard ends.
    pub(crate) fn quit(unfinished: usize) -> Self {
        let button = |label: &str, key, outcome| Button {
            label: label.to_owned(),
            key,
            outcome,
        };
        let jobs = if unfinished == 1 {
            "1 job is".to_owned()
        } else {
            format!("{unfinished} jobs are")
        };
        Self {
            title: "Quit".to_owned(),
            lines: vec![
                format!("{jobs} not finished."),
                "Leave it running: the farm goes on without this window;".to_owned(),
                "`farmhand` shows it again.".to_owned(),
                "Stop: nodes finish the batch they have; nothing more is handed out".to_owned(),
                "until the farm is started again. Nothing is lost.".to_owned(),
            ],
            buttons: vec![
                button("Leave it running", 'y', Outcome::Quit(Leave::Running)),
                button("Stop", 's', Outcome::Quit(Leave::Stopped)),
                button("Stay here", 'n', Outcome::Nothing),
            ],
            focus: 0,
            typed: None,
        }
    }

    /// Asks whether the rest of a job shall follow its test frame.
    pub(crate) fn rest(title: String, lines: Vec<String>) -> Self {
        let button = |label: &str, key, outcome| Button {
            label: label.to_owned(),
            key,
            outcome,
        };
        Self {
            title,
            lines,
            buttons: vec![
                button("See it", 'v', Outcome::SeeTest),
                button("Render the rest", 'y', Outcome::SendRest),
                button("Not now", 'n', Outcome::Nothing),
            ],
            focus: 0,
            typed: None,
        }
    }

    /// Moves the focus `steps` buttons on, round and round.
    pub(crate) fn move_focus(&mut self, steps: isize) {
        let count = self.buttons.len();
        self.focus = (self.focus + count).saturating_add_signed(steps) % count;
    }
}

pub(crate) fn on_dialog(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Overlay::Dialog(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    match action {
        Action::Next => dialog.move_focus(1),
        Action::Previous => dialog.move_focus(-1),
        Action::Choose => {
            let outcome = dialog.buttons[dialog.focus].outcome.clone();
            if dialog.allows(&outcome) {
                return conclude(model, outcome);
            }
        }
        _ => model.overlay = None,
    }
    Vec::new()
}

pub(crate) fn press_button_of(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(Overlay::Dialog(dialog)) = &mut model.overlay
        && let Some((_, typed)) = &mut dialog.typed
    {
        match key.code {
            KeyCode::Char(letter) => typed.push(letter),
            KeyCode::Backspace => drop(typed.pop()),
            _ => {}
        }
        return Vec::new();
    }
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
        Outcome::SeeTest => submit::see_test(model),
        Outcome::SendRest => submit::send_rest(model),
        Outcome::Act(target, act) => {
            let (doing, done) = act::wording(&act);
            act::start(model, target, act, doing, done)
        }
    }
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::JobId;

    use super::*;

    #[test]
    fn the_safe_button_has_the_focus_and_the_focus_goes_round() {
        let act = Act::CancelJob(JobId(1));
        let mut dialog = Dialog::confirm(
            String::new(),
            vec![],
            "Keep",
            "Cancel",
            Target::Job(JobId(1)),
            act,
        );
        assert_eq!(dialog.buttons[dialog.focus].outcome, Outcome::Nothing);
        dialog.move_focus(-1);
        assert_eq!(dialog.focus, 1);
        dialog.move_focus(1);
        assert_eq!(dialog.focus, 0);
        let quit = Dialog::quit(2);
        assert_eq!(quit.buttons[quit.focus].outcome, Outcome::Quit(Leave::Running));
    }
}
