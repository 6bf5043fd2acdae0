//! Files by the hash of their content.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use farmhand_protocol::BlobHash;
use futures_util::{Stream, StreamExt};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

/// What was touched within this time is not evicted: an upload of a scene's files is under way.
const SETTLING: Duration = Duration::from_mins(10);

/// A bounded store of blobs; the least recently used go first.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    bytes: AtomicU64,
    most_bytes: u64,
}

/// Why a blob was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
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
    /// The sender stopped.
    #[error("the content ended early: {0}")]
    BrokenOff(String),
    /// The disk refused.
    #[error("cannot store the blob on this node: {0}")]
    Io(#[from] io::Error),
}

impl Blobs {
    /// Opens the store, and removes what unfinished uploads left.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(crate) fn open(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        let uploads = folder.join("uploads");
        if uploads.exists() {
            fs::remove_dir_all(&uploads)?;
        }
        fs::create_dir_all(&uploads)?;
        let store = Self {
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

    /// Stores a blob; true if it was not here before. It is there whole or not at all.
    ///
    /// # Errors
    /// When the content is not what its name says, breaks off, or cannot be written.
    pub(crate) async fn put<E: std::fmt::Display>(
        &self,
        named: BlobHash,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<bool, PutError> {
        let target = self.path(named);
        let file = NamedTempFile::new_in(self.folder.join("uploads"))?;
        let mut writing = tokio::fs::File::from_std(file.reopen()?);
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|error| PutError::BrokenOff(error.to_string()))?;
            hasher.update(&chunk);
            size += chunk.len() as u64;
            writing.write_all(&chunk).await?;
        }
        let found = BlobHash::from(hasher.finalize());
        if found != named {
            return Err(PutError::WrongHash { named, found });
        }
        writing.sync_all().await?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut permissions = file.as_file().metadata()?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(file.path(), permissions)?;
        match file.persist_noclobber(&target) {
            Ok(_) => {
                self.bytes.fetch_add(size, Ordering::Relaxed);
                Ok(true)
            }
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                self.touch(named);
                Ok(false)
            }
            Err(failed) => Err(failed.error.into()),
        }
    }

    /// Whether there is more than there should be.
    pub(crate) fn is_over_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most_bytes
    }

    /// Removes the least recently used blobs that are not among `in_use` until the rest fits.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn evict(&self, in_use: &HashSet<BlobHash>) -> io::Result<u64> {
        let mut entries = self.entries()?;
        entries.sort_by_key(|entry| entry.used);
        let mut bytes: u64 = entries.iter().map(|entry| entry.size).sum();
        let settled = SystemTime::now() - SETTLING;
        let mut freed = 0;
        for entry in entries {
            if bytes <= self.most_bytes {
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
            blobs.put(hash, stream(b"contenT")).await,
            Err(PutError::WrongHash { .. })
        ));
        assert_eq!(blobs.size(hash), None);
        assert!(blobs.put(hash, stream(b"content")).await.unwrap());
        assert!(!blobs.put(hash, stream(b"content")).await.unwrap());
        assert_eq!(blobs.size(hash), Some(7));
        assert_eq!(fs::read_dir(dir.path().join("uploads")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_was_used_longest_ago_makes_room_and_what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path(), 10).unwrap();
        let contents: [&'static [u8]; 3] = [b"aaaaaa", b"bbbbbb", b"cccccc"];
        let mut hashes = Vec::new();
        for (age, content) in contents.into_iter().enumerate() {
            let hash = BlobHash::of(content);
            blobs.put(hash, stream(content)).await.unwrap();
            let used = SystemTime::now() - SETTLING * (5 - u32::try_from(age).unwrap());
            File::open(blobs.path(hash)).unwrap().set_modified(used).unwrap();
            hashes.push(hash);
        }
        assert!(blobs.is_over_full());
        assert_eq!(blobs.evict(&HashSet::from([hashes[0]])).unwrap(), 12);
        assert!(blobs.size(hashes[0]).is_some() && blobs.size(hashes[2]).is_none());
        assert!(!blobs.is_over_full() && !Blobs::open(dir.path(), 10).unwrap().is_over_full());
    }
}
