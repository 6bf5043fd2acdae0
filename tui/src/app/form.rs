//! The submit form: fields, their errors in words, and completions of the path.

use std::path::PathBuf;

use farmhand_protocol::FrameSet;
use farmhand_protocol::farm::Existing;
use tui_input::Input;

use super::PathHit;
use crate::new_job::NewJob;

/// Fields, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Scene,
    With,
    Frames,
    Name,
    Output,
    Existing,
    Priority,
}

impl Field {
    pub(crate) const ALL: [Self; 7] = [
        Self::Scene,
        Self::With,
        Self::Frames,
        Self::Name,
        Self::Output,
        Self::Existing,
        Self::Priority,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Scene => "scene",
            Self::With => "with",
            Self::Frames => "frames",
            Self::Name => "name",
            Self::Output => "output",
            Self::Existing => "existing",
            Self::Priority => "priority",
        }
    }

    /// What belongs into it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Scene => "the .blend file; tab completes the path",
            Self::With => "further files and folders that the scene needs, with commas between",
            Self::Frames => "1-250   1-250x2   1,5,9-20   -10--1; empty: the file's own range",
            Self::Name => "empty: the file's name",
            Self::Output => "a folder below the farm's output root; empty: the job's name",
            Self::Existing => "left, right: what becomes of pictures that are already there",
            Self::Priority => "-100 to 100; higher goes first",
        }
    }

    fn takes_text(self) -> bool {
        self != Self::Existing
    }

    /// Whether it holds paths of this machine.
    pub(crate) fn is_path(self) -> bool {
        matches!(self, Self::Scene | Self::With)
    }
}

/// A job that is being described. Kept as a draft until it is submitted.
#[derive(Debug, Clone)]
pub(crate) struct SubmitForm {
    inputs: [Input; Field::ALL.len()],
    pub(crate) existing: Existing,
    pub(crate) focus: Field,
    /// What the scene path may become.
    pub(crate) hits: Vec<PathHit>,
    /// The marked one among them.
    pub(crate) marked: usize,
    /// The range of the file in the scene field, once it was read.
    pub(crate) own_range: Option<Result<Option<FrameSet>, String>>,
    /// What the farm said to the last try.
    pub(crate) refusal: Option<String>,
    /// What is under way, in words.
    pub(crate) sending: Option<String>,
    /// The newest question about the path; older answers are dropped.
    pub(crate) generation: u64,
    tried: bool,
    /// What was written into the frames field for the person; replaced where nobody changed it.
    prefilled: String,
}

impl Default for SubmitForm {
    fn default() -> Self {
        let mut inputs: [Input; Field::ALL.len()] = Default::default();
        inputs[Field::Priority as usize] = Input::new("0".to_owned());
        Self {
            inputs,
            // What is rendered already is worth keeping, and submitting twice by mistake costs nothing.
            existing: Existing::Skip,
            focus: Field::Scene,
            hits: Vec::new(),
            marked: 0,
            own_range: None,
            refusal: None,
            sending: None,
            generation: 0,
            tried: false,
            prefilled: String::new(),
        }
    }
}

impl SubmitForm {
    pub(crate) fn input(&self, field: Field) -> &Input {
        &self.inputs[field as usize]
    }

    pub(crate) fn input_mut(&mut self, field: Field) -> &mut Input {
        &mut self.inputs[field as usize]
    }

    /// What a field holds, trimmed.
    pub(crate) fn text(&self, field: Field) -> &str {
        self.input(field).value().trim()
    }

    pub(crate) fn set(&mut self, field: Field, text: String) {
        self.inputs[field as usize] = Input::new(text);
    }

    /// Takes what the file says of its range, and fills it in unless something else was typed.
    pub(crate) fn take_range(&mut self, range: Result<Option<FrameSet>, String>) {
        if let Ok(Some(frames)) = &range
            && (self.text(Field::Frames).is_empty() || self.text(Field::Frames) == self.prefilled)
        {
            self.prefilled = frames.to_string();
            self.set(Field::Frames, frames.to_string());
        }
        self.own_range = Some(range);
    }

    /// The part of the focused path field that is being typed: behind the last comma for a list.
    pub(crate) fn typed_path(&self) -> &str {
        let text = self.input(self.focus).value();
        match self.focus {
            Field::With => text.rsplit(',').next().unwrap_or(text).trim_start(),
            _ => text,
        }
    }

    /// Puts a path in the place of what is being typed.
    pub(crate) fn complete(&mut self, path: &str) {
        let text = self.input(self.focus).value();
        let kept = match self.focus {
            Field::With => text.rfind(',').map_or("", |comma| &text[..=comma]),
            _ => "",
        };
        let completed = format!("{kept}{path}");
        self.set(self.focus, completed);
    }

    /// What all hits begin with.
    pub(crate) fn common_start(&self) -> Option<String> {
        let first = self.hits.first()?.path.clone();
        Some(self.hits.iter().fold(first, |start, hit| {
            start
                .chars()
                .zip(hit.path.chars())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect()
        }))
    }

    pub(crate) fn move_focus(&mut self, steps: isize) {
        let count = Field::ALL.len();
        let index = (self.focus as usize + count).saturating_add_signed(steps) % count;
        self.focus = Field::ALL[index];
        self.hits.clear();
        self.marked = 0;
    }

    /// Chooses the next of the few values of a field that takes no text.
    pub(crate) fn turn(&mut self, steps: isize) {
        const ALL: [Existing; 4] = [
            Existing::Skip,
            Existing::Overwrite,
            Existing::New,
            Existing::Refuse,
        ];
        let index = ALL.iter().position(|one| *one == self.existing).unwrap_or(0);
        self.existing = ALL[(index + ALL.len()).saturating_add_signed(steps) % ALL.len()];
    }

    /// Whether the focused field takes typed text.
    pub(crate) fn takes_text(&self) -> bool {
        self.focus.takes_text()
    }

    /// What is wrong with a field, in words. Empty fields are only wrong once a submit was tried.
    pub(crate) fn error(&self, field: Field) -> Option<String> {
        let text = self.text(field);
        match field {
            Field::Scene if text.is_empty() => self.tried.then(|| "which .blend? type its path".to_owned()),
            Field::Scene => match &self.own_range {
                Some(Err(error)) => Some(error.clone()),
                _ => None,
            },
            Field::Frames if text.is_empty() => match &self.own_range {
                Some(Ok(None)) if self.tried => {
                    Some("the file does not tell its frames; type them".to_owned())
                }
                _ => None,
            },
            Field::Frames => text.parse::<FrameSet>().err().map(|error| error.to_string()),
            Field::Priority => match text.parse::<i32>() {
                Ok(priority) if (-100..=100).contains(&priority) => None,
                _ => Some("a whole number from -100 to 100".to_owned()),
            },
            Field::Name if text.contains(['/', '\\']) => Some("a name has no / in it".to_owned()),
            Field::Output if text.split('/').any(|part| part == "..") => {
                Some("an output folder does not go up with ..".to_owned())
            }
            _ => None,
        }
    }

    /// The job that is described, or the first field that is wrong.
    pub(crate) fn job(&mut self) -> Result<NewJob, Field> {
        self.tried = true;
        if let Some(field) = Field::ALL.into_iter().find(|field| self.error(*field).is_some()) {
            return Err(field);
        }
        let optional = |field: Field| {
            let text = self.text(field);
            (!text.is_empty()).then(|| text.to_owned())
        };
        Ok(NewJob {
            with: self
                .text(Field::With)
                .split(',')
                .map(str::trim)
                .filter(|path| !path.is_empty())
                .map(expand)
                .collect(),
            frames: self.text(Field::Frames).parse().ok(),
            name: optional(Field::Name),
            output: optional(Field::Output),
            existing: self.existing,
            priority: self.text(Field::Priority).parse().map_err(|_| Field::Priority)?,
            ..NewJob::of(expand(self.text(Field::Scene)))
        })
    }
}

/// A path as typed; `~` is the home folder's.
pub(crate) fn expand(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(typed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(path: &str) -> PathHit {
        PathHit {
            path: path.to_owned(),
            size: None,
        }
    }

    #[test]
    fn errors_are_in_words_and_an_untouched_form_has_none() {
        let mut form = SubmitForm::default();
        assert!(Field::ALL.into_iter().all(|field| form.error(field).is_none()));
        assert_eq!(form.job(), Err(Field::Scene));
        form.set(Field::Scene, "/s/a.blend".to_owned());
        form.set(Field::Frames, "9-1".to_owned());
        assert_eq!(form.job(), Err(Field::Frames));
        assert_eq!(
            form.error(Field::Frames).unwrap(),
            "the range 9-1 runs backwards: write 1-9"
        );
        form.set(Field::Frames, "1-9".to_owned());
        form.set(Field::With, "/s/t, /s/lib.blend".to_owned());
        let job = form.job().unwrap();
        assert_eq!(job.with, [PathBuf::from("/s/t"), PathBuf::from("/s/lib.blend")]);
        assert_eq!((job.frames.unwrap().len(), job.existing), (9, Existing::Skip));
    }

    #[test]
    fn the_files_own_range_is_filled_in_and_what_was_typed_is_kept() {
        let range = |text: &str| Ok(Some(text.parse().unwrap()));
        let mut form = SubmitForm::default();
        form.take_range(range("1-48"));
        assert_eq!(form.text(Field::Frames), "1-48");
        form.take_range(range("1-60"));
        assert_eq!(form.text(Field::Frames), "1-60");
        form.set(Field::Frames, "7".to_owned());
        form.take_range(range("1-48"));
        assert_eq!(form.text(Field::Frames), "7");
    }

    #[test]
    fn completion_goes_as_far_as_all_hits_agree_and_keeps_earlier_paths() {
        let mut form = SubmitForm {
            focus: Field::With,
            hits: vec![hit("/a/intro_v1.blend"), hit("/a/intro_v2.blend")],
            ..SubmitForm::default()
        };
        form.set(Field::With, "/lib,/a/in".to_owned());
        assert_eq!(form.typed_path(), "/a/in");
        let start = form.common_start().unwrap();
        form.complete(&start);
        assert_eq!(form.text(Field::With), "/lib,/a/intro_v");
    }
}
