//! How frames are rendered where the scene does not decide it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::IdError;

/// What renders. Set in Blender before the first frame; the device really used is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Device {
    /// What the scene asks for: its CPU, or for a GPU scene the best GPU of the node.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA through CUDA.
    Cuda,
    /// NVIDIA through OptiX.
    Optix,
    /// AMD through HIP.
    Hip,
    /// Intel through oneAPI.
    Oneapi,
    /// Apple through Metal.
    Metal,
}

impl Device {
    /// All of them, for help texts and parsing.
    pub const ALL: [Self; 7] = [
        Self::Auto,
        Self::Cpu,
        Self::Cuda,
        Self::Optix,
        Self::Hip,
        Self::Oneapi,
        Self::Metal,
    ];

    /// Its name on the wire and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Optix => "optix",
            Self::Hip => "hip",
            Self::Oneapi => "oneapi",
            Self::Metal => "metal",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Device {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a device: auto, cpu, cuda, optix, hip, oneapi or metal", text);
        Self::ALL
            .into_iter()
            .find(|device| device.name() == text)
            .ok_or_else(error)
    }
}

/// What becomes of the scene's denoising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Denoise {
    /// As the scene says.
    #[default]
    Scene,
    /// Not at all.
    Off,
}

/// Settings of a job, carried to every batch of it. The default renders what the scene asks for and fails a
/// frame rather than render it differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own that a person sets"
)]
pub struct RenderSettings {
    /// What renders.
    pub device: Device,
    /// What becomes of the scene's denoising.
    pub denoise: Denoise,
    /// Render although files that the scene names are missing.
    pub allow_missing: bool,
    /// Render although Python drivers or scripts of the scene were not run.
    pub allow_blocked_scripts: bool,
    /// Render on the CPU where the asked GPU is missing.
    pub allow_cpu: bool,
    /// Render with a Blender older than the one that wrote the scene.
    pub allow_older_blender: bool,
    /// Seconds without a sign from Blender after which a frame has failed; the agent's default without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_timeout_seconds: Option<u32>,
    /// The scene of the file to render; without it the one that the file was saved with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// Only these view layers of it; without any those that it renders by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub view_layers: Vec<String>,
    /// Percent of the scene's resolution, instead of its own percentage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution_percentage: Option<u32>,
    /// Samples of a pixel, instead of the scene's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// The render engine, instead of the scene's: `cycles`, `eevee`, `workbench`, or a name that Blender knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// Settings that no scene can take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Blender's own bounds.
    #[error("{what} is {value}, and must be from 1 to {most}")]
    OutOfRange {
        /// Which setting.
        what: &'static str,
        /// What was asked for.
        value: u32,
        /// The highest that is possible.
        most: u32,
    },
    /// A name that cannot be one.
    #[error("{0} is empty or longer than 255 bytes")]
    NoName(&'static str),
}

impl RenderSettings {
    /// Highest percentage of the resolution that Blender takes.
    pub const MOST_PERCENT: u32 = 32_767;
    /// Most samples of a pixel that Cycles takes.
    pub const MOST_SAMPLES: u32 = 16_777_216;

    /// Whether any scene could be rendered with these.
    ///
    /// # Errors
    /// When a number is out of Blender's range or a name cannot be one.
    pub fn check(&self) -> Result<(), SettingsError> {
        let range = |what, value: Option<u32>, most| match value {
            Some(value) if !(1..=most).contains(&value) => {
                Err(SettingsError::OutOfRange { what, value, most })
            }
            _ => Ok(()),
        };
        range(
            "the percentage of the resolution",
            self.resolution_percentage,
            Self::MOST_PERCENT,
        )?;
        range("the number of samples", self.samples, Self::MOST_SAMPLES)?;
        let names = [
            ("the name of the scene", &self.scene),
            ("the render engine", &self.engine),
        ];
        let names = names
            .into_iter()
            .filter_map(|(what, name)| name.as_ref().map(|name| (what, name)))
            .chain(
                self.view_layers
                    .iter()
                    .map(|name| ("the name of a view layer", name)),
            );
        for (what, name) in names {
            if name.is_empty() || name.len() > 255 {
                return Err(SettingsError::NoName(what));
            }
        }
        Ok(())
    }
}
