//! The fields of the submit form: their order, and what is said of each.

use farmhand_protocol::Device;
use serde::{Deserialize, Serialize};

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
    pub(super) fn is_further(self) -> bool {
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

    pub(super) fn takes_text(self) -> bool {
        self.choices().is_empty()
    }

    /// Whether it holds paths of this machine.
    pub(crate) fn is_path(self) -> bool {
        matches!(self, Self::Scene | Self::With)
    }
}

/// The first stands for the scene's own.
pub(super) const ENGINES: [&str; 4] = ["as the scene says", "cycles", "eevee", "workbench"];
