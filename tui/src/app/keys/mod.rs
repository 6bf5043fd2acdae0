//! What keys do: contexts, actions, and the map between them that dispatch, footer, help and palette share.

mod chord;
mod table;

use serde::{Deserialize, Serialize};

pub(crate) use chord::{Chord, Sequence};

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Context {
    Farm,
    Job,
    Node,
    Why,
    Details,
    Log,
    /// A search of a log being typed.
    LogSearch,
    Preview,
    Help,
    Dialog,
    Prompt,
    Form,
    Search,
    Palette,
    /// A layer: lists and pages of text.
    Moving,
    /// A layer: every context.
    Everywhere,
}

impl Context {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::Farm,
        Self::Job,
        Self::Node,
        Self::Why,
        Self::Details,
        Self::Log,
        Self::LogSearch,
        Self::Preview,
        Self::Help,
        Self::Dialog,
        Self::Prompt,
        Self::Form,
        Self::Search,
        Self::Palette,
        Self::Moving,
        Self::Everywhere,
    ];

    /// The context and what lies under it: keys that it does not name itself are looked up there.
    pub(crate) fn layers(self) -> &'static [Self] {
        match self {
            Self::Farm => &[Self::Farm, Self::Moving, Self::Everywhere],
            Self::Job => &[Self::Job, Self::Moving, Self::Everywhere],
            Self::Node => &[Self::Node, Self::Moving, Self::Everywhere],
            Self::Why => &[Self::Why, Self::Moving, Self::Everywhere],
            Self::Details => &[Self::Details, Self::Moving, Self::Everywhere],
            Self::Log => &[Self::Log, Self::Moving, Self::Everywhere],
            Self::LogSearch => &[Self::LogSearch, Self::Everywhere],
            Self::Preview => &[Self::Preview, Self::Everywhere],
            Self::Help => &[Self::Help, Self::Moving, Self::Everywhere],
            // Letters are typed, or press buttons.
            Self::Dialog => &[Self::Dialog, Self::Everywhere],
            Self::Prompt => &[Self::Prompt, Self::Everywhere],
            Self::Form => &[Self::Form, Self::Everywhere],
            Self::Search => &[Self::Search, Self::Everywhere],
            Self::Palette => &[Self::Palette, Self::Everywhere],
            Self::Moving => &[Self::Moving],
            Self::Everywhere => &[Self::Everywhere],
        }
    }

    /// How it is called in the help.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Farm => "Farm",
            Self::Job => "Job",
            Self::Node => "Node",
            Self::Why => "Why",
            Self::Details => "Details",
            Self::Log => "Log",
            Self::LogSearch => "Log search",
            Self::Preview => "Preview",
            Self::Help => "Help",
            Self::Dialog => "Questions",
            Self::Prompt => "Prompts",
            Self::Form => "Submit form",
            Self::Search => "Filter line",
            Self::Palette => "Palette",
            Self::Moving => "Lists and pages",
            Self::Everywhere => "Everywhere",
        }
    }
}

/// What a key does. Its name in the configuration is the variant's, in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Left,
    Right,
    NextPanel,
    PreviousPanel,
    ShowJobs,
    ShowNodes,
    ShowBatches,
    ShowEvents,
    ShowFrames,
    Open,
    Submit,
    Cancel,
    Retry,
    PauseOrResume,
    CancelJob,
    RenderAgain,
    Select,
    NextFailed,
    OpenFolder,
    Why,
    AddNode,
    Drain,
    DrainNow,
    TestFrame,
    RenderRest,
    Log,
    Preview,
    Copy,
    Save,
    NextMatch,
    PreviousMatch,
    NextError,
    NextLevel,
    Follow,
    Wrap,
    Mark,
    ShiftLeft,
    ShiftRight,
    NextFrame,
    PreviousFrame,
    Play,
    Brighter,
    Darker,
    Compare,
    NextLayer,
    NextFile,
    OpenOutside,
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
    Palette,
    Search,
    NextSort,
    ReverseSort,
    Freeze,
    Zoom,
    Undo,
    Raise,
    Lower,
    CancelShown,
    DrainUntil,
    Mouse,
    Verify,
    MakeFilms,
    Forget,
}

impl Action {
    /// Whether it asks the farm for a change; read-only dashboards have none of these.
    pub(crate) fn changes_the_farm(self) -> bool {
        match self {
            Self::Submit
            | Self::Cancel
            | Self::CancelShown
            | Self::CancelJob
            | Self::RenderAgain
            | Self::Retry
            | Self::PauseOrResume
            | Self::Raise
            | Self::Lower
            | Self::Undo
            | Self::AddNode
            | Self::Drain
            | Self::DrainNow
            | Self::TestFrame
            | Self::RenderRest
            | Self::DrainUntil
            | Self::Verify
            | Self::MakeFilms
            | Self::Forget => true,
            Self::Up
            | Self::Down
            | Self::PageUp
            | Self::PageDown
            | Self::Top
            | Self::Bottom
            | Self::Left
            | Self::Right
            | Self::ShowFrames
            | Self::Select
            | Self::NextFailed
            | Self::OpenFolder
            | Self::Why
            | Self::NextPanel
            | Self::PreviousPanel
            | Self::ShowJobs
            | Self::ShowNodes
            | Self::ShowBatches
            | Self::ShowEvents
            | Self::Open
            | Self::Log
            | Self::Preview
            | Self::Copy
            | Self::Save
            | Self::NextMatch
            | Self::PreviousMatch
            | Self::NextError
            | Self::NextLevel
            | Self::Follow
            | Self::Wrap
            | Self::Mark
            | Self::ShiftLeft
            | Self::ShiftRight
            | Self::NextFrame
            | Self::PreviousFrame
            | Self::Play
            | Self::Brighter
            | Self::Darker
            | Self::Compare
            | Self::NextLayer
            | Self::NextFile
            | Self::OpenOutside
            | Self::Help
            | Self::Back
            | Self::Quit
            | Self::QuitNow
            | Self::Suspend
            | Self::NextField
            | Self::PreviousField
            | Self::Next
            | Self::Previous
            | Self::Choose
            | Self::Send
            | Self::Palette
            | Self::Search
            | Self::NextSort
            | Self::ReverseSort
            | Self::Freeze
            | Self::Mouse
            | Self::Zoom => false,
        }
    }

    /// Its name in words.
    pub(crate) fn name(self) -> String {
        let name = serde_json::to_value(self).unwrap_or_default();
        name.as_str().unwrap_or_default().replace('-', " ")
    }
}

/// What some keys do in a context.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) context: Context,
    pub(crate) keys: Vec<Sequence>,
    pub(crate) action: Action,
    /// A word or two for the footer; empty where it is not shown there.
    pub(crate) hint: &'static str,
    /// A sentence for the help.
    pub(crate) help: &'static str,
}

impl Binding {
    /// Its first key as it is written; empty where it has none.
    pub(crate) fn label(&self) -> String {
        self.keys.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// What the keys typed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Action(Action),
    /// More keys must follow.
    Prefix,
    Nothing,
}

/// All bindings.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let parse = |key: &&str| key.parse().expect("a test parses every key of the table");
        let bindings = table::TABLE.iter().map(|entry| Binding {
            context: entry.context,
            keys: entry.keys.iter().map(parse).collect(),
            action: entry.action,
            hint: entry.hint,
            help: entry.help,
        });
        Self {
            bindings: bindings.collect(),
        }
    }
}

impl Keymap {
    /// Gives an action other keys in a context. Where one of them, or a beginning of it, had another meaning
    /// there, that is gone.
    pub(crate) fn rebind(
        &mut self,
        context: Context,
        action: Action,
        keys: &[Sequence],
    ) -> Result<(), String> {
        let out = self
            .own(Context::Everywhere)
            .find(|binding| binding.action == Action::QuitNow);
        let taken = out.and_then(|out| keys.iter().find(|key| out.keys.contains(key)));
        if let Some(key) = taken {
            return Err(format!("{key} is the way out everywhere and stays it"));
        }
        let is_wanted = |binding: &&mut Binding| binding.context == context && binding.action == action;
        let Some(wanted) = self.bindings.iter_mut().find(is_wanted) else {
            return Err("this screen has no such action".to_owned());
        };
        wanted.keys = keys.to_vec();
        let clashes = |old: &Sequence| {
            let (old, mut new) = (old.chords(), keys.iter().map(Sequence::chords));
            new.any(|new| old.starts_with(new) || new.starts_with(old))
        };
        let others = self.bindings.iter_mut();
        for other in others.filter(|other| other.context == context && other.action != action) {
            other.keys.retain(|old| !clashes(old));
        }
        Ok(())
    }

    /// Every line.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The lines of one context, without those of the layers under it.
    pub(crate) fn own(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings
            .iter()
            .filter(move |binding| binding.context == context)
    }

    /// The lines that are looked up in a context, its own first.
    pub(crate) fn of(&self, context: Context) -> impl Iterator<Item = &Binding> {
        context.layers().iter().flat_map(|layer| self.own(*layer))
    }

    /// Bindings that go on after keys typed so far, and the keys that are still to come.
    pub(crate) fn continuations(&self, context: Context, typed: &[Chord]) -> Vec<(String, &Binding)> {
        let mut found = Vec::new();
        for binding in self.of(context) {
            for sequence in &binding.keys {
                if let Some(rest @ [_, ..]) = sequence.chords().strip_prefix(typed) {
                    let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
                    found.push((rest.join(" "), binding));
                }
            }
        }
        found
    }

    /// What keys typed one after the other mean in a context.
    pub(crate) fn find(&self, context: Context, typed: &[Chord]) -> Found {
        let mut prefix = false;
        for binding in self.of(context) {
            for sequence in &binding.keys {
                match sequence.chords().strip_prefix(typed) {
                    Some([]) => return Found::Action(binding.action),
                    Some(_) => prefix = true,
                    None => {}
                }
            }
        }
        if prefix { Found::Prefix } else { Found::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place_and_none_hides_a_longer_one() {
        let map = Keymap::default();
        for context in Context::ALL {
            let mut seen: HashMap<&Sequence, &Binding> = HashMap::new();
            for binding in map.of(context) {
                for key in &binding.keys {
                    let before = seen.insert(key, binding);
                    // A context may speak of a key in its own way, but only once.
                    assert!(
                        before.is_none_or(|before| before.context != binding.context),
                        "{key} in {context:?}"
                    );
                }
            }
            for (long, short) in seen.keys().flat_map(|a| seen.keys().map(move |b| (a, b))) {
                let hidden = long != short && long.chords().starts_with(short.chords());
                assert!(!hidden, "{short} hides {long} in {context:?}");
            }
        }
    }

    #[test]
    fn what_footer_and_help_show_is_what_the_keys_do() {
        let map = Keymap::default();
        for binding in &map.bindings {
            assert!(!binding.help.is_empty() && !binding.label().is_empty());
            for key in &binding.keys {
                assert_eq!(
                    map.find(binding.context, key.chords()),
                    Found::Action(binding.action),
                    "{key} in {:?}",
                    binding.context
                );
            }
        }
    }

    #[test]
    fn ctrl_c_is_a_way_out_everywhere() {
        let ctrl_c: Sequence = "ctrl-c".parse().unwrap();
        for context in Context::ALL.into_iter().filter(|one| *one != Context::Moving) {
            let found = Keymap::default().find(context, ctrl_c.chords());
            assert_eq!(found, Found::Action(Action::QuitNow), "{context:?}");
        }
    }
}
