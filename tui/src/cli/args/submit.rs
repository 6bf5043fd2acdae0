//! `farmhand submit`: which scene, which frames, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use farmhand_protocol::farm::Existing;
use farmhand_protocol::{Device, FrameSet, JobId, RenderSettings};

use super::PrintArgs;

/// `farmhand submit`.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch on the command line"
)]
pub(crate) struct SubmitArgs {
    /// The .blend to render.
    pub(crate) scene: PathBuf,
    /// Frames to render [default: the range that the file itself names].
    #[arg(long, short, value_name = "FRAMES", allow_hyphen_values = true)]
    pub(crate) frames: Option<FrameSet>,
    /// A further file or folder that the scene needs and does not name itself; may repeat. Paths relative to the .blend keep working.
    #[arg(long, value_name = "PATH")]
    pub(crate) with: Vec<PathBuf>,
    /// Send nothing: the .blend and its files lie on storage that every node sees under the same path, or under the one that its agent's --path-map names.
    #[arg(long, conflicts_with = "with")]
    pub(crate) shared: bool,
    /// Folder for the pictures on the farm, relative to its output root [default: the job's name].
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<String>,
    /// Bring the frames, and films that are made of them, to this folder on this machine; waits for the job's end.
    #[arg(long, value_name = "DIR")]
    pub(crate) download: Option<PathBuf>,
    /// What becomes of pictures that are already there [default: the job is refused].
    #[arg(long, value_enum)]
    pub(crate) existing: Option<ExistingArg>,
    /// The job's name [default: the file's].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Higher goes first, -100 to 100.
    #[arg(
        long,
        default_value_t = 0,
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i32).range(-100..=100)
    )]
    pub(crate) priority: i32,
    /// What renders: auto, cpu, cuda, optix, hip, oneapi or metal.
    #[arg(long, default_value_t = Device::Auto)]
    pub(crate) device: Device,
    /// The scene of the file to render [default: the one it was saved with].
    #[arg(long, value_name = "SCENE")]
    pub(crate) scene_name: Option<String>,
    /// Render only this view layer; may repeat [default: those that the scene renders].
    #[arg(long = "view-layer", value_name = "LAYER")]
    pub(crate) view_layers: Vec<String>,
    /// Percent of the scene's resolution to render.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=i64::from(RenderSettings::MOST_PERCENT)))]
    pub(crate) percentage: Option<u32>,
    /// Samples of a pixel, instead of the scene's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RenderSettings::MOST_SAMPLES)))]
    pub(crate) samples: Option<u32>,
    /// The render engine, instead of the scene's: cycles, eevee, workbench, or Blender's own name of one.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// Only nodes with this tag; may repeat.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Frames handed to a node at a time [default: the farm's choice].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: Option<u32>,
    /// Wait until this job is completed.
    #[arg(long, value_name = "JOB")]
    pub(crate) after: Option<JobId>,
    /// Nodes that may work on it at one time [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_nodes: Option<u32>,
    /// Render the first, the last and each Nth frame before the others.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) preview: Option<u32>,
    /// Seconds without a sign from Blender after which a frame has failed.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) frame_timeout: Option<u32>,
    /// Render although files that the scene names are missing.
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Render although the scene's Python drivers or scripts were not run.
    #[arg(long)]
    pub(crate) allow_blocked_scripts: bool,
    /// Render on the CPU where the asked GPU is missing.
    #[arg(long)]
    pub(crate) allow_cpu: bool,
    /// Render with a Blender older than the one that wrote the scene.
    #[arg(long)]
    pub(crate) allow_older_blender: bool,
    /// Render without denoising, whatever the scene says.
    #[arg(long)]
    pub(crate) no_denoise: bool,
    /// Make an mp4 of the pictures for looking, at the job's end. Needs ffmpeg where the farm runs.
    #[arg(long)]
    pub(crate) video: bool,
    /// Wait for the job's end; exit code 0 only when it is completed.
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// `--existing`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExistingArg {
    /// Their frames are not rendered.
    Skip,
    /// They are replaced.
    Overwrite,
    /// The job gets a new folder with a number.
    New,
}

impl From<ExistingArg> for Existing {
    fn from(arg: ExistingArg) -> Self {
        match arg {
            ExistingArg::Skip => Self::Skip,
            ExistingArg::Overwrite => Self::Overwrite,
            ExistingArg::New => Self::New,
        }
    }
}
