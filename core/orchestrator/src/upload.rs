//! Bringing an agent what it lacks of a scene. Each node is sent each blob once.

use std::collections::BTreeMap;

use farmhand_protocol::{BlobHash, SceneHash};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio_util::io::ReaderStream;

use crate::agent::{AgentLink, CallError};
use crate::blobs::{Blobs, SceneError};

/// Why a scene did not reach an agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Scene(#[from] SceneError),
    #[error(transparent)]
    Call(#[from] CallError),
}

const ASKED_AT_A_TIME: usize = 8;
const SENT_AT_A_TIME: usize = 3;

/// Sends a scene to an agent that may know it; returns the bytes that had to travel.
pub(crate) async fn bring_scene(
    agent: &AgentLink,
    blobs: &Blobs,
    scene: SceneHash,
) -> Result<u64, UploadError> {
    if agent.has_blob(scene.into()).await? {
        return Ok(0); // What it lacks all the same it names when it refuses the batch.
    }
    let manifest = blobs.whole_scene(scene).await?;
    let files: BTreeMap<BlobHash, u64> = manifest
        .files()
        .values()
        .map(|file| (file.hash, file.size))
        .collect();
    let sent = bring_blobs(agent, blobs, files.into_keys().collect()).await?;
    // Last, so that an agent with a manifest has its files.
    Ok(sent + send(agent, blobs, scene.into()).await?)
}

/// Sends an agent those of these blobs that it lacks; returns the bytes that had to travel.
pub(crate) async fn bring_blobs(
    agent: &AgentLink,
    blobs: &Blobs,
    hashes: Vec<BlobHash>,
) -> Result<u64, UploadError> {
    let lacking = stream::iter(hashes)
        .map(|hash| async move {
            let known = agent.has_blob(hash).await?;
            Ok::<_, UploadError>((!known).then_some(hash))
        })
        .buffer_unordered(ASKED_AT_A_TIME);
    let sent = lacking.map_ok(|hash| async move {
        match hash {
            Some(hash) => send(agent, blobs, hash).await,
            None => Ok(0),
        }
    });
    sent.try_buffer_unordered(SENT_AT_A_TIME)
        .try_fold(0, |sum, bytes| async move { Ok(sum + bytes) })
        .await
}

async fn send(agent: &AgentLink, blobs: &Blobs, hash: BlobHash) -> Result<u64, UploadError> {
    let (file, size) = match blobs.open_blob(hash).await {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SceneError::Missing(vec![hash]).into());
        }
        Err(error) => return Err(SceneError::Disk(error).into()),
    };
    let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, 256 << 10));
    agent.put_blob(hash, size, body).await?;
    Ok(size)
}
