//! Files by the hash of their content.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use farmhand_http::{Intake, IntakeError, Part};
use farmhand_protocol::BlobHash;
use futures_util::{Stream, StreamExt};

/// What was touched within this time is not evicted: an upload of a scene's files is under way.
const SETTLING: Duration = Duration::from_mins(10);

/// A bounded store of blobs; the least recently used go first.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    intake: Intake,
    bytes: AtomicU64,
    most_bytes: u64,
}

impl Blobs {
    /// Opens the store.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(crate) fn open(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        let store = Self {
            intake: Intake::open(&folder.join("uploads"))?,
            folder: folder.to_owned(),
            bytes: AtomicU64::new(0),
            most_bytes,
        };
        let bytes = store.entries()?.iter().map(|entry| entry.size).sum();
        store.bytes.store(bytes, Ordering::Relaxed);
        Ok(store)
    }

    /// Where a blob is, or would be.
    pub(crate) fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// Its length, if it is here.
    pub(crate) fn size(&self, hash: BlobHash) -> Option<u64> {
        self.path(hash).metadata().ok().map(|metadata| metadata.len())
    }

    /// Marks a blob as used just now.
    pub(crate) fn touch(&self, hash: BlobHash) {
        let _only_its_place_in_the_order =
            File::open(self.path(hash)).and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Stores a blob; true if it was not here before. It is there whole or not at all; what has arrived of one
    /// that breaks off stays, and a later part goes on from there.
    ///
    /// # Errors
    /// When the content is not what its name says, breaks off, does not fit, or cannot be written.
    pub(crate) async fn put<E: std::fmt::Display>(
        &self,
        named: BlobHash,
        part: Part,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<bool, IntakeError> {
        let entry = self.intake.enter(named).await;
        if self.size(named).is_some() {
            let mut rest = std::pin::pin!(content);
            while let Some(Ok(_)) = rest.next().await {} // A sender that is cut short would send again.
            self.touch(named);
            return Ok(false);
        }
        let used = self.bytes.load(Ordering::Relaxed);
        let room = self.most_bytes.saturating_sub(used);
        let whole = entry.take(part, room, content).await?;
        let target = self.path(named);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let metadata = whole.metadata()?;
        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&whole, permissions)?;
        fs::rename(&whole, &target)?;
        self.bytes.fetch_add(metadata.len(), Ordering::Relaxed);
        Ok(true)
    }

    /// Bytes of a blob that have arrived, where it is not whole.
    pub(crate) fn received(&self, hash: BlobHash) -> u64 {
        self.intake.received(hash)
    }

    /// Whether so much more would be too much.
    pub(crate) fn lacks_room_for(&self, bytes: u64) -> bool {
        self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > self.most_bytes
    }

    /// Removes the least recently used blobs that are not among `in_use` until `more` bytes fit beside the rest.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn evict(&self, in_use: &HashSet<BlobHash>, more: u64) -> io::Result<u64> {
        let mut entries = self.entries()?;
        entries.sort_by_key(|entry| entry.used);
        let mut bytes: u64 = entries.iter().map(|entry| entry.size).sum();
        let settled = SystemTime::now() - SETTLING;
        let mut freed = 0;
        for entry in entries {
            if bytes.saturating_add(more) <= self.most_bytes {
                break;
            }
            if !in_use.contains(&entry.hash) && entry.used < settled && fs::remove_file(&entry.path).is_ok() {
                bytes -= entry.size;
                freed += entry.size;
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(freed)
    }

    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let folder = folder?.path();
            if !folder.is_dir() || folder.ends_with("uploads") {
                continue;
            }
            for file in fs::read_dir(folder)? {
                let file = file?;
                let metadata = file.metadata()?;
                if let Some(hash) = file.file_name().to_str().and_then(|name| name.parse().ok()) {
                    entries.push(Entry {
                        hash,
                        path: file.path(),
                        size: metadata.len(),
                        used: metadata.modified()?,
                    });
                }
            }
        }
        Ok(entries)
    }
}

#[derive(Debug)]
struct Entry {
    hash: BlobHash,
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(content: &'static [u8]) -> impl Stream<Item = Result<Bytes, io::Error>> {
        futures_util::stream::iter(content.chunks(3).map(|chunk| Ok(Bytes::from_static(chunk))))
    }

    #[tokio::test]
    async fn a_blob_is_stored_only_under_the_hash_of_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path(), 1000).unwrap();
        let hash = BlobHash::of(b"content");
        assert!(matches!(
            blobs.put(hash, Part::default(), stream(b"contenT")).await,
            Err(IntakeError::WrongHash { .. })
        ));
        assert_eq!(blobs.size(hash), None);
        assert!(
            blobs
                .put(hash, Part::default(), stream(b"content"))
                .await
                .unwrap()
        );
        assert!(
            !blobs
                .put(hash, Part::default(), stream(b"content"))
                .await
                .unwrap()
        );
        assert_eq!(blobs.size(hash), Some(7));
        assert_eq!(fs::read_dir(dir.path().join("uploads")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_was_used_longest_ago_makes_room_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path(), 18).unwrap();
        let contents: [&'static [u8]; 3] = [b"aaaaaa", b"bbbbbb", b"cccccc"];
        let mut hashes = Vec::new();
        for (age, content) in contents.into_iter().enumerate() {
            let hash = BlobHash::of(content);
            blobs.put(hash, Part::default(), stream(content)).await.unwrap();
            let used = SystemTime::now() - SETTLING * (5 - u32::try_from(age).unwrap());
            File::open(blobs.path(hash)).unwrap().set_modified(used).unwrap();
            hashes.push(hash);
        }
        let full = blobs.put(BlobHash::of(b"d"), Part::default(), stream(b"d")).await;
        assert!(
            matches!(full, Err(IntakeError::OverQuota { room: 0 })),
            "{full:?}"
        );
        assert!(blobs.lacks_room_for(8));
        assert_eq!(blobs.evict(&HashSet::from([hashes[0]]), 8).unwrap(), 12);
        assert!(blobs.size(hashes[0]).is_some() && blobs.size(hashes[2]).is_none());
        assert!(!blobs.lacks_room_for(8) && !Blobs::open(dir.path(), 18).unwrap().lacks_room_for(12));
    }
}
