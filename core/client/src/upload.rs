//! Uploading what the farm lacks of a scene, several files at a time.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use farmhand_protocol::BlobHash;
use futures_util::{StreamExt, TryStreamExt, stream};
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

pub(crate) async fn upload(
    farm: &FarmClient,
    scene: &PackedScene,
    progress: &(impl Fn(Upload) + Sync),
) -> Result<Upload, UploadError> {
    let manifest = Bytes::from(scene.manifest().encode());
    let manifest_hash = BlobHash::from(scene.hash());
    let all = scene.sources();
    let missing: Vec<(BlobHash, &PathBuf, u64)> = stream::iter(all)
        .map(|(hash, (path, size))| async move {
            let known = again(|| farm.has_blob(*hash)).await;
            let known = known.map_err(|source| UploadError::Call {
                path: path.clone(),
                source,
            })?;
            Ok((!known).then_some((*hash, path, *size)))
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
    let change = |how: &dyn Fn(&mut Upload)| {
        let mut state = state.lock().expect("no thread panics while it holds this");
        how(&mut state);
        progress(*state);
    };
    change(&|_| ());
    stream::iter(missing)
        .map(|(hash, path, size)| {
            let change = &change;
            async move {
                send_file(farm, hash, path, size, change).await?;
                change(&|state| state.sent += 1);
                Ok(())
            }
        })
        .buffer_unordered(SENT_AT_A_TIME)
        .try_collect::<()>()
        .await?;
    // Last, so that whoever has a manifest has its files.
    let put = || {
        let size = manifest.len() as u64;
        farm.put_blob(manifest_hash, size, manifest.clone().into())
    };
    again(put).await.map_err(|source| UploadError::Call {
        path: scene.root().to_owned(),
        source,
    })?;
    let done = *state.lock().expect("no thread panics while it holds this");
    Ok(done)
}

async fn send_file(
    farm: &FarmClient,
    hash: BlobHash,
    path: &PathBuf,
    size: u64,
    change: &(impl Fn(&dyn Fn(&mut Upload)) + Sync),
) -> Result<(), UploadError> {
    let mut tries = 1;
    loop {
        let file = tokio::fs::File::open(path).await;
        let file = file.map_err(|source| UploadError::Unreadable {
            path: path.clone(),
            source,
        })?;
        // The body outlives this borrow, so what it has sent is counted through a channel.
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        let chunks = ReaderStream::with_capacity(file, 256 << 10).inspect_ok(move |chunk: &Bytes| {
            let _nobody_counts = count.send(chunk.len() as u64);
        });
        let mut call = std::pin::pin!(farm.put_blob(hash, size, reqwest::Body::wrap_stream(chunks)));
        let mut sent = 0;
        let mut counting = true;
        let ended = loop {
            tokio::select! {
                ended = &mut call => break ended,
                bytes = counted.recv(), if counting => match bytes {
                    Some(bytes) => {
                        sent += bytes;
                        change(&|state| state.sent_bytes += bytes);
                    }
                    None => counting = false,
                },
            }
        };
        match ended {
            Ok(()) => {
                change(&|state| state.sent_bytes += size.saturating_sub(sent));
                return Ok(());
            }
            Err(source) => {
                change(&|state| state.sent_bytes -= sent);
                if tries == TRIES || !source.is_passing() {
                    return Err(UploadError::Call {
                        path: path.clone(),
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

fn count(files: usize) -> u32 {
    u32::try_from(files).unwrap_or(u32::MAX)
}
