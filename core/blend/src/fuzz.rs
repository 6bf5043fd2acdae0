//! The whole reader on any bytes: for a fuzzer, and for the corpus that tests replay.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::inspect::inspect_on;

/// Inspects the bytes as a .blend whose libraries are all the same file, on a disk where every other file
/// is missing. Ends soon and never panics, whatever the bytes; returns whether they are a .blend.
pub fn fuzz(bytes: &[u8]) -> bool {
    let head = crate::read_head(bytes).is_ok();
    let whole = inspect_on(&OnlyBlends(bytes), Path::new("/fuzz/main.blend"));
    head && whole.is_ok()
}

struct OnlyBlends<'b>(&'b [u8]);

impl<'b> Disk for OnlyBlends<'b> {
    type File = Cursor<&'b [u8]>;

    fn open(&self, _: &Path) -> io::Result<Self::File> {
        Ok(Cursor::new(self.0))
    }

    fn has_file(&self, path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "blend")
    }

    fn has_folder(&self, path: &Path) -> bool {
        path.extension().is_none()
    }

    fn names_in(&self, folder: &Path, most: usize) -> Vec<PathBuf> {
        let names = ["frame_0001.png", "frame_0002.png", "other.blend"];
        let known = folder.components().count() < 4;
        names
            .iter()
            .filter(|_| known)
            .take(most)
            .map(PathBuf::from)
            .collect()
    }

    /// Many names of one file: a few of them are different files.
    fn real_path(&self, path: &Path) -> PathBuf {
        let length = path.as_os_str().len() % 4;
        PathBuf::from(length.to_string())
    }
}
