//! Files by their content: `<data>/blobs/ab/abcd...`. Must not know what the bytes are for.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use farmhand_protocol::{BlobHash, Manifest, SceneHash};
use futures_util::{Stream, StreamExt};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// A store of blobs; each lies there whole, or not at all.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    folder: PathBuf,
}

/// Why bytes were not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("these bytes have the hash {found}, not the one that they were sent under")]
    Mismatch { found: BlobHash },
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
    #[error("cannot keep the blob: {0}")]
    Disk(#[from] io::Error),
}

/// What stands between a scene and its rendering.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SceneError {
    #[error("{} files of the scene are not here; upload them first", .0.len())]
    Missing(Vec<BlobHash>),
    #[error("the scene's manifest cannot be used: {0}")]
    Unusable(String),
    #[error("cannot read the scene: {0}")]
    Disk(#[from] io::Error),
}

impl Blobs {
    /// Opens the store and clears away what a crash left half written.
    pub(crate) async fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder).await?;
        let mut entries = fs::read_dir(&folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let part = entry.path();
            if part.extension().is_some_and(|end| end == "part") {
                fs::remove_file(part).await?;
            }
        }
        Ok(Self { folder })
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    pub(crate) async fn has(&self, hash: BlobHash) -> bool {
        fs::metadata(self.path(hash)).await.is_ok()
    }

    /// The blob and its length in bytes.
    pub(crate) async fn open_blob(&self, hash: BlobHash) -> io::Result<(File, u64)> {
        let file = File::open(self.path(hash)).await?;
        let size = file.metadata().await?.len();
        Ok((file, size))
    }

    /// Keeps the bytes of a stream if they are the promised ones.
    pub(crate) async fn put<E: std::fmt::Display>(
        &self,
        hash: BlobHash,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PutError> {
        let part = self.folder.join(format!("{}.part", Uuid::new_v4()));
        let kept = self.write(hash, &part, chunks).await;
        if kept.is_err() {
            let _removed_at_the_next_start = fs::remove_file(&part).await;
        }
        kept
    }

    async fn write<E: std::fmt::Display>(
        &self,
        hash: BlobHash,
        part: &Path,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PutError> {
        let mut file = File::create_new(part).await?;
        let mut hasher = blake3::Hasher::new();
        let mut chunks = std::pin::pin!(chunks);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| PutError::BrokenOff(error.to_string()))?;
            hasher.update(&chunk);
            file.write_all(&chunk).await?;
        }
        let found = BlobHash::from(hasher.finalize());
        if found != hash {
            return Err(PutError::Mismatch { found });
        }
        file.flush().await?;
        file.sync_all().await?;
        drop(file);
        let path = self.path(hash);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
            fs::rename(part, &path).await?;
            File::open(folder).await?.sync_all().await?;
        }
        Ok(())
    }

    /// The manifest of a scene of which everything is here.
    pub(crate) async fn whole_scene(&self, scene: SceneHash) -> Result<Manifest, SceneError> {
        let manifest = self.manifest(scene).await?;
        let mut missing = Vec::new();
        for file in manifest.files().values() {
            if !self.has(file.hash).await {
                missing.push(file.hash);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            Ok(manifest)
        } else {
            Err(SceneError::Missing(missing))
        }
    }

    /// The manifest of a scene.
    pub(crate) async fn manifest(&self, scene: SceneHash) -> Result<Manifest, SceneError> {
        match fs::read(self.path(scene.into())).await {
            Ok(bytes) => Manifest::decode(&bytes).map_err(|error| SceneError::Unusable(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SceneError::Missing(vec![scene.into()]))
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn sent(parts: &[&'static str]) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from(*part))).collect();
        stream::iter(parts)
    }

    #[tokio::test]
    async fn only_the_promised_bytes_are_kept_and_nothing_half() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().join("blobs")).await.unwrap();
        let hash = BlobHash::of(b"wood and stone");
        let wrong = blobs.put(hash, sent(&["wood"])).await;
        assert!(matches!(wrong, Err(PutError::Mismatch { .. })));
        let broken = stream::iter([Ok(Bytes::from("wood")), Err(io::Error::other("gone"))]);
        assert!(matches!(
            blobs.put(hash, broken).await,
            Err(PutError::BrokenOff(_))
        ));
        assert!(!blobs.has(hash).await);
        assert_eq!(std::fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
        blobs.put(hash, sent(&["wood", " and ", "stone"])).await.unwrap();
        blobs.put(hash, sent(&["wood and stone"])).await.unwrap();
        assert_eq!(blobs.open_blob(hash).await.unwrap().1, 14);
    }
}
