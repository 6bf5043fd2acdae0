//! Uploading what the farm lacks of a scene, several files at a time.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use farmhand_protocol::BlobHash;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncSeekExt;
use tokio_util::io::ReaderStream;

use crate::{CallError, FarmClient, PackedScene};

/// How far an upload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upload {
    /// Files that the farm had already.
    pub known: u32,
    /// Files that must be sent.
    pub files: u32,
    /// Of these, sent.
    pub sent: u32,
    /// Bytes that must be sent.
    pub bytes: u64,
    /// Of these, sent; grows as they leave.
    pub sent_bytes: u64,
}

/// Why an upload did not end.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The farm did not take it.
    #[error("cannot upload {path}: {source}")]
    Call {
        /// Which file.
        path: PathBuf,
        /// What the farm said.
        source: CallError,
    },
    /// A file that was there when it was hashed.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

const ASKED_AT_A_TIME: usize = 16;
const SENT_AT_A_TIME: usize = 4;
const TRIES: u32 = 4;
/// Bytes read from the disk at a time.
const BLOCK: usize = 1 << 20;

pub(crate) async fn upload(
    farm: &FarmClient,
    scene: &PackedScene,
    progress: &(impl Fn(Upload) + Sync),
) -> Result<Upload, UploadError> {
    let manifest = Bytes::from(scene.manifest().encode());
    let manifest_hash = BlobHash::from(scene.hash());
    let all = scene.sources();
    let files = all
        .iter()
        .map(|(hash, (path, size))| (*hash, path.clone(), *size));
    let missing: Vec<(BlobHash, PathBuf, u64)> = stream::iter(files.collect::<Vec<_>>())
        .map(|(hash, path, size)| async move {
            let asked = again(|| farm.has_blob(hash)).await;
            match asked {
                Ok(true) => Ok(None),
                Ok(false) => Ok(Some((hash, path, size))),
                Err(source) => Err(UploadError::Call { path, source }),
            }
        })
        .buffer_unordered(ASKED_AT_A_TIME)
        .try_filter_map(|missing| async move { Ok(missing) })
        .try_collect()
        .await?;
    let state = Mutex::new(Upload {
        known: count(all.len() - missing.len()),
        files: count(missing.len()),
        sent: 0,
        bytes: missing.iter().map(|(_, _, size)| size).sum(),
        sent_bytes: 0,
    });
    let tally = Tally { state, progress };
    let tally = &tally;
    tally.add(0, 0);
    stream::iter(missing)
        .map(|(hash, path, size)| async move {
            send_file(farm, hash, &path, size, tally).await?;
            tally.add(1, 0);
            Ok(())
        })
        .buffer_unordered(SENT_AT_A_TIME)
        .try_collect::<()>()
        .await?;
    // Last, so that whoever has a manifest has its files.
    let put = || {
        let size = manifest.len() as u64;
        farm.put_blob(manifest_hash, 0, size, manifest.clone().into())
    };
    again(put).await.map_err(|source| UploadError::Call {
        path: scene.root().to_owned(),
        source,
    })?;
    Ok(tally.add(0, 0))
}

/// What was sent, told on as it grows.
struct Tally<'p, P> {
    state: Mutex<Upload>,
    progress: &'p P,
}

impl<P: Fn(Upload) + Sync> Tally<'_, P> {
    /// Counts files and bytes; bytes are taken back where a try has failed.
    fn add(&self, files: u32, bytes: i64) -> Upload {
        let now = {
            let mut state = self.state.lock().expect("no thread panics while it holds this");
            state.sent += files;
            state.sent_bytes = state.sent_bytes.saturating_add_signed(bytes);
            *state
        };
        (self.progress)(now);
        now
    }
}

async fn send_file<P: Fn(Upload) + Sync>(
    farm: &FarmClient,
    hash: BlobHash,
    path: &Path,
    size: u64,
    tally: &Tally<'_, P>,
) -> Result<(), UploadError> {
    let mut tries = 1;
    loop {
        let unreadable = |source| UploadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        // What an earlier try, or an earlier run, has brought there is not sent again.
        let from = match again(|| farm.lacks_from(hash)).await {
            Ok(Some(from)) => from.min(size),
            Ok(None) => size,
            Err(source) => {
                let path = path.to_owned();
                return Err(UploadError::Call { path, source });
            }
        };
        let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        file.seek(SeekFrom::Start(from)).await.map_err(unreadable)?;
        tally.add(0, signed(from));
        // The body outlives this borrow, so what it has sent is counted through a channel.
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        let chunks = ReaderStream::with_capacity(file, BLOCK).inspect_ok(move |chunk: &Bytes| {
            let _nobody_counts = count.send(chunk.len() as u64);
        });
        let mut call = std::pin::pin!(farm.put_blob(hash, from, size, reqwest::Body::wrap_stream(chunks)));
        let mut sent = from;
        let mut counting = true;
        let ended = loop {
            tokio::select! {
                ended = &mut call => break ended,
                bytes = counted.recv(), if counting => match bytes {
                    Some(bytes) => {
                        sent += bytes;
                        tally.add(0, signed(bytes));
                    }
                    None => counting = false,
                },
            }
        };
        match ended {
            Ok(()) => {
                tally.add(0, signed(size.saturating_sub(sent)));
                return Ok(());
            }
            Err(source) => {
                tally.add(0, -signed(sent));
                if tries == TRIES || !source.is_passing() {
                    return Err(UploadError::Call {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(250 << tries)).await;
        tries += 1;
    }
}

/// Makes a small call again where that may help.
async fn again<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> Result<T, CallError> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if tries < TRIES && error.is_passing() => {
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
                tries += 1;
            }
            ended => return ended,
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn count(files: usize) -> u32 {
    u32::try_from(files).unwrap_or(u32::MAX)
}
