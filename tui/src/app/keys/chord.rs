//! One key with its modifiers: as a terminal reports it and as people write it.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key. Shift is part of a letter: `G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Chord {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

/// A text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key: write g, G, enter, ctrl-d, alt-x, f1, or keys one after the other: g g")]
pub(crate) struct ChordError(String);

const NAMED: [(&str, KeyCode); 15] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
];

impl From<KeyEvent> for Chord {
    fn from(event: KeyEvent) -> Self {
        Self {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

#[cfg(test)]
impl From<Chord> for KeyEvent {
    fn from(chord: Chord) -> Self {
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, chord.ctrl);
        modifiers.set(KeyModifiers::ALT, chord.alt);
        Self::new(chord.code, modifiers)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(letter)) => write!(f, "{letter}"),
            (None, KeyCode::F(number)) => write!(f, "f{number}"),
            (None, other) => write!(f, "{other}"),
        }
    }
}

impl FromStr for Chord {
    type Err = ChordError;
    fn from_str(text: &str) -> Result<Self, ChordError> {
        let error = || ChordError(text.chars().take(40).collect());
        let (mut rest, mut ctrl, mut alt) = (text, false, false);
        loop {
            // A lone `-` is a key too.
            if let Some(behind) = rest.strip_prefix("ctrl-").filter(|behind| !behind.is_empty()) {
                (rest, ctrl) = (behind, true);
            } else if let Some(behind) = rest.strip_prefix("alt-").filter(|behind| !behind.is_empty()) {
                (rest, alt) = (behind, true);
            } else {
                break;
            }
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_whitespace() && !letter.is_control() => KeyCode::Char(letter),
            _ => match NAMED.iter().find(|(name, _)| *name == rest) {
                Some((_, code)) => *code,
                None => rest
                    .strip_prefix('f')
                    .and_then(|number| number.parse().ok())
                    .filter(|number| (1..=12).contains(number))
                    .map(KeyCode::F)
                    .ok_or_else(error)?,
            },
        };
        Ok(Self { code, ctrl, alt })
    }
}

/// Keys pressed one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sequence(Vec<Chord>);

impl Sequence {
    pub(crate) fn chords(&self) -> &[Chord] {
        &self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, chord) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            chord.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Sequence {
    type Err = ChordError;
    fn from_str(text: &str) -> Result<Self, ChordError> {
        let chords: Result<Vec<Chord>, ChordError> = text.split_whitespace().map(str::parse).collect();
        let chords = chords?;
        if chords.is_empty() {
            return Err(ChordError(text.to_owned()));
        }
        Ok(Self(chords))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_are_read() {
        for text in [
            "g",
            "G",
            "?",
            "-",
            "+",
            ":",
            "ctrl-d",
            "alt-x",
            "ctrl-alt-k",
            "f1",
            "f12",
            "shift-tab",
            "space",
            "enter",
            "g g",
            "z p",
            "ctrl--",
        ] {
            let sequence: Sequence = text.parse().unwrap();
            assert_eq!(sequence.to_string(), text);
        }
        for text in ["", "  ", "gg", "f0", "f13", "hyper-x", "ctrl-", "Enter"] {
            assert!(text.parse::<Sequence>().is_err(), "{text:?}");
        }
    }
}
