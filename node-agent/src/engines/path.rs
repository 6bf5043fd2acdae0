//! How a Blender is named and started: an executable, or a Python that has the `bpy` module.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A Blender of this machine, not yet known to work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EnginePath {
    /// The program itself.
    Executable(PathBuf),
    /// A Python whose `bpy` module is Blender.
    Python(PathBuf),
}

impl EnginePath {
    /// The command line that runs a Python script inside, with `arguments` behind `--`.
    pub fn running<A: AsRef<OsStr>>(
        &self,
        script: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> std::process::Command {
        let mut command = match self {
            Self::Executable(path) => {
                let mut command = std::process::Command::new(path);
                // The exit code counts only for scripts named behind it.
                command.args(["-b", "-noaudio", "--factory-startup", "--disable-autoexec"]);
                command.args(["--python-exit-code", "7", "--python"]);
                command
            }
            Self::Python(path) => {
                let mut command = std::process::Command::new(path);
                command.arg("-I");
                command
            }
        };
        command.arg(script).arg("--").args(arguments);
        command
    }
}

impl FromStr for EnginePath {
    type Err = Infallible;

    /// `/opt/blender/blender`, or `python:/opt/venv/bin/python`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("python:") {
            Some(python) => Self::Python(python.into()),
            None => Self::Executable(text.into()),
        })
    }
}

impl fmt::Display for EnginePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executable(path) => write!(f, "{}", path.display()),
            Self::Python(path) => write!(f, "python:{}", path.display()),
        }
    }
}
