//! A wall clock that can be set wrong for one process: libfaketime, told by a file. What measures time spans (the
//! monotonic clock) stays true, as it does when a real machine's clock is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's package `libfaketime` puts it.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// The clock of one process and of those that it starts.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    file: PathBuf,
    library: Option<PathBuf>,
}

impl Clock {
    /// A clock that is right, kept in `file`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub(super) fn new(file: PathBuf) -> Self {
        let library = LIBRARIES.iter().map(Path::new).find(|path| path.is_file());
        let clock = Self {
            file,
            library: library.map(Path::to_owned),
        };
        clock.set_off(0);
        clock
    }

    /// Whether it can be set: libfaketime is installed.
    pub(super) fn is_settable(&self) -> bool {
        self.library.is_some()
    }

    /// Makes a command use it.
    pub(super) fn rule(&self, command: &mut Command) {
        if let Some(library) = &self.library {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", &self.file)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
    }

    /// Steps it so many seconds off the true time; 0 sets it right.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub(super) fn set_off(&self, seconds: i64) {
        // Renamed into place: a clock that is read from half a file would be wrong in another way.
        let half = self.file.with_extension("new");
        fs::write(&half, format!("{seconds:+}\n"))
            .and_then(|()| fs::rename(&half, &self.file))
            .expect("a clock's file can be written");
    }
}
