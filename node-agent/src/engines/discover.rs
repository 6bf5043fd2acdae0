//! Finding Blenders on this machine.

use std::env;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::EnginePath;

/// What a node without a Blender says.
pub const NO_ENGINE: &str = "this node has no Blender: run `farmhand-agent setup` to get one (Python 3.11 is all it \
     needs), or name one with --blender PATH, then start the agent again";

/// Blenders to try, the preferred first: those named, or where none is named, `blender` on `PATH` and the ones
/// that `farmhand-agent setup` made below `engines`.
pub fn discover(named: &[EnginePath], engines: Option<&Path>) -> Vec<EnginePath> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .map(|folder| folder.join("blender"))
        .find(|program| program.is_file())
        .map(EnginePath::Executable);
    let mut made: Vec<PathBuf> = engines
        .and_then(|folder| folder.read_dir().ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/python")))
        .filter(|python| python.exists())
        .collect();
    made.sort();
    on_path
        .into_iter()
        .chain(made.into_iter().map(EnginePath::Python))
        .collect()
}

/// Where `farmhand-agent setup` keeps Blenders: `farmhand/engines` in the user's data folder. Nothing where
/// the user has no home.
pub fn engines_folder() -> Option<PathBuf> {
    let dirs = etcetera::choose_base_strategy().ok()?;
    Some(dirs.data_dir().join("farmhand/engines"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_blenders_are_the_only_ones_and_a_made_one_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let python = dir.path().join("bpy-5.0.1/bin/python");
        std::fs::create_dir_all(python.parent().unwrap()).unwrap();
        std::fs::write(&python, "").unwrap();
        assert!(discover(&[], Some(dir.path())).contains(&EnginePath::Python(python)));
        let named = ["python:/x/python".parse().unwrap()];
        assert_eq!(discover(&named, Some(dir.path())), named);
    }
}
