//! The submit form: fields, their errors in words, and completions of the path.

mod described;
mod field;

use farmhand_protocol::{FrameSet, JobId, RenderSettings};
use tui_input::Input;

use super::PathHit;
pub(crate) use described::{Draft, expand};
pub(crate) use field::Field;

/// What a .blend says, as far as the form shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SceneFile {
    pub(crate) range: Option<FrameSet>,
    /// `resolution`, `1920x1080`: what it renders, for people.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Files that it names and that are not there.
    pub(crate) missing: Vec<String>,
    /// What else a person should know before it is rendered.
    pub(crate) warnings: Vec<String>,
}

/// A job that is being described. Kept as a draft until it is submitted.
#[derive(Debug, Clone)]
pub(crate) struct SubmitForm {
    inputs: [Input; Field::ALL.len()],
    /// The chosen word of each field that takes no text.
    chosen: [usize; Field::ALL.len()],
    pub(crate) focus: Field,
    /// What the scene path may become.
    pub(crate) hits: Vec<PathHit>,
    /// The marked one among them.
    pub(crate) marked: usize,
    /// What the file in the scene field says, once it was read.
    pub(crate) file: Option<Result<SceneFile, String>>,
    /// What the farm said to the last try.
    pub(crate) refusal: Option<String>,
    /// What is under way, in words.
    pub(crate) sending: Option<String>,
    /// The newest question about what a path may become; older answers are dropped.
    pub(crate) generation: u64,
    /// The newest question about what the file says.
    pub(crate) reading: u64,
    /// What it was about.
    pub(crate) read_path: String,
    /// The draft has changed since it was last kept.
    pub(crate) is_new: bool,
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
            // The first words. What is rendered already is worth keeping, and submitting twice by mistake
            // costs nothing.
            chosen: [0; Field::ALL.len()],
            focus: Field::Scene,
            hits: Vec::new(),
            marked: 0,
            file: None,
            refusal: None,
            sending: None,
            generation: 0,
            reading: 0,
            read_path: String::new(),
            is_new: false,
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
        self.is_new = true;
    }

    /// Takes what the file says, and fills its range in unless something else was typed.
    pub(crate) fn take_file(&mut self, file: Result<SceneFile, String>) {
        if let Ok(SceneFile {
            range: Some(frames), ..
        }) = &file
            && (self.text(Field::Frames).is_empty() || self.text(Field::Frames) == self.prefilled)
        {
            self.prefilled = frames.to_string();
            self.set(Field::Frames, frames.to_string());
        }
        self.file = Some(file);
    }

    /// The range that the file names.
    pub(crate) fn own_range(&self) -> Option<&FrameSet> {
        self.file.as_ref()?.as_ref().ok()?.range.as_ref()
    }

    /// Which of a field's words is chosen.
    pub(crate) fn chosen(&self, field: Field) -> usize {
        self.chosen[field as usize]
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

    /// Chooses the next of the few words of a field that takes no text.
    pub(crate) fn turn(&mut self, steps: isize) {
        let count = self.focus.choices().len();
        if count > 0 {
            let chosen = &mut self.chosen[self.focus as usize];
            *chosen = (*chosen + count).saturating_add_signed(steps) % count;
            self.is_new = true;
        }
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
            Field::Scene => match &self.file {
                Some(Err(error)) => Some(error.clone()),
                _ => None,
            },
            Field::Frames if text.is_empty() => match &self.file {
                Some(Ok(SceneFile { range: None, .. })) if self.tried => {
                    Some("the file does not tell its frames; type them".to_owned())
                }
                _ => None,
            },
            Field::Frames => text.parse::<FrameSet>().err().map(|error| error.to_string()),
            Field::Priority => match text.parse::<i32>() {
                Ok(priority) if (-100..=100).contains(&priority) => None,
                _ => Some("a whole number from -100 to 100".to_owned()),
            },
            Field::BatchSize | Field::MaxNodes => wrong_number(text, u32::MAX),
            Field::Samples => wrong_number(text, RenderSettings::MOST_SAMPLES),
            Field::Percentage => wrong_number(text, RenderSettings::MOST_PERCENT),
            Field::SceneName if text.len() > 255 => Some("no scene has so long a name".to_owned()),
            Field::After if !text.is_empty() && text.parse::<JobId>().is_err() => {
                Some("a job as the list names it: j7".to_owned())
            }
            Field::Name if text.contains(['/', '\\']) => Some("a name has no / in it".to_owned()),
            Field::Output if text.split('/').any(|part| part == "..") => {
                Some("an output folder does not go up with ..".to_owned())
            }
            _ => None,
        }
    }

    /// The fields that are shown, from top to bottom: further ones once a person goes there, or has been.
    pub(crate) fn shown(&self) -> Vec<Field> {
        let unfolded = self.focus.is_further();
        let touched = |field: Field| self.chosen(field) > 0 || !self.text(field).is_empty();
        Field::ALL
            .into_iter()
            .filter(|field| unfolded || !field.is_further() || touched(*field))
            .collect()
    }
}

/// What is wrong with a number from 1 to `most` that may be left out.
fn wrong_number(text: &str, most: u32) -> Option<String> {
    match text.parse::<u32>() {
        _ if text.is_empty() => None,
        Ok(number) if (1..=most).contains(&number) => None,
        _ if most == u32::MAX => Some("a whole number above 0, or nothing".to_owned()),
        _ => Some(format!("a whole number from 1 to {most}, or nothing")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use farmhand_protocol::Device;
    use farmhand_protocol::farm::Existing;
    use proptest::prelude::*;

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
        let range = |text: &str| {
            Ok(SceneFile {
                range: Some(text.parse().unwrap()),
                ..SceneFile::default()
            })
        };
        let mut form = SubmitForm::default();
        form.take_file(range("1-48"));
        assert_eq!(form.text(Field::Frames), "1-48");
        form.take_file(range("1-60"));
        assert_eq!(form.text(Field::Frames), "1-60");
        form.set(Field::Frames, "7".to_owned());
        form.take_file(range("1-48"));
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

    #[test]
    fn a_draft_gives_the_same_job_after_a_crash() {
        let mut form = SubmitForm::default();
        for (field, text) in [
            (Field::Scene, "/s/a.blend"),
            (Field::Frames, "1,5,9-20"),
            (Field::Tags, "gpu, fast"),
            (Field::BatchSize, "4"),
            (Field::Samples, "64"),
            (Field::Percentage, "50"),
            (Field::SceneName, "Night"),
            (Field::MaxNodes, "2"),
            (Field::After, "j7"),
        ] {
            form.set(field, text.to_owned());
        }
        for (field, turns) in [
            (Field::Existing, 2),
            (Field::Device, -1),
            (Field::Missing, 1),
            (Field::Engine, 2),
            (Field::Shared, 1),
        ] {
            form.focus = field;
            form.turn(turns);
        }
        let kept = serde_json::to_string(&form.draft()).unwrap();
        let mut again = SubmitForm::of_draft(&serde_json::from_str(&kept).unwrap());
        let job = form.job().unwrap();
        assert_eq!(again.job().unwrap(), job);
        assert_eq!(
            (job.tags.len(), job.batch_size, job.existing),
            (2, Some(4), Existing::New)
        );
        assert_eq!(job.settings.device, Device::Metal);
        assert!(job.settings.allow_missing && job.shared);
        let settings = &job.settings;
        assert_eq!(
            (settings.samples, settings.resolution_percentage),
            (Some(64), Some(50))
        );
        assert_eq!(
            (settings.engine.as_deref(), settings.scene.as_deref()),
            (Some("eevee"), Some("Night"))
        );
        assert_eq!((job.max_nodes, job.after), (Some(2), Some(JobId(7))));
    }

    #[test]
    fn further_fields_are_folded_away_until_a_person_goes_there() {
        let mut form = SubmitForm::default();
        assert!(!form.shown().contains(&Field::After));
        form.focus = Field::Percentage;
        form.move_focus(1);
        assert_eq!((form.focus, form.shown()), (Field::Engine, Field::ALL.to_vec()));
        form.set(Field::After, "x8".to_owned());
        assert!(form.error(Field::After).is_some());
        form.focus = Field::Scene;
        assert!(form.shown().contains(&Field::After), "what was said is seen");
        assert!(!form.shown().contains(&Field::Tags));
        form.set(Field::Samples, "0".to_owned());
        assert!(form.error(Field::Samples).unwrap().contains("from 1 to 16777216"));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_job_or_an_error_in_words(frames in "[0-9,x -]{0,12}", batch in "[0-9-]{0,4}") {
            let mut form = SubmitForm::default();
            form.set(Field::Scene, "/s/a.blend".to_owned());
            form.set(Field::Frames, frames.clone());
            form.set(Field::BatchSize, batch);
            match form.job() {
                Ok(job) => prop_assert_eq!(job.frames.is_some(), !frames.trim().is_empty()),
                Err(field) => {
                    let error = form.error(field).unwrap_or_default();
                    prop_assert!(error.contains(' '), "{field:?}: {error}");
                }
            }
        }
    }
}
