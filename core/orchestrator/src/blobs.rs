//! Files by their content: `<data>/blobs/ab/abcd...`. Must not know what the bytes are for.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use farmhand_http::{Intake, IntakeError, Part};
use farmhand_protocol::{BlobHash, Manifest, SceneHash};
use futures_util::{Stream, StreamExt};
use tokio::fs::{self, File};

/// A store of blobs; each lies there whole, or not at all.
#[derive(Debug, Clone)]
pub(crate) struct Blobs(Arc<Store>);

#[derive(Debug)]
struct Store {
    folder: PathBuf,
    intake: Intake,
    bytes: AtomicU64,
    most_bytes: u64,
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
    /// Opens the store, which may hold so many bytes.
    pub(crate) async fn open(folder: PathBuf, most_bytes: u64) -> io::Result<Self> {
        let opening = move || {
            let intake = Intake::open(&folder.join("uploads"))?;
            let bytes = AtomicU64::new(bytes_below(&folder)?);
            Ok(Self(Arc::new(Store {
                folder,
                intake,
                bytes,
                most_bytes,
            })))
        };
        tokio::task::spawn_blocking(opening)
            .await
            .map_err(io::Error::other)?
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.0.folder.join(&name[..2]).join(name)
    }

    pub(crate) async fn has(&self, hash: BlobHash) -> bool {
        fs::metadata(self.path(hash)).await.is_ok()
    }

    /// Whether it is here; one that somebody asks for is about to be used, and stays for a while.
    pub(crate) async fn claim(&self, hash: BlobHash) -> bool {
        let path = self.path(hash);
        let touched = tokio::task::spawn_blocking(move || {
            let file = std::fs::File::options().append(true).open(path)?;
            file.set_modified(SystemTime::now())
        });
        touched.await.is_ok_and(|touched| touched.is_ok())
    }

    /// Removes what is neither `wanted` nor was claimed within `unused`; says how many files and bytes went.
    pub(crate) async fn sweep(&self, wanted: HashSet<BlobHash>, unused: Duration) -> io::Result<(u64, u64)> {
        let store = Arc::clone(&self.0);
        let sweeping = move || {
            let (mut files, mut bytes) = (0, 0);
            for blob in all_blobs(&store.folder)? {
                let (path, size, changed) = blob?;
                let hash = path
                    .file_name()
                    .and_then(|name| name.to_str()?.parse::<BlobHash>().ok());
                // A clock that was set back makes everything young: then it stays.
                let is_old = changed.elapsed().is_ok_and(|age| age >= unused);
                if is_old && hash.is_some_and(|hash| !wanted.contains(&hash)) {
                    std::fs::remove_file(path)?;
                    store.bytes.fetch_sub(size, Ordering::Relaxed);
                    files += 1;
                    bytes += size;
                }
            }
            Ok((files, bytes))
        };
        tokio::task::spawn_blocking(sweeping)
            .await
            .map_err(io::Error::other)?
    }

    /// The blob and its length in bytes.
    pub(crate) async fn open_blob(&self, hash: BlobHash) -> io::Result<(File, u64)> {
        let file = File::open(self.path(hash)).await?;
        let size = file.metadata().await?.len();
        Ok((file, size))
    }

    /// Bytes of a blob that have arrived, where it is not whole.
    pub(crate) fn received(&self, hash: BlobHash) -> u64 {
        self.0.intake.received(hash)
    }

    /// Keeps the bytes of a stream if they are the promised ones. What has arrived of one that breaks off
    /// stays, and a later part goes on from there.
    pub(crate) async fn put<E: std::fmt::Display>(
        &self,
        hash: BlobHash,
        part: Part,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), IntakeError> {
        let entry = self.0.intake.enter(hash).await;
        if self.claim(hash).await {
            let mut rest = std::pin::pin!(chunks);
            while let Some(Ok(_)) = rest.next().await {} // A sender that is cut short would send again.
            return Ok(());
        }
        let used = self.0.bytes.load(Ordering::Relaxed);
        let whole = entry
            .take(part, self.0.most_bytes.saturating_sub(used), chunks)
            .await?;
        let size = fs::metadata(&whole).await?.len();
        let path = self.path(hash);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
            fs::rename(&whole, &path).await?;
            File::open(folder).await?.sync_all().await?;
        }
        self.0.bytes.fetch_add(size, Ordering::Relaxed);
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

/// All whole blobs, with length in bytes and time of last change.
fn all_blobs(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<(PathBuf, u64, SystemTime)>>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name() != "uploads" {
            folders.push(std::fs::read_dir(entry.path())?);
        }
    }
    Ok(folders.into_iter().flatten().map(|blob| {
        let blob = blob?;
        let about = blob.metadata()?;
        Ok((blob.path(), about.len(), about.modified()?))
    }))
}

/// Bytes of all whole blobs.
fn bytes_below(folder: &Path) -> io::Result<u64> {
    all_blobs(folder)?.map(|blob| blob.map(|(_, size, _)| size)).sum()
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
    async fn what_nobody_wants_goes_once_it_is_old_unless_it_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().join("blobs"), 20).await.unwrap();
        for bytes in ["wanted", "unused", "claimed"] {
            let hash = BlobHash::of(bytes.as_bytes());
            blobs.put(hash, Part::default(), sent(&[bytes])).await.unwrap();
            let yesterday = SystemTime::now() - Duration::from_hours(25);
            let file = std::fs::File::options()
                .append(true)
                .open(blobs.path(hash))
                .unwrap();
            file.set_modified(yesterday).unwrap();
        }
        let hash_of = |bytes: &str| BlobHash::of(bytes.as_bytes());
        assert!(blobs.claim(hash_of("claimed")).await);
        assert!(!blobs.claim(hash_of("never here")).await);
        let swept = blobs
            .sweep(HashSet::from([hash_of("wanted")]), Duration::from_hours(24))
            .await
            .unwrap();
        assert_eq!(swept, (1, 6));
        assert!(!blobs.has(hash_of("unused")).await);
        assert!(blobs.has(hash_of("wanted")).await && blobs.has(hash_of("claimed")).await);
        let room = blobs
            .put(hash_of("sevenths"), Part::default(), sent(&["sevenths"]))
            .await;
        assert!(
            matches!(room, Err(IntakeError::OverQuota { room: 7 })),
            "{room:?}"
        );
    }

    #[tokio::test]
    async fn only_the_promised_bytes_are_kept_within_the_quota_and_what_broke_off_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Blobs::open(folder.path().join("blobs"), 20);
        let blobs = open().await.unwrap();
        let hash = BlobHash::of(b"wood and stone");
        let wrong = blobs.put(hash, Part::default(), sent(&["wood"])).await;
        assert!(matches!(wrong, Err(IntakeError::WrongHash { .. })));
        let broken = stream::iter([Ok(Bytes::from("wood")), Err(io::Error::other("gone"))]);
        let broken = blobs.put(hash, Part::default(), broken).await;
        assert!(matches!(broken, Err(IntakeError::BrokenOff(_))));
        assert!(!blobs.has(hash).await);
        assert_eq!(blobs.received(hash), 4);
        let rest = Part {
            from: 4,
            size: Some(14),
        };
        blobs.put(hash, rest, sent(&[" and ", "stone"])).await.unwrap();
        blobs
            .put(hash, Part::default(), sent(&["wood and stone"]))
            .await
            .unwrap();
        assert_eq!(blobs.open_blob(hash).await.unwrap().1, 14);
        let blobs = open().await.unwrap();
        let other = blobs
            .put(BlobHash::of(b"seventh"), Part::default(), sent(&["seventh"]))
            .await;
        assert!(
            matches!(other, Err(IntakeError::OverQuota { room: 6 })),
            "{other:?}"
        );
    }
}
