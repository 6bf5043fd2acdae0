//! What the agent and the driver inside Blender say to each other, one JSON line each. The other end is
//! `assets/driver.py`; it must not know anything that only the agent decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farmhand_protocol::agent::Film;
use farmhand_protocol::{Device, FailureKind, Frame, RenderSettings};
use serde::{Deserialize, Serialize};

/// What the driver is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub(crate) enum Command<'a> {
    /// Say what you can do.
    Probe,
    /// Open this scene.
    Open {
        scene: &'a Path,
        /// By .blend: where the files are that it names by these paths.
        paths: &'a BTreeMap<PathBuf, BTreeMap<String, PathBuf>>,
        /// Folders of shared storage, each by all its names.
        shared_folders: &'a [Vec<String>],
        settings: &'a RenderSettings,
    },
    /// Render a frame of the open scene into an empty folder.
    Render {
        frame: Frame,
        folder: &'a Path,
        /// At least 1. Another number than the frame before had costs a frame's preparation, not a load.
        threads: u32,
    },
    /// Stop the frame being rendered.
    Cancel,
    /// Leave.
    Quit,
}

/// What the driver says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Message {
    /// It runs, inside this Blender.
    Ready { version: String },
    /// Answer to [`Command::Probe`].
    Probed {
        version: String,
        devices: Vec<String>,
        #[serde(default)]
        gpus: Vec<String>,
        denoiser: bool,
    },
    /// The scene is open.
    Opened { device: Device },
    /// A frame began.
    Started { frame: Frame },
    /// Where a frame stands.
    Progress(Samples),
    /// Blender wrote a frame.
    Finished(Rendered),
    /// The frame being rendered was stopped.
    Cancelled {
        /// Whether this Blender leaves now.
        restart: bool,
    },
    /// The last command failed.
    Failed { kind: FailureKind, message: String },
    /// The driver itself cannot go on.
    Broken { message: String },
    /// What a newer driver may say.
    #[serde(other)]
    Unknown,
}

impl Message {
    /// Reads a line of the driver's. One that cannot be read says so itself.
    pub(crate) fn of_line(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_else(|error| Self::Broken {
            message: format!("the driver said what nobody understands: {error}"),
        })
    }
}

/// Reads a line as a driver's, as a fuzzer calls it; whether it says anything.
pub fn read_driver_line(line: &[u8]) -> bool {
    !matches!(Message::of_line(line), Message::Broken { .. } | Message::Unknown)
}

/// Samples of a frame, as far as Blender tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) struct Samples {
    #[serde(default, rename = "sample")]
    pub(crate) done: Option<u32>,
    #[serde(default, rename = "samples")]
    pub(crate) all: Option<u32>,
    #[serde(default)]
    pub(crate) remaining_ms: Option<u64>,
}

/// What Blender wrote for a frame.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Rendered {
    pub(crate) frame: Frame,
    /// Every file in the frame's folder, relative to it.
    pub(crate) files: Vec<String>,
    /// Those that are the picture itself.
    pub(crate) pictures: Vec<String>,
    /// Width and height that the pictures must have.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) render_ms: u64,
    pub(crate) peak_memory_bytes: u64,
    pub(crate) device: Device,
    /// How the scene's pictures become a film.
    #[serde(default)]
    pub(crate) film: Option<Film>,
}

impl Samples {
    /// Reads a progress line that Blender 3 prints, `Fra:1 Mem:... | Remaining:00:00.87 | ... | Sample 1/16`;
    /// later versions tell the driver.
    pub(crate) fn printed(line: &str) -> Option<Self> {
        let parts = line.strip_prefix("Fra:")?.split('|').map(str::trim);
        let mut samples = Self::default();
        for part in parts {
            if let Some(counts) = part.strip_prefix("Sample ") {
                let (done, all) = counts.split_once('/')?;
                samples.done = done.trim().parse().ok();
                samples.all = all.trim().parse().ok();
            } else if let Some(clock) = part.strip_prefix("Remaining:") {
                samples.remaining_ms = clock_ms(clock.trim());
            }
        }
        Some(samples)
    }
}

/// `02:28.13` or `1:02:28.13` in milliseconds.
fn clock_ms(clock: &str) -> Option<u64> {
    let (whole, hundredths) = clock.split_once('.')?;
    let seconds = whole.split(':').try_fold(0_u64, |sum, part| {
        sum.checked_mul(60)?.checked_add(part.parse::<u64>().ok()?)
    })?;
    let hundredths: u64 = hundredths.get(..2)?.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blender_3_prints_is_read_as_progress() {
        let line = "Fra:1 Mem:8.9M (Peak 9.1M) | Time:00:00.33 | Remaining:01:00.87 | Mem:0.2M, Peak:0.2M | \
                    Scene, ViewLayer | Sample 1/16";
        let samples = Samples::printed(line).unwrap();
        assert_eq!(
            (samples.done, samples.all, samples.remaining_ms),
            (Some(1), Some(16), Some(60_870))
        );
        assert_eq!(Samples::printed("Saved: '/tmp/x.png'"), None);
        assert_eq!(Samples::printed("Fra:1 | Sample x/y"), Some(Samples::default()));
    }

    #[test]
    fn a_failure_kind_that_only_a_newer_driver_knows_is_still_a_failure() {
        let message: Message =
            serde_json::from_str(r#"{"event":"failed","kind":"new_kind","message":"m","frame":null}"#)
                .unwrap();
        let expected = Message::Failed {
            kind: FailureKind::Other,
            message: "m".to_owned(),
        };
        assert_eq!(message, expected);
    }
}
