//! Bringing a job's frames and films to this machine's own disk: resumable, each file verified by its hash, and under
//! its name only when whole.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::FrameState;
use farmhand_protocol::{BlobHash, Frame, JobId, TreePath};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use crate::{CallError, FarmClient};

/// What one pass of fetching has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Files that came over the wire.
    pub files: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Files that lay there already, whole.
    pub known: u32,
}

/// Why frames could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The farm did not give it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What came is not what the farm has.
    #[error("{path} arrived damaged; try again")]
    Damaged {
        /// Which file.
        path: TreePath,
    },
    /// Our own disk's fault.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Brings the frames of one job to one folder, pass by pass: each brings what was delivered since.
#[derive(Debug)]
pub struct FrameFetcher {
    farm: FarmClient,
    job: JobId,
    folder: PathBuf,
    films: Vec<FrameFile>,
    have: HashSet<(TreePath, BlobHash)>,
}

/// What a file belongs to.
#[derive(Debug, Clone, Copy)]
enum Of {
    Frame(Frame),
    Job,
}

impl FrameFetcher {
    /// Frames of `job` into `folder`, which is made when needed. What lies there whole is not fetched again.
    pub fn new(farm: FarmClient, job: JobId, folder: PathBuf) -> Self {
        Self {
            farm,
            job,
            folder,
            films: Vec::new(),
            have: HashSet::new(),
        }
    }

    /// Brings these films too, from the next pass on.
    pub fn and_films(&mut self, films: Vec<FrameFile>) {
        self.films = films;
    }

    /// Brings every delivered frame that is not there. `progress` is told after each file.
    ///
    /// # Errors
    /// At the first file that cannot be had or written; what was brought stays, and the next pass goes on.
    pub async fn pass(&mut self, mut progress: impl FnMut(Fetched)) -> Result<Fetched, FetchError> {
        make_folder(&self.folder).await?;
        let mut fetched = Fetched::default();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.farm.frames_page(self.job, cursor.as_deref()).await?;
            for frame in page
                .items
                .iter()
                .filter(|frame| frame.state == FrameState::Delivered)
            {
                for file in &frame.files {
                    self.bring_new(Of::Frame(frame.frame), file, &mut fetched, &mut progress)
                        .await?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for film in self.films.clone() {
            self.bring_new(Of::Job, &film, &mut fetched, &mut progress)
                .await?;
        }
        Ok(fetched)
    }

    async fn bring_new(
        &mut self,
        of: Of,
        file: &FrameFile,
        fetched: &mut Fetched,
        progress: &mut impl FnMut(Fetched),
    ) -> Result<(), FetchError> {
        if self.have.contains(&(file.path.clone(), file.hash)) {
            return Ok(());
        }
        let target = self.folder.join(file.path.as_str());
        if is_there(target.clone(), file.clone()).await {
            fetched.known += 1;
        } else {
            self.bring(of, file, &target).await?;
            fetched.files += 1;
            fetched.bytes += file.size;
        }
        self.have.insert((file.path.clone(), file.hash));
        progress(*fetched);
        Ok(())
    }

    async fn bring(&self, of: Of, file: &FrameFile, target: &Path) -> Result<(), FetchError> {
        let write = |path: &Path| {
            let path = path.to_owned();
            move |source| FetchError::Write { path, source }
        };
        if let Some(folder) = target.parent() {
            make_folder(folder).await?;
        }
        let mut partial = target.as_os_str().to_owned();
        partial.push(".partial"); // No picture's extension, so nobody takes it for a frame.
        let partial = PathBuf::from(partial);
        let path = file.path.as_str();
        let response = match of {
            Of::Frame(frame) => self.farm.frame_file(self.job, frame, Some(path)).await?,
            Of::Job => self.farm.film_file(self.job, path).await?,
        };
        let mut output = tokio::fs::File::create(&partial).await.map_err(write(&partial))?;
        let mut hasher = blake3::Hasher::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| CallError::unreachable(self.farm.address(), &error))?;
            hasher.update(&chunk);
            output.write_all(&chunk).await.map_err(write(&partial))?;
        }
        if BlobHash::from(hasher.finalize()) != file.hash {
            let _left_behind_is_harmless = tokio::fs::remove_file(&partial).await;
            return Err(FetchError::Damaged {
                path: file.path.clone(),
            });
        }
        output.flush().await.map_err(write(&partial))?;
        output.sync_all().await.map_err(write(&partial))?;
        tokio::fs::rename(&partial, target).await.map_err(write(target))
    }
}

async fn make_folder(folder: &Path) -> Result<(), FetchError> {
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|source| FetchError::Write {
            path: folder.to_owned(),
            source,
        })
}

/// Whether the file lies there with the right content.
async fn is_there(path: PathBuf, file: FrameFile) -> bool {
    let compare = move || -> io::Result<bool> {
        if std::fs::metadata(&path)?.len() != file.size {
            return Ok(false);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(&path)?)?;
        Ok(BlobHash::from(hasher.finalize()) == file.hash)
    };
    matches!(tokio::task::spawn_blocking(compare).await, Ok(Ok(true)))
}
