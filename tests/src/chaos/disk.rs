//! Small disks that can be filled: a tmpfs each, so that no real disk is touched. Needs root.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk of its own, unmounted with the value.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Mounts so many MiB at `folder`; where that is not allowed it is an ordinary folder, see [`Self::is_small`].
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub(super) fn mount(folder: &Path, mebibytes: u32) -> Self {
        fs::create_dir_all(folder).expect("a folder in a temporary one can be made");
        let size = format!("size={mebibytes}m");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "farmhand-test"])
            .arg(folder)
            .output();
        Self {
            folder: folder.to_owned(),
            mounted: done.is_ok_and(|output| output.status.success()),
        }
    }

    /// Whether it can be filled without harm to others.
    pub(super) fn is_small(&self) -> bool {
        self.mounted
    }

    /// Fills it to the last byte.
    pub(super) fn fill(&self) {
        if !self.mounted {
            return;
        }
        let Ok(mut file) = File::create(self.ballast()) else {
            return;
        };
        let piece = vec![0_u8; 1 << 16];
        // First in large pieces, then in bytes, until nothing more goes in.
        while file.write_all(&piece).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// Makes room again.
    pub(super) fn clear(&self) {
        let _not_there = fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join(".ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a process that is just dying may still have a file open.
            let _done = Command::new("umount").arg("-l").arg(&self.folder).output();
        }
    }
}
