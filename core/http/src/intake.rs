//! Taking large bodies in under the hash of their content: verified while they stream, each there whole or not
//! at all, and resumable: what has arrived stays when the sender or this process dies, and the next sender goes
//! on from there. Must not know what the bytes are for.
//!
//! A sender asks `HEAD /v1/blobs/{hash}`: 404 carries [`RECEIVED_HEADER`]. It then sends the rest with
//! `Content-Range: bytes FROM-LAST/SIZE`, or with `bytes */SIZE` and no body where all has arrived.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use farmhand_protocol::BlobHash;
use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedMutexGuard, mpsc};

use crate::Reject;

/// Header of a 404 to `HEAD /v1/blobs/{hash}`: so many bytes of it have arrived.
pub const RECEIVED_HEADER: &str = "farmhand-received";

/// What broke off so long ago is not waited for any more.
const STALE: Duration = Duration::from_hours(7 * 24);
/// Bytes that are hashed and written at a time.
const BLOCK: usize = 1 << 20;
/// Chunks that may wait for the disk.
const CHUNKS_AHEAD: usize = 64;

/// Half-received blobs below one folder.
#[derive(Debug)]
pub struct Intake {
    folder: PathBuf,
    under_way: Mutex<HashMap<BlobHash, Arc<tokio::sync::Mutex<()>>>>,
}

/// Which part of a blob a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Where it begins.
    pub from: u64,
    /// Length of the whole blob in bytes, where that was said.
    pub size: Option<u64>,
}

/// Why a blob was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The bytes are other ones than the name says.
    #[error(
        "the content hashes to {found}, not to {named}: it was changed or cut off on the way, send it again"
    )]
    WrongHash {
        /// The name it was sent under.
        named: BlobHash,
        /// What it is.
        found: BlobHash,
    },
    /// The sender began elsewhere than where the last one ended.
    #[error("{received} bytes of it have arrived: go on from there, or send it from its start")]
    WrongOffset {
        /// What has arrived.
        received: u64,
    },
    /// The sender stopped; what has arrived stays.
    #[error("the content ended early: {0}")]
    BrokenOff(String),
    /// There is a bound, and this is above it.
    #[error("no room: {room} bytes of the quota are left")]
    OverQuota {
        /// What would still fit.
        room: u64,
    },
    /// The disk refused.
    #[error("cannot store the blob: {0}")]
    Disk(#[from] io::Error),
}

/// The right to receive one blob; nobody else receives it meanwhile.
#[derive(Debug)]
pub struct Entry<'a> {
    intake: &'a Intake,
    hash: BlobHash,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Part {
    /// Reads `Content-Range` and `Content-Length`.
    ///
    /// # Errors
    /// When a range makes no sense.
    pub fn of(headers: &HeaderMap) -> Result<Self, Reject> {
        let number = |text: &str| text.parse::<u64>().ok();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(range) = text(header::CONTENT_RANGE) else {
            return Ok(Self {
                from: 0,
                size: text(header::CONTENT_LENGTH).and_then(number),
            });
        };
        let read = || {
            let (range, size) = range.strip_prefix("bytes ")?.split_once('/')?;
            let size = number(size)?;
            let from = match range {
                "*" => size,
                range => {
                    let (from, last) = range.split_once('-')?;
                    number(last).filter(|last| last.checked_add(1) == Some(size))?;
                    number(from).filter(|from| *from < size)?
                }
            };
            Some(Self {
                from,
                size: Some(size),
            })
        };
        read().ok_or_else(|| {
            let said = "a Content-Range here is `bytes FROM-LAST/SIZE` up to the end, or `bytes */SIZE`";
            Reject::new(StatusCode::BAD_REQUEST, "bad-range", said)
        })
    }

    /// The `Content-Range` of a body that is the rest from `from` on; nothing for the whole.
    pub fn header(from: u64, size: u64) -> Option<String> {
        match from {
            0 => None,
            _ if from >= size => Some(format!("bytes */{size}")),
            _ => Some(format!("bytes {from}-{}/{size}", size - 1)),
        }
    }
}

impl Intake {
    /// Opens the folder. What broke off within the last week stays.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            let is_ours = entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.parse::<BlobHash>().is_ok());
            if !is_ours || age > STALE {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            under_way: Mutex::default(),
        })
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    /// Bytes of a blob that have arrived.
    pub fn received(&self, hash: BlobHash) -> u64 {
        self.path(hash).metadata().map_or(0, |metadata| metadata.len())
    }

    /// Bytes of all blobs of which something has arrived.
    pub fn bytes(&self) -> u64 {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .sum()
    }

    /// Waits until nobody else receives this blob.
    pub async fn enter(&self, hash: BlobHash) -> Entry<'_> {
        let lock = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(under_way.entry(hash).or_default())
        };
        Entry {
            intake: self,
            hash,
            lock: Some(lock.lock_owned().await),
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut under_way = self
            .intake
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.lock.take());
        // Ours and the map's: nobody waits for it.
        if under_way
            .get(&self.hash)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            under_way.remove(&self.hash);
        }
    }
}

impl Entry<'_> {
    /// Bytes of it that have arrived.
    pub fn received(&self) -> u64 {
        self.intake.received(self.hash)
    }

    /// Receives a part, which reaches to the blob's end. The answer is a file with the whole blob, verified and
    /// on disk for good, to be renamed before this is dropped. `room` bounds the length of the whole blob.
    ///
    /// # Errors
    /// When the content is not what its name says, breaks off, does not fit, or cannot be written.
    pub async fn take<E: Display>(
        &self,
        part: Part,
        room: u64,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<PathBuf, IntakeError> {
        if part.size.is_some_and(|size| size > room) {
            return Err(IntakeError::OverQuota { room });
        }
        let received = self.received();
        if part.from > 0 && part.from != received {
            return Err(IntakeError::WrongOffset { received });
        }
        let path = self.intake.path(self.hash);
        let (chunks, waiting) = mpsc::channel(CHUNKS_AHEAD);
        let (target, from) = (path.clone(), part.from);
        let writer = tokio::task::spawn_blocking(move || write(&target, from, room, waiting));
        let mut content = std::pin::pin!(content);
        let mut broken = None;
        while let Some(chunk) = content.next().await {
            match chunk {
                Ok(chunk) => {
                    if chunks.send(chunk).await.is_err() {
                        break; // A writer that has stopped says why below.
                    }
                }
                Err(error) => {
                    broken = Some(IntakeError::BrokenOff(error.to_string()));
                    break;
                }
            }
        }
        drop(chunks);
        let written = writer.await;
        let written = written.unwrap_or_else(|stopped| Err(io::Error::other(stopped.to_string()).into()));
        if let Some(broken) = broken {
            // Only what has arrived for certain is gone on from.
            written?;
            return Err(broken);
        }
        let (file, found) = match written {
            Ok(written) => written,
            Err(error) => {
                let _gives_room_back = fs::remove_file(&path);
                return Err(error);
            }
        };
        if found != self.hash {
            let _sent_again_from_its_start = fs::remove_file(&path);
            return Err(IntakeError::WrongHash {
                named: self.hash,
                found,
            });
        }
        let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
        synced.map_err(io::Error::other)??;
        Ok(path)
    }
}

/// Hashes and writes what comes, behind what is there; returns when nothing more comes.
fn write(
    path: &Path,
    from: u64,
    room: u64,
    mut chunks: mpsc::Receiver<Bytes>,
) -> Result<(File, BlobHash), IntakeError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(from == 0);
    let mut file = options.open(path)?;
    let mut hasher = blake3::Hasher::new();
    if from > 0 {
        hasher.update_reader((&mut file).take(from))?;
        file.seek(SeekFrom::Start(from))?;
    }
    let mut left = room.saturating_sub(from);
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        let chunk = chunks.blocking_recv();
        let ends = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or(IntakeError::OverQuota { room })?;
        if block.len() + chunk.len() > BLOCK || ends {
            hasher.update(&block);
            file.write_all(&block)?;
            block.clear();
        }
        if chunk.len() > BLOCK {
            hasher.update(&chunk);
            file.write_all(&chunk)?;
        } else {
            block.extend_from_slice(&chunk);
        }
        if ends {
            file.set_modified(SystemTime::now())?;
            return Ok((file, hasher.finalize().into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(parts: &[&'static str]) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from(*part))).collect();
        futures_util::stream::iter(parts)
    }

    fn part(from: u64) -> Part {
        Part { from, size: Some(14) }
    }

    #[tokio::test]
    async fn what_broke_off_goes_on_from_where_it_was_and_only_the_promised_bytes_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let hash = BlobHash::of(b"wood and stone");
        let intake = Intake::open(folder.path()).unwrap();
        {
            let entry = intake.enter(hash).await;
            let broken = futures_util::stream::iter([Ok(Bytes::from("wood and")), Err("gone")]);
            let said = entry.take(part(0), 100, broken).await;
            assert!(matches!(said, Err(IntakeError::BrokenOff(_))), "{said:?}");
            assert_eq!(entry.received(), 8);
            let elsewhere = entry.take(part(5), 100, sent(&["and stone"])).await;
            assert!(matches!(elsewhere, Err(IntakeError::WrongOffset { received: 8 })));
        }
        // As after a death of the process.
        let intake = Intake::open(folder.path()).unwrap();
        let entry = intake.enter(hash).await;
        let whole = entry.take(part(8), 100, sent(&[" ", "stone"])).await.unwrap();
        assert_eq!(fs::read(whole).unwrap(), b"wood and stone");
        let again = entry.take(part(14), 100, sent(&[])).await;
        assert!(again.is_ok(), "{again:?}");
        let other = entry.take(part(0), 100, sent(&["wood and stonE"])).await;
        assert!(matches!(other, Err(IntakeError::WrongHash { .. })));
        assert_eq!(entry.received(), 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_whether_its_length_was_said_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let intake = Intake::open(folder.path()).unwrap();
        let entry = intake.enter(BlobHash::of(b"x")).await;
        for part in [part(0), Part::default()] {
            let said = entry.take(part, 10, sent(&["wood and", " stone"])).await;
            assert!(
                matches!(said, Err(IntakeError::OverQuota { room: 10 })),
                "{said:?}"
            );
        }
        assert_eq!(intake.bytes(), 0);
    }

    #[test]
    fn a_range_says_where_the_rest_begins() {
        let of = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, range.parse().unwrap());
            Part::of(&headers)
        };
        let whole = Part {
            from: 8,
            size: Some(14),
        };
        assert_eq!(of(&Part::header(8, 14).unwrap()).unwrap(), whole);
        assert_eq!(of(&Part::header(14, 14).unwrap()).unwrap().from, 14);
        assert_eq!(Part::header(0, 14), None);
        for odd in [
            "bytes 8-12/14",
            "bytes 14-13/14",
            "bytes x-13/14",
            "lines 8-13/14",
        ] {
            assert!(of(odd).is_err(), "{odd}");
        }
    }
}
