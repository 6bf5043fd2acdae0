//! The submit form: fields, their errors in words, and completions of the path.

use std::path::PathBuf;

use farmhand_protocol::farm::Existing;
use farmhand_protocol::{Denoise, Device, FrameSet, JobId, RenderSettings};
use serde::{Deserialize, Serialize};
use tui_input::Input;

use super::PathHit;
use crate::new_job::NewJob;

/// Fields, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Field {
    Scene,
    With,
    Frames,
    Name,
    Output,
    Existing,
    Priority,
    Device,
    Samples,
    Percentage,
    Engine,
    SceneName,
    Denoise,
    Missing,
    Tags,
    BatchSize,
    MaxNodes,
    After,
    Shared,
}

impl Field {
    pub(crate) const ALL: [Self; 19] = [
        Self::Scene,
        Self::With,
        Self::Frames,
        Self::Name,
        Self::Output,
        Self::Existing,
        Self::Priority,
        Self::Device,
        Self::Samples,
        Self::Percentage,
        Self::Engine,
        Self::SceneName,
        Self::Denoise,
        Self::Missing,
        Self::Tags,
        Self::BatchSize,
        Self::MaxNodes,
        Self::After,
        Self::Shared,
    ];

    /// Whether it is folded away where nobody is at it and nothing was said in it.
    fn is_further(self) -> bool {
        self as usize >= Self::Engine as usize
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Scene => "scene",
            Self::With => "with",
            Self::Frames => "frames",
            Self::Name => "name",
            Self::Output => "output",
            Self::Existing => "existing",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::Device => "device",
            Self::Denoise => "denoise",
            Self::Missing => "missing",
            Self::BatchSize => "batch",
            Self::Samples => "samples",
            Self::Percentage => "percent",
            Self::Engine => "engine",
            Self::SceneName => "in file",
            Self::MaxNodes => "nodes",
            Self::After => "after",
            Self::Shared => "shared",
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
            Self::Tags => "only nodes that have all of these tags; empty: every node",
            Self::Device => "left, right: what renders; auto is what the node has",
            Self::Denoise => "left, right: as the scene says, or not at all",
            Self::Missing => "left, right: what becomes of a scene whose files are not all there",
            Self::BatchSize => "frames handed to a node at a time; empty: the farm's choice",
            Self::Samples => "samples of a pixel; empty: the scene's",
            Self::Percentage => "percent of the scene's resolution; empty: the scene's own",
            Self::Engine => "left, right: the render engine, where it is not the scene's",
            Self::SceneName => "the scene of the file; empty: the one that it was saved with",
            Self::MaxNodes => "at most so many nodes at a time; empty: all",
            Self::After => "j7: frames wait until that job has ended well; empty: none",
            Self::Shared => "left, right: on storage that every node sees under the same path",
        }
    }

    /// The words to choose from; empty for a field that takes text.
    pub(crate) fn choices(self) -> Vec<&'static str> {
        match self {
            Self::Existing => vec!["skip", "overwrite", "new folder", "refuse"],
            Self::Device => Device::ALL.iter().map(|device| device.name()).collect(),
            Self::Denoise => vec!["as the scene says", "off"],
            Self::Missing => vec!["refuse", "render all the same"],
            Self::Engine => ENGINES.to_vec(),
            Self::Shared => vec!["send the files", "nodes see them"],
            _ => Vec::new(),
        }
    }

    fn takes_text(self) -> bool {
        self.choices().is_empty()
    }

    /// Whether it holds paths of this machine.
    pub(crate) fn is_path(self) -> bool {
        matches!(self, Self::Scene | Self::With)
    }
}

/// The first stands for the scene's own.
const ENGINES: [&str; 4] = ["as the scene says", "cycles", "eevee", "workbench"];

/// A form as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Draft(Vec<(Field, String)>);

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

    /// What stands in a field, taken apart at commas and spaces.
    fn words(&self, field: Field) -> Vec<String> {
        let parts = self.text(field).split([',', ' ']).filter(|word| !word.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The form as it is kept for a crash, or another day.
    pub(crate) fn draft(&self) -> Draft {
        Draft(
            Field::ALL
                .into_iter()
                .map(|field| {
                    let words = field.choices();
                    let text = match words.get(self.chosen(field)) {
                        Some(word) => (*word).to_owned(),
                        None => self.input(field).value().to_owned(),
                    };
                    (field, text)
                })
                .collect(),
        )
    }

    /// Fills a form as it was kept. What does not fit any more is left as it is when nobody says anything.
    pub(crate) fn of_draft(draft: &Draft) -> Self {
        let mut form = Self::default();
        for (field, text) in &draft.0 {
            let words = field.choices();
            if words.is_empty() {
                form.set(*field, text.clone());
            } else if let Some(chosen) = words.iter().position(|word| word == text) {
                form.chosen[*field as usize] = chosen;
            }
        }
        form.is_new = false;
        form
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
            existing: match self.chosen(Field::Existing) {
                0 => Existing::Skip,
                1 => Existing::Overwrite,
                2 => Existing::New,
                _ => Existing::Refuse,
            },
            priority: self.text(Field::Priority).parse().map_err(|_| Field::Priority)?,
            settings: RenderSettings {
                device: Device::ALL[self.chosen(Field::Device).min(Device::ALL.len() - 1)],
                denoise: match self.chosen(Field::Denoise) {
                    0 => Denoise::Scene,
                    _ => Denoise::Off,
                },
                allow_missing: self.chosen(Field::Missing) == 1,
                samples: self.text(Field::Samples).parse().ok(),
                resolution_percentage: self.text(Field::Percentage).parse().ok(),
                engine: match self.chosen(Field::Engine) {
                    0 => None,
                    chosen => ENGINES.get(chosen).map(|name| (*name).to_owned()),
                },
                scene: optional(Field::SceneName),
                ..RenderSettings::default()
            },
            tags: self.words(Field::Tags),
            batch_size: self.text(Field::BatchSize).parse().ok(),
            max_nodes: self.text(Field::MaxNodes).parse().ok(),
            after: self.text(Field::After).parse().ok(),
            shared: self.chosen(Field::Shared) == 1,
            ..NewJob::of(expand(self.text(Field::Scene)))
        })
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

/// A path as typed; `~` is the home folder's.
pub(crate) fn expand(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(typed),
    }
}

#[cfg(test)]
mod tests {
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
