//! The one key table: dispatch, footer and help are read from it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Panel;

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    Farm,
    Details,
    Help,
    Dialog,
    Prompt,
    Form,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    NextPanel,
    PreviousPanel,
    Show(Panel),
    Open,
    Submit,
    Cancel,
    Retry,
    PauseOrResume,
    AddNode,
    Drain,
    DrainNow,
    Help,
    Back,
    Quit,
    QuitNow,
    Suspend,
    NextField,
    PreviousField,
    Next,
    Previous,
    Choose,
    Send,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    code: KeyCode,
    ctrl: bool,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) context: Context,
    keys: &'static [Key],
    pub(crate) action: Action,
    /// How the keys are written.
    pub(crate) label: &'static str,
    /// A word or two for the footer; empty where it is not shown there.
    pub(crate) hint: &'static str,
    /// A sentence for the help.
    pub(crate) help: &'static str,
}

const fn key(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}
const fn letter(letter: char) -> Key {
    key(KeyCode::Char(letter))
}
const fn ctrl(letter: char) -> Key {
    Key {
        code: KeyCode::Char(letter),
        ctrl: true,
    }
}

macro_rules! table {
    ($($context:ident: $label:literal [$($key:expr),+] => $action:expr, $hint:literal, $help:literal;)+) => {
        &[$(Binding {
            context: Context::$context,
            keys: &[$($key),+],
            action: $action,
            label: $label,
            hint: $hint,
            help: $help,
        }),+]
    };
}

/// All keys of all contexts. The footer shows hints in this order.
pub(crate) const TABLE: &[Binding] = table! {
    Farm: "enter" [key(KeyCode::Enter)] => Action::Open, "details", "everything about the selected row: why, errors, the log's end";
    Farm: "n" [letter('n')] => Action::Submit, "submit", "submit a job";
    Farm: "c" [letter('c')] => Action::Cancel, "cancel", "cancel the selected batch or job; asks, and says what is lost";
    Farm: "r" [letter('r')] => Action::Retry, "retry", "render failed and cancelled frames of the selected batch or job again";
    Farm: "p" [letter('p')] => Action::PauseOrResume, "pause", "hold the selected job, or let it go on";
    Farm: "a" [letter('a')] => Action::AddNode, "add node", "make a node known by its agent's address";
    Farm: "d" [letter('d')] => Action::Drain, "", "drain the selected node: it finishes its frame and gets nothing new; again: undrain";
    Farm: "D" [letter('D')] => Action::DrainNow, "", "drain the selected node now: its frame is stopped and rendered elsewhere; asks";
    Farm: "tab" [key(KeyCode::Tab), letter('l'), key(KeyCode::Right)] => Action::NextPanel, "panel", "next panel (also l, right)";
    Farm: "shift-tab" [key(KeyCode::BackTab), letter('h'), key(KeyCode::Left)] => Action::PreviousPanel, "", "previous panel (also h, left)";
    Farm: "1" [letter('1')] => Action::Show(Panel::Jobs), "", "jobs";
    Farm: "2" [letter('2')] => Action::Show(Panel::Nodes), "", "nodes";
    Farm: "3" [letter('3')] => Action::Show(Panel::Batches), "", "batches of the selected job";
    Farm: "4" [letter('4')] => Action::Show(Panel::Events), "", "events";
    Farm: "k" [letter('k'), key(KeyCode::Up)] => Action::Up, "", "up (also the arrow)";
    Farm: "j" [letter('j'), key(KeyCode::Down)] => Action::Down, "", "down (also the arrow)";
    Farm: "pgup" [key(KeyCode::PageUp), ctrl('b'), ctrl('u')] => Action::PageUp, "", "a page up (also ctrl-b, ctrl-u)";
    Farm: "pgdn" [key(KeyCode::PageDown), ctrl('f'), ctrl('d')] => Action::PageDown, "", "a page down (also ctrl-f, ctrl-d)";
    Farm: "g" [letter('g'), key(KeyCode::Home)] => Action::Top, "", "first row (also home)";
    Farm: "G" [letter('G'), key(KeyCode::End)] => Action::Bottom, "", "last row (also end)";
    Farm: "?" [letter('?'), key(KeyCode::F(1))] => Action::Help, "help", "this page";
    Farm: "q" [letter('q')] => Action::Quit, "quit", "quit; with unfinished jobs asks whether the farm shall go on without you";
    Farm: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once; the farm goes on where jobs are unfinished";
    Farm: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell; `fg` returns";

    Details: "esc" [key(KeyCode::Esc), letter('q'), key(KeyCode::Enter)] => Action::Back, "back", "back (also q, enter)";
    Details: "j" [letter('j'), key(KeyCode::Down)] => Action::Down, "down", "down (also the arrow)";
    Details: "k" [letter('k'), key(KeyCode::Up)] => Action::Up, "up", "up (also the arrow)";
    Details: "pgdn" [key(KeyCode::PageDown), letter(' '), ctrl('f'), ctrl('d')] => Action::PageDown, "page", "a page down (also space)";
    Details: "pgup" [key(KeyCode::PageUp), ctrl('b'), ctrl('u')] => Action::PageUp, "", "a page up";
    Details: "g" [letter('g'), key(KeyCode::Home)] => Action::Top, "", "first line (also home)";
    Details: "G" [letter('G'), key(KeyCode::End)] => Action::Bottom, "end", "last line (also end)";
    Details: "c" [letter('c')] => Action::Cancel, "cancel", "cancel it; asks first";
    Details: "r" [letter('r')] => Action::Retry, "retry", "render its failed and cancelled frames again";
    Details: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once";
    Details: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell";

    Help: "esc" [key(KeyCode::Esc), letter('q'), letter('?'), key(KeyCode::Enter)] => Action::Back, "close", "close (also q, ?)";
    Help: "j" [letter('j'), key(KeyCode::Down)] => Action::Down, "down", "down (also the arrow)";
    Help: "k" [letter('k'), key(KeyCode::Up)] => Action::Up, "up", "up (also the arrow)";
    Help: "pgdn" [key(KeyCode::PageDown), letter(' ')] => Action::PageDown, "page", "a page down (also space)";
    Help: "pgup" [key(KeyCode::PageUp)] => Action::PageUp, "", "a page up";
    Help: "g" [letter('g'), key(KeyCode::Home)] => Action::Top, "", "first line (also home)";
    Help: "G" [letter('G'), key(KeyCode::End)] => Action::Bottom, "", "last line (also end)";
    Help: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once";
    Help: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell";

    Dialog: "tab" [key(KeyCode::Tab), key(KeyCode::Right), letter('l')] => Action::Next, "next", "next button (also right)";
    Dialog: "shift-tab" [key(KeyCode::BackTab), key(KeyCode::Left), letter('h')] => Action::Previous, "", "previous button (also left)";
    Dialog: "enter" [key(KeyCode::Enter)] => Action::Choose, "choose", "press the marked button";
    Dialog: "esc" [key(KeyCode::Esc)] => Action::Back, "back", "change nothing";
    Dialog: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once";
    Dialog: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell";

    Prompt: "enter" [key(KeyCode::Enter)] => Action::Send, "ok", "take it";
    Prompt: "esc" [key(KeyCode::Esc)] => Action::Back, "back", "change nothing";
    Prompt: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once";
    Prompt: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell";

    Form: "tab" [key(KeyCode::Tab)] => Action::NextField, "complete, next field", "complete the path; else the next field";
    Form: "shift-tab" [key(KeyCode::BackTab)] => Action::PreviousField, "", "previous field";
    Form: "down" [key(KeyCode::Down)] => Action::Down, "", "next completion, else the next field";
    Form: "up" [key(KeyCode::Up)] => Action::Up, "", "previous completion, else the previous field";
    Form: "enter" [key(KeyCode::Enter)] => Action::Choose, "take", "take the marked completion; else the next field";
    Form: "ctrl-s" [ctrl('s')] => Action::Send, "submit", "submit the job";
    Form: "esc" [key(KeyCode::Esc)] => Action::Back, "back, keeps the draft", "back; the draft stays";
    Form: "f1" [key(KeyCode::F(1))] => Action::Help, "help", "help";
    Form: "ctrl-c" [ctrl('c')] => Action::QuitNow, "", "quit at once";
    Form: "ctrl-z" [ctrl('z')] => Action::Suspend, "", "back to the shell";
};

/// The lines of one context.
pub(crate) fn bindings(context: Context) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(move |binding| binding.context == context)
}

/// What a key does in a context.
pub(crate) fn action(context: Context, event: KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release || event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let pressed = Key {
        code: event.code,
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
    };
    bindings(context)
        .find(|binding| binding.keys.contains(&pressed))
        .map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let mut seen: HashMap<(Context, Key), &str> = HashMap::new();
        for binding in TABLE {
            for key in binding.keys {
                let before = seen.insert((binding.context, *key), binding.help);
                assert_eq!(before, None, "{key:?} in {:?}", binding.context);
            }
        }
    }

    #[test]
    fn what_footer_and_help_show_is_what_the_keys_do() {
        for binding in TABLE {
            assert!(!binding.help.is_empty() && !binding.label.is_empty());
            for key in binding.keys {
                let modifiers = if key.ctrl {
                    KeyModifiers::CONTROL
                } else {
                    KeyModifiers::NONE
                };
                let event = KeyEvent::new(key.code, modifiers);
                assert_eq!(action(binding.context, event), Some(binding.action));
            }
            let written = match binding.keys[0] {
                Key {
                    code: KeyCode::Char(letter),
                    ctrl: true,
                } => format!("ctrl-{letter}"),
                Key {
                    code: KeyCode::Char(letter),
                    ..
                } => letter.to_string(),
                Key {
                    code: KeyCode::BackTab,
                    ..
                } => "shift-tab".to_owned(),
                Key {
                    code: KeyCode::PageUp,
                    ..
                } => "pgup".to_owned(),
                Key {
                    code: KeyCode::PageDown,
                    ..
                } => "pgdn".to_owned(),
                Key { code, .. } => format!("{code:?}").to_lowercase().replace(['(', ')'], ""),
            };
            assert_eq!(binding.label, written);
        }
    }

    #[test]
    fn a_screens_keys_leave_ctrl_c_a_way_out_everywhere() {
        for context in [
            Context::Farm,
            Context::Details,
            Context::Help,
            Context::Dialog,
            Context::Prompt,
            Context::Form,
        ] {
            let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(action(context, event), Some(Action::QuitNow));
        }
    }
}
