//! Getting a Blender without an installer: `bpy` on the Python package index is an official build with denoiser and GPU kernels.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::EnginePath;

/// The newest version for Python 3.11, which Debian 12 and its relatives have.
const VERSION: &str = "5.0.1";

/// Why no Blender could be got.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The one Python that this version is built for is missing.
    #[error(
        "no Python 3.11 was found, and bpy {VERSION} is built for no other: install it (Debian and Ubuntu: \
         `apt install python3.11 python3.11-venv`, or pyenv, or uv), then run this again"
    )]
    NoPython,
    /// A step failed; its own output says why.
    #[error("`{step}` ended with {status}: {hint}")]
    Step {
        /// The command.
        step: String,
        /// How it ended.
        status: ExitStatus,
        /// What usually helps.
        hint: &'static str,
    },
    /// A step could not be started.
    #[error("cannot run `{step}`")]
    Run {
        /// The command.
        step: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Makes a Python environment with Blender inside below `engines`, or finds the one made before. `say` gets a
/// line before each step. Blocks for as long as 350 MB take to arrive.
///
/// # Errors
/// When Python 3.11 is missing or a step fails.
pub fn setup(engines: &Path, mut say: impl FnMut(&str)) -> Result<EnginePath, SetupError> {
    let folder = engines.join(format!("bpy-{VERSION}"));
    let python = folder.join("bin/python");
    if imports_bpy(&python) {
        say(&format!("Blender {VERSION} is already at {}", folder.display()));
        return Ok(EnginePath::Python(python));
    }
    let base = python_311().ok_or(SetupError::NoPython)?;
    say(&format!("making a Python environment at {}", folder.display()));
    run(
        Command::new(base).args(["-m", "venv", "--clear"]).arg(&folder),
        "install the package python3.11-venv and run this again",
    )?;
    say(&format!("getting Blender {VERSION} from PyPI (about 350 MB)"));
    run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .arg(format!("bpy=={VERSION}")),
        "look at what pip says above; it needs the network and 1 GB of free space",
    )?;
    say("trying it");
    run(
        Command::new(&python).args(["-I", "-c", "import bpy; print('Blender', bpy.app.version_string)"]),
        "a system library may be missing: Debian and Ubuntu need `apt install libxrender1 libxi6 libxkbcommon0 \
         libsm6 libgl1`",
    )?;
    Ok(EnginePath::Python(python))
}

fn imports_bpy(python: &Path) -> bool {
    let tried = Command::new(python)
        .args(["-I", "-c", "import bpy, os; os._exit(0)"])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

fn python_311() -> Option<PathBuf> {
    let is_311 = |name: &str| {
        let asked = Command::new(name)
            .args(["-I", "-c", "import sys; print(*sys.version_info[:2])"])
            .output();
        asked.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"3 11"))
    };
    ["python3.11", "python3", "python"]
        .into_iter()
        .find(|name| is_311(name))
        .map(PathBuf::from)
}

fn run(command: &mut Command, hint: &'static str) -> Result<(), SetupError> {
    let step = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(SetupError::Step { step, status, hint }),
        Err(source) => Err(SetupError::Run { step, source }),
    }
}
