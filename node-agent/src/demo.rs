//! The demo scene, made by a script inside a Blender when it is first used.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::blender::Spawner;
use crate::engines::EnginePath;

const SCRIPT: &str = include_str!("../../assets/demo_scene.py");

/// Its file in the folder that it is made in.
const NAME: &str = "farmhand_demo.blend";

/// Why there is no demo scene.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The disk refused, or Blender could not be started.
    #[error("cannot make the demo scene: {0}")]
    Io(#[from] std::io::Error),
    /// Blender did not make it.
    #[error("Blender did not make the demo scene ({status}): {said}")]
    Blender {
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its last words.
        said: String,
    },
}

/// The path of the demo scene in `folder`, made by `engine` where it is not there yet. The scene has further
/// files beside it in that folder.
///
/// # Errors
/// When Blender cannot make it.
pub async fn make_demo_scene(engine: &EnginePath, folder: &Path) -> Result<PathBuf, DemoError> {
    let scene = folder.join(NAME);
    if scene.exists() {
        return Ok(scene);
    }
    let above = folder.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(above)?;
    let script = tempfile::Builder::new()
        .prefix("demo_scene")
        .suffix(".py")
        .tempfile_in(above)?;
    std::fs::write(script.path(), SCRIPT)?;
    let out = [Path::new("--out"), folder];
    let mut command = tokio::process::Command::from(engine.running(script.path(), out));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let spawner = Spawner::start()?; // Lives until the child has ended.
    let output = spawner.spawn(command).await?.wait_with_output().await?;
    if scene.exists() && output.status.success() {
        return Ok(scene);
    }
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(DemoError::Blender {
        status: output.status,
        said: lines[lines.len().saturating_sub(5)..].join(" / "),
    })
}
