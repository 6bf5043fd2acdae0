//! What the inspector asks of a disk, so that it can be asked of a pretended one.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// A disk, or what stands for one.
pub(crate) trait Disk {
    /// An open file.
    type File: Read + Seek;

    /// Opens a regular file for reading.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Whether there is a regular file.
    fn has_file(&self, path: &Path) -> bool;
    /// Whether there is a folder.
    fn has_folder(&self, path: &Path) -> bool;
    /// The names in a folder, sorted, up to `most`; none where it cannot be read.
    fn names_in(&self, folder: &Path, most: usize) -> Vec<PathBuf>;
    /// The one path of a file that has several.
    fn real_path(&self, path: &Path) -> PathBuf;
}

/// This machine's.
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    type File = File;

    /// A pipe could keep us waiting for ever, so it is refused.
    fn open(&self, path: &Path) -> io::Result<File> {
        let kind = fs::metadata(path)?;
        if !kind.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        File::open(path)
    }

    fn has_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn has_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn names_in(&self, folder: &Path, most: usize) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut names: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().into()))
            .take(most)
            .collect();
        names.sort_unstable();
        names
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }
}
