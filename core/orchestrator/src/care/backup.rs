//! Copies what a farm needs to go on elsewhere: the journal as of one moment, and the scenes of its jobs. Pictures
//! are where they are, and the token is a secret of its own: neither is part of it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::sqlite;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Length of the journal's copy in bytes.
    pub journal_bytes: u64,
    /// Files of scenes that were copied; those that were there already are not counted.
    pub blobs: usize,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to back up.
    #[error("there is no farm in {0}")]
    NoFarm(PathBuf),
    /// The journal cannot be copied.
    #[error("cannot copy the journal {path}: {source}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What the store said.
        source: rusqlite::Error,
    },
    /// The system refused.
    #[error("cannot write the backup {path}: {source}")]
    Disk {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes `to` a data folder with which `farmhand serve --data` goes on where the farm was at this moment. A folder
/// that holds an earlier backup is brought up to date, and is whole at every moment.
///
/// # Errors
/// When something cannot be read or written.
pub fn back_up(data: &Path, to: &Path) -> Result<Backup, BackupError> {
    let journal = data.join("farm.db");
    if !journal.is_file() {
        return Err(BackupError::NoFarm(data.to_owned()));
    }
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Disk { path, source }
    };
    fs::create_dir_all(to).map_err(disk(to))?;
    // Scenes first: a journal must not name one that is not there. One that comes meanwhile is of a job that the
    // journal's copy may know: so once more behind it.
    let mut blobs = copy_new(&data.join("blobs"), &to.join("blobs")).map_err(disk(to))?;
    let new = to.join("farm.db.new");
    remove_if_there(&new).map_err(disk(&new))?;
    sqlite::copy(&journal, &new).map_err(|source| BackupError::Journal {
        path: journal.clone(),
        source,
    })?;
    blobs += copy_new(&data.join("blobs"), &to.join("blobs")).map_err(disk(to))?;
    let settled = || -> io::Result<u64> {
        let file = File::open(&new)?;
        file.sync_all()?;
        // What an orchestrator that ran on the backup has left belongs to the journal that goes.
        for old in ["farm.db-wal", "farm.db-shm"] {
            remove_if_there(&to.join(old))?;
        }
        fs::rename(&new, to.join("farm.db"))?;
        File::open(to)?.sync_all()?;
        Ok(file.metadata()?.len())
    };
    Ok(Backup {
        journal_bytes: settled().map_err(disk(to))?,
        blobs,
    })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies files two levels deep that are not there yet; a blob of the same name has the same content.
fn copy_new(from: &Path, to: &Path) -> io::Result<usize> {
    let mut copied = 0;
    if !from.is_dir() {
        return Ok(0);
    }
    for entry in fs::read_dir(from)? {
        let folder = entry?.path();
        let Some(name) = folder.file_name().filter(|_| folder.is_dir()) else {
            continue;
        };
        let target = to.join(name);
        fs::create_dir_all(&target)?;
        for blob in fs::read_dir(&folder)? {
            let blob = blob?;
            let place = target.join(blob.file_name());
            if place.is_file() {
                continue;
            }
            let part = target.join("part");
            fs::copy(blob.path(), &part)?;
            File::open(&part)?.sync_all()?;
            fs::rename(&part, &place)?;
            copied += 1;
        }
        File::open(&target)?.sync_all()?;
    }
    Ok(copied)
}
