//! Bringing an agent what it lacks of a scene. Each node is sent each blob once, and goes on where it broke off;
//! where other nodes have the scene already, it gets it from them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, SeekFrom};
use std::sync::{Mutex, PoisonError};

use farmhand_protocol::agent::PullBlobs;
use farmhand_protocol::{BlobHash, Manifest, SceneHash};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncSeekExt;
use tokio::sync::{Notify, Semaphore};
use tokio_util::io::ReaderStream;

use crate::agent::{AgentLink, CallError, Held};
use crate::blobs::{Blobs, SceneError};

/// Why a scene did not reach an agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Scene(#[from] SceneError),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Bytes that had to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Travelled {
    /// From here.
    pub(crate) sent: u64,
    /// From other nodes.
    pub(crate) pulled: u64,
}

const ASKED_AT_A_TIME: usize = 8;
const SENT_AT_A_TIME: usize = 3;
/// Nodes that are sent a scene from here at a time; others wait to get it from one of these.
const SERVED_AT_A_TIME: usize = 3;
/// Other nodes that one is told of.
const MOST_SOURCES: usize = 3;
/// Smaller scenes are sent sooner than a node has asked others for them.
const WORTH_A_PEER: u64 = 1 << 20;
/// Bytes read from the disk at a time.
const BLOCK: usize = 1 << 20;

/// Which nodes have which scenes, and how many are sent one from here.
#[derive(Debug)]
pub(crate) struct Homes {
    at: Mutex<BTreeMap<SceneHash, BTreeSet<String>>>,
    arrived: Notify,
    served: Semaphore,
}

impl Default for Homes {
    fn default() -> Self {
        Self {
            at: Mutex::default(),
            arrived: Notify::new(),
            served: Semaphore::new(SERVED_AT_A_TIME),
        }
    }
}

impl Homes {
    /// A node has a scene.
    pub(crate) fn add(&self, scene: SceneHash, address: &str) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.entry(scene).or_default().insert(address.to_owned());
        self.arrived.notify_waiters();
    }

    /// What a node has is not known any more.
    pub(crate) fn forget(&self, address: &str) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.retain(|_, homes| {
            homes.remove(address);
            !homes.is_empty()
        });
    }

    /// Nodes that have a scene, beginning behind the asking one: so not everyone asks the same.
    fn of(&self, scene: SceneHash, asking: &str) -> Vec<String> {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(homes) = at.get(&scene) else {
            return Vec::new();
        };
        let behind = homes.range::<str, _>((std::ops::Bound::Excluded(asking), std::ops::Bound::Unbounded));
        let before = homes.iter().filter(|home| home.as_str() < asking);
        behind.chain(before).take(MOST_SOURCES).cloned().collect()
    }
}

/// Brings a scene to an agent that may know it.
pub(crate) async fn bring_scene(
    agent: &AgentLink,
    blobs: &Blobs,
    homes: &Homes,
    scene: SceneHash,
) -> Result<Travelled, UploadError> {
    if agent.held(scene.into()).await? == Held::Whole {
        return Ok(Travelled::default()); // What it lacks all the same it names when it refuses the batch.
    }
    let manifest = blobs.whole_scene(scene).await?;
    let hashes: BTreeSet<BlobHash> = manifest.files().values().map(|file| file.hash).collect();
    let hashes: Vec<BlobHash> = hashes.into_iter().collect();
    let travelled = loop {
        let mut arrived = std::pin::pin!(homes.arrived.notified());
        arrived.as_mut().enable(); // From here on no arrival is missed.
        let sources = sources(homes, &manifest, scene, agent);
        if !sources.is_empty() {
            break pull(agent, blobs, hashes, sources).await?;
        }
        tokio::select! {
            served = homes.served.acquire() => {
                let _until_it_is_sent = served;
                break bring_blobs(agent, blobs, hashes).await?;
            }
            () = arrived => {}
        }
    };
    // Last, so that an agent with a manifest has its files.
    let last = send(agent, blobs, scene.into(), 0).await?;
    Ok(Travelled {
        sent: travelled.sent + last,
        ..travelled
    })
}

fn sources(homes: &Homes, manifest: &Manifest, scene: SceneHash, agent: &AgentLink) -> Vec<String> {
    if manifest.size() < WORTH_A_PEER {
        return Vec::new();
    }
    homes.of(scene, agent.address())
}

/// Has an agent get blobs from others, and sends what they do not give.
async fn pull(
    agent: &AgentLink,
    blobs: &Blobs,
    hashes: Vec<BlobHash>,
    sources: Vec<String>,
) -> Result<Travelled, UploadError> {
    let request = PullBlobs {
        blobs: hashes.clone(),
        sources,
    };
    let (missing, pulled) = match agent.pull(&request).await {
        Ok(pulled) => (pulled.missing, pulled.bytes),
        Err(CallError::Refused(_)) => (hashes, 0), // An agent of an earlier version.
        Err(error) => return Err(error.into()),
    };
    let rest = bring_blobs(agent, blobs, missing).await?;
    Ok(Travelled { pulled, ..rest })
}

/// Sends an agent those of these blobs that it lacks.
pub(crate) async fn bring_blobs(
    agent: &AgentLink,
    blobs: &Blobs,
    hashes: Vec<BlobHash>,
) -> Result<Travelled, UploadError> {
    let lacking = stream::iter(hashes)
        .map(|hash| async move { Ok::<_, UploadError>((hash, agent.held(hash).await?)) })
        .buffer_unordered(ASKED_AT_A_TIME);
    let sent = lacking.map_ok(|(hash, held)| async move {
        match held {
            Held::Part(from) => send(agent, blobs, hash, from).await,
            Held::Whole => Ok(0),
        }
    });
    let sent = sent
        .try_buffer_unordered(SENT_AT_A_TIME)
        .try_fold(0, |sum, bytes| async move { Ok(sum + bytes) })
        .await?;
    Ok(Travelled { sent, pulled: 0 })
}

async fn send(agent: &AgentLink, blobs: &Blobs, hash: BlobHash, from: u64) -> Result<u64, UploadError> {
    let disk = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SceneError::Missing(vec![hash]),
        _ => SceneError::Disk(error),
    };
    let (mut file, size) = blobs.open_blob(hash).await.map_err(disk)?;
    let from = if from > size { 0 } else { from };
    file.seek(SeekFrom::Start(from)).await.map_err(disk)?;
    let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, BLOCK));
    agent.put_blob(hash, from, size, body).await?;
    Ok(size - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_want_a_scene_ask_different_others_for_it() {
        let homes = Homes::default();
        let scene = SceneHash::of(b"castle");
        for address in ["a", "c", "e", "g", "i"] {
            homes.add(scene, address);
        }
        assert_eq!(homes.of(scene, "d"), ["e", "g", "i"]);
        assert_eq!(homes.of(scene, "h"), ["i", "a", "c"]);
        homes.forget("i");
        assert_eq!(homes.of(scene, "h"), ["a", "c", "e"]);
        assert!(homes.of(SceneHash::of(b"tower"), "h").is_empty());
    }
}
