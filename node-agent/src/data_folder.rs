//! The agent's data folder: one agent at a time, and the node's id for as long as the folder lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use farmhand_protocol::NodeId;
use uuid::Uuid;

use crate::durable;

/// A locked data folder. Others find it taken until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    id: NodeId,
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process holds it.
    #[error("the data folder {0} is in use by another agent: give this one its own with --data DIR")]
    Taken(PathBuf),
    /// Its id file was changed by someone.
    #[error("{0} does not hold a node id: remove it, and the node gets a new id")]
    BadId(PathBuf),
    /// The system refused.
    #[error("cannot use the data folder {path}: name a folder that can be written with --data DIR")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl DataFolder {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// # Errors
    /// When it is taken, or cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, DataFolderError> {
        let io = |source| DataFolderError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(io)?;
        let path = path.canonicalize().map_err(io)?;
        let lock = File::create(path.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataFolderError::Taken(path)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let id = node_id(&path.join("node-id"))?;
        Ok(Self {
            path,
            id,
            _lock: lock,
        })
    }

    /// Where it is, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The node's id.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }
}

fn node_id(path: &Path) -> Result<NodeId, DataFolderError> {
    let io = |source| DataFolderError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| DataFolderError::BadId(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = NodeId(Uuid::new_v4());
            durable::write(path, format!("{id}\n").as_bytes(), true).map_err(io)?;
            Ok(id)
        }
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_agent_at_a_time_and_keeps_its_nodes_id() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&dir.path().join("a/b")).unwrap();
        let taken = DataFolder::open(folder.path()).unwrap_err();
        assert!(matches!(taken, DataFolderError::Taken(_)), "{taken}");
        let (id, path) = (folder.id(), folder.path().to_owned());
        drop(folder);
        assert_eq!(DataFolder::open(&path).unwrap().id(), id);
    }
}
