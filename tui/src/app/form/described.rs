//! What a filled form stands for: the job that it describes, and the draft that is kept of it.

use std::path::PathBuf;

use farmhand_protocol::farm::Existing;
use farmhand_protocol::{Denoise, Device, RenderSettings};
use serde::{Deserialize, Serialize};

use super::SubmitForm;
use super::field::{ENGINES, Field};
use crate::new_job::NewJob;

/// A form as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Draft(Vec<(Field, String)>);

impl SubmitForm {
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
    /// What stands in a field, taken apart at commas and spaces.
    fn words(&self, field: Field) -> Vec<String> {
        let parts = self.text(field).split([',', ' ']).filter(|word| !word.is_empty());
        parts.map(str::to_owned).collect()
    }
}

/// A path as typed; `~` is the home folder's.
pub(crate) fn expand(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(typed),
    }
}
