//! Holding a data folder: at most one orchestrator at a time, and a note that says which.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A data folder that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    folder: PathBuf,
    _lock: File,
}

/// What an orchestrator writes to `orchestrator.json` while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Where it listens, `127.0.0.1:4000`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// Whether it speaks https there.
    #[serde(default)]
    pub https: bool,
}

/// Why a data folder cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Another orchestrator has it.
    #[error("{} is held by {}", .folder.display(), words(.holder.as_ref()))]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Who holds it, where it has said so.
        holder: Option<Holder>,
    },
    /// The system refused.
    #[error("cannot use the data folder {}: {source}", .path.display())]
    Io {
        /// What could not be made or opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn words(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => format!("the orchestrator on {} (process {})", holder.address, holder.pid),
        None => "another orchestrator".to_owned(),
    }
}

impl Hold {
    /// Makes the folder where it is missing, and takes its lock.
    pub(crate) fn take(folder: &Path) -> Result<Self, HoldError> {
        let io = |path: &Path, source| HoldError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        let path = folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| io(&path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(HoldError::Held {
                folder: folder.to_owned(),
                holder: noted(folder),
            }),
            Err(TryLockError::Error(source)) => Err(io(&path, source)),
        }
    }

    /// Says who holds it, for others to connect to.
    pub(crate) fn note(&self, address: SocketAddr, https: bool) -> Result<(), HoldError> {
        let holder = Holder {
            address: address.to_string(),
            pid: std::process::id(),
            https,
        };
        let path = self.folder.join(NOTE);
        let part = self.folder.join("orchestrator.json.part");
        let text = serde_json::to_vec(&holder).expect("three plain fields");
        // Renamed into place, so that nobody reads half of it.
        fs::write(&part, text)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|source| HoldError::Io { path, source })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _nobody_needs_it = fs::remove_file(self.folder.join(NOTE));
    }
}

const NOTE: &str = "orchestrator.json";

fn noted(folder: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_orchestrator_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        let first = Hold::take(&data).unwrap();
        first.note("127.0.0.1:4000".parse().unwrap(), false).unwrap();
        let error = Hold::take(&data).unwrap_err().to_string();
        assert!(
            error.contains(&format!("127.0.0.1:4000 (process {})", std::process::id())),
            "{error}"
        );
        drop(first);
        assert!(!data.join("orchestrator.json").exists());
        Hold::take(&data).unwrap();
    }
}
