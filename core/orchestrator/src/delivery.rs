//! Bringing a finished frame home: fetched beside its place, verified, on disk for good, then under its name.
//! Must not know whether anyone still wants the frame: who calls drops the future when nobody does.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use farmhand_protocol::agent::{FinishedFrame, FrameFile};
use farmhand_protocol::{BatchKey, BlobHash, NodeId, TreePath};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use crate::agent::{AgentLink, CallError};
use crate::output::{OutputError, make_below};

/// A finished frame and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// Who rendered it.
    pub(crate) node: NodeId,
    pub(crate) key: BatchKey,
    /// The job's folder.
    pub(crate) folder: PathBuf,
    /// What the pictures' names start with.
    pub(crate) stem: String,
    /// The frame and its files in the agent's spool.
    pub(crate) finished: FinishedFrame,
}

/// Why a frame is not home.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// The agent does not have what it promised: the attempt is lost.
    #[error("{0}")]
    NotAsPromised(String),
    /// The way to the agent: trying again may help.
    #[error(transparent)]
    Way(CallError),
    /// Our own disk: the frame is not to blame.
    #[error("cannot write {path}: {source}")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Something lies where the pictures' folder should be.
    #[error(transparent)]
    Folder(#[from] OutputError),
}

/// Start and end of the names of unfinished files. They do not end as pictures do.
const PART: (&str, &str) = (".farmhand-", ".part");

/// All files of a frame, on disk beside their places. Dropped, they are gone.
#[derive(Debug)]
pub(crate) struct Fetched {
    parts: Vec<Part>,
    /// What they are to be called, relative to the job's folder.
    files: Vec<FrameFile>,
}

/// Fetches all files of a frame.
pub(crate) async fn fetch_files(agent: &AgentLink, parcel: &Parcel) -> Result<Fetched, DeliveryError> {
    let files = parcel
        .finished
        .files
        .iter()
        .map(|file| homeward(&parcel.stem, file))
        .collect::<Result<Vec<FrameFile>, DeliveryError>>()?;
    let folder = parcel.folder.clone();
    off_thread(move || make_folder(&folder)).await?;
    let mut parts = Vec::new();
    for file in &parcel.finished.files {
        parts.push(fetch(agent, parcel, file).await?);
    }
    Ok(Fetched { parts, files })
}

/// Puts fetched files under their names. The answer has their paths relative to the job's folder.
pub(crate) async fn put_in_place(parcel: &Parcel, fetched: Fetched) -> Result<FinishedFrame, DeliveryError> {
    let Fetched { parts, files } = fetched;
    let (folder, targets) = (parcel.folder.clone(), files.clone());
    off_thread(move || settle(&folder, &parts, &targets)).await?;
    Ok(FinishedFrame {
        files,
        ..parcel.finished.clone()
    })
}

/// The name of a file at home: `0007.png` of the job `castle` is `castle_0007.png`.
fn homeward(stem: &str, file: &FrameFile) -> Result<FrameFile, DeliveryError> {
    let path = file.path.as_str();
    let name: Result<TreePath, _> = if path.contains('/') {
        path.parse()
    } else {
        format!("{stem}_{path}").parse()
    };
    let name = name.map_err(|error| DeliveryError::NotAsPromised(error.to_string()))?;
    Ok(FrameFile {
        path: name,
        ..file.clone()
    })
}

/// An unfinished file, gone when it is dropped before it has its name.
#[derive(Debug)]
struct Part {
    path: PathBuf,
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing under this name any more.
        let _gone_already = fs::remove_file(&self.path);
    }
}

async fn fetch(agent: &AgentLink, parcel: &Parcel, file: &FrameFile) -> Result<Part, DeliveryError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let frame = parcel.finished.frame;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}{}-{frame}-{count}{}", PART.0, parcel.key.batch, PART.1);
    let path = parcel.folder.join(name);
    let mut chunks = Box::pin(agent.file(parcel.key, frame, &file.path).await.map_err(refused)?);
    let disk = |source| DeliveryError::Disk {
        path: path.clone(),
        source,
    };
    // `create_new` follows no link that someone may have put there.
    let mut output = tokio::fs::File::create_new(&path).await.map_err(disk)?;
    let part = Part { path: path.clone() };
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(DeliveryError::Way)?;
        hasher.update(&chunk);
        size += chunk.len() as u64;
        if size > file.size {
            break;
        }
        output.write_all(&chunk).await.map_err(disk)?;
    }
    if size != file.size || BlobHash::from(hasher.finalize()) != file.hash {
        return Err(DeliveryError::NotAsPromised(format!(
            "{} arrived as other bytes than the node promised",
            file.path
        )));
    }
    output.flush().await.map_err(disk)?;
    output.sync_all().await.map_err(disk)?;
    Ok(part)
}

fn refused(error: CallError) -> DeliveryError {
    match error {
        CallError::Refused(problem) if (400..500).contains(&problem.status) && problem.status != 401 => {
            DeliveryError::NotAsPromised(format!("the node no longer has it: {}", problem.detail))
        }
        CallError::Refused(_) | CallError::Unreachable { .. } | CallError::Unreadable { .. } => {
            DeliveryError::Way(error)
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), DeliveryError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(OutputError::NotAFolder(folder.to_owned()).into()),
        Err(_) => fs::create_dir_all(folder).map_err(|source| DeliveryError::Disk {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// Gives whole files their names and makes the names durable.
fn settle(folder: &Path, parts: &[Part], files: &[FrameFile]) -> Result<(), DeliveryError> {
    let mut folders = vec![folder.to_owned()];
    for (part, file) in parts.iter().zip(files) {
        let mut names: Vec<&str> = file.path.as_str().split('/').collect();
        names.pop();
        let within = make_below(folder, &names)?;
        let target = folder.join(file.path.as_str());
        fs::rename(&part.path, &target).map_err(|source| DeliveryError::Disk { path: target, source })?;
        let between = within.ancestors().take_while(|path| *path != folder);
        folders.extend(between.map(Path::to_owned));
    }
    folders.sort_unstable();
    folders.dedup();
    for folder in folders.iter().rev() {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| DeliveryError::Disk {
            path: folder.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Removes unfinished files that a crash left in a job's folder.
pub(crate) fn clear_parts(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_part(&entry.file_name())
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "cannot remove an unfinished file");
        }
    }
}

/// Whether an unfinished file is called so.
pub(crate) fn is_part(name: &std::ffi::OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with(PART.0) && name.ends_with(PART.1))
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeliveryError> + Send + 'static,
) -> Result<T, DeliveryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(DeliveryError::Way(CallError::Unreachable {
            address: "the disk".to_owned(),
            cause: "the orchestrator is stopping".to_owned(),
        })),
    }
}
