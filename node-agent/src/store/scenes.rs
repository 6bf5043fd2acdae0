//! Scenes as folders: a private, read-only tree for each manifest, made of hard links to blobs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use farmhand_protocol::{BlobHash, FailureKind, Manifest, ManifestError, SceneHash, SharedFile, TreePath};
use tempfile::TempDir;

use super::Blobs;
use crate::path_map::PathMap;

/// So many shared files are remembered.
const MOST_PROVED: usize = 1000;

/// Scene trees below one folder.
#[derive(Debug)]
pub(crate) struct Scenes {
    folder: PathBuf,
    blobs: Arc<Blobs>,
    path_maps: Vec<PathMap>,
    /// Shared files that were read whole: as they were then, and what they held.
    proved: Mutex<HashMap<PathBuf, (SystemTime, BlobHash)>>,
}

/// Why a scene is not there.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// Blobs that must be uploaded first.
    #[error("{} of the scene's files are not on this node; upload them first", .0.len())]
    Missing(Vec<BlobHash>),
    /// The manifest is here and is none.
    #[error("the scene's manifest cannot be used: {0}")]
    BadManifest(#[from] ManifestError),
    /// The disk refused.
    #[error("cannot lay out the scene on this node: {0}")]
    Io(#[from] io::Error),
    /// The shared storage is not mounted here, or is called otherwise.
    #[error(
        "the shared path {} is not on this node; mount the storage, or tell the agent its name here with --path-map",
        .0.join(", nor ")
    )]
    SharedMissing(Vec<String>),
    /// What lies there is something else by now.
    #[error("{} is not what it was when the job was submitted; submit it again", .0.display())]
    SharedChanged(PathBuf),
}

impl SceneError {
    /// What a frame that needs the scene fails with.
    pub(crate) fn failure_kind(&self) -> FailureKind {
        match self {
            Self::SharedMissing(_) => FailureKind::SharedPathMissing,
            Self::Missing(_) | Self::BadManifest(_) | Self::Io(_) | Self::SharedChanged(_) => {
                FailureKind::SceneUnreadable
            }
        }
    }
}

/// A scene as Blender can open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaidOut {
    /// The .blend.
    pub(crate) main: PathBuf,
    /// What it holds, where that may change under one path.
    pub(crate) content: Option<BlobHash>,
    /// By .blend: where the files are that it names by these paths.
    pub(crate) paths: BTreeMap<PathBuf, BTreeMap<String, PathBuf>>,
    /// Folders of shared storage, each by all its names.
    pub(crate) shared_folders: Vec<Vec<String>>,
}

impl LaidOut {
    /// A .blend whose paths lead where they should.
    pub(crate) fn as_it_is(main: PathBuf) -> Self {
        Self {
            main,
            content: None,
            paths: BTreeMap::new(),
            shared_folders: Vec::new(),
        }
    }
}

impl Scenes {
    /// Opens the folder, and removes what a death in the middle left.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn open(folder: &Path, blobs: Arc<Blobs>, path_maps: Vec<PathMap>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_none_or(|name| name.parse::<SceneHash>().is_err())
            {
                remove_tree(&entry.path())?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            blobs,
            path_maps,
            proved: Mutex::default(),
        })
    }

    /// The manifest, when it and every file that it names are here.
    ///
    /// # Errors
    /// When something is missing; then everything that is missing.
    pub(crate) fn find(&self, scene: SceneHash) -> Result<Manifest, SceneError> {
        let bytes = match fs::read(self.blobs.path(scene.into())) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SceneError::Missing(vec![scene.into()]));
            }
            Err(error) => return Err(error.into()),
        };
        let manifest = Manifest::decode(&bytes)?;
        let mut missing: Vec<BlobHash> = manifest
            .files()
            .values()
            .map(|file| file.hash)
            .filter(|hash| self.blobs.size(*hash).is_none())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            Ok(manifest)
        } else {
            Err(SceneError::Missing(missing))
        }
    }

    /// The scene in its tree, which is made where it is missing; a shared one where it lies.
    ///
    /// # Errors
    /// When files are missing or the disk refuses.
    pub(crate) fn lay_out(&self, scene: SceneHash) -> Result<LaidOut, SceneError> {
        let manifest = self.find(scene)?;
        for hash in manifest
            .files()
            .values()
            .map(|file| file.hash)
            .chain([scene.into()])
        {
            self.blobs.touch(hash);
        }
        if let Some(shared) = manifest.shared() {
            return self.shared(shared);
        }
        let tree = self.folder.join(scene.to_string());
        if !tree.exists() {
            self.make(&manifest, &tree)?;
        }
        let within = |path: &TreePath| tree.join(path.as_str());
        let paths = manifest.paths().iter().map(|(blend, paths)| {
            let paths = paths.iter().map(|(stored, at)| (stored.clone(), within(at)));
            (within(blend), paths.collect())
        });
        Ok(LaidOut {
            paths: paths.collect(),
            ..LaidOut::as_it_is(within(manifest.main()))
        })
    }

    /// A scene on shared storage, under the name that the storage has on this node.
    fn shared(&self, file: &SharedFile) -> Result<LaidOut, SceneError> {
        let path = file.path.to_string();
        let mut names: Vec<String> = self
            .path_maps
            .iter()
            .flat_map(|map| map.elsewhere(&path))
            .collect();
        names.insert(0, path);
        let found = names.iter().map(PathBuf::from).find(|path| path.is_file());
        let Some(main) = found else {
            return Err(SceneError::SharedMissing(names));
        };
        if !self.holds(&main, file)? {
            return Err(SceneError::SharedChanged(main));
        }
        Ok(LaidOut {
            content: Some(file.hash),
            shared_folders: self.path_maps.iter().map(|map| map.names().to_vec()).collect(),
            ..LaidOut::as_it_is(main)
        })
    }

    fn holds(&self, path: &Path, file: &SharedFile) -> io::Result<bool> {
        let metadata = fs::metadata(path)?;
        if metadata.len() != file.size {
            return Ok(false);
        }
        let changed = metadata.modified()?;
        let proved = || self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, hash)) = proved().get(path)
            && *at == changed
        {
            return Ok(*hash == file.hash);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(path)?)?;
        let hash = BlobHash::from(hasher.finalize());
        let mut proved = proved();
        if proved.len() >= MOST_PROVED {
            proved.clear();
        }
        proved.insert(path.to_owned(), (changed, hash));
        Ok(hash == file.hash)
    }

    /// Removes trees of scenes that are not in use; a tree costs nothing to make again. Returns the blobs of
    /// the scenes that are.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn clear(&self, in_use: &HashSet<SceneHash>) -> io::Result<HashSet<BlobHash>> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let scene = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if scene.is_some_and(|scene: SceneHash| !in_use.contains(&scene)) {
                remove_tree(&entry.path())?;
            }
        }
        let manifests = in_use
            .iter()
            .filter_map(|scene| Some((*scene, self.find(*scene).ok()?)));
        Ok(manifests
            .flat_map(|(scene, manifest)| {
                let files: Vec<BlobHash> = manifest.files().values().map(|file| file.hash).collect();
                files.into_iter().chain([scene.into()])
            })
            .collect())
    }

    /// Made aside and renamed, so that a tree is whole or not there.
    fn make(&self, manifest: &Manifest, tree: &Path) -> io::Result<()> {
        let aside = TempDir::with_prefix_in("making-", &self.folder)?;
        let mut folders = HashSet::from([aside.path().to_owned()]);
        for (path, file) in manifest.files() {
            let target = aside.path().join(path.as_str());
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
                let above = parent.ancestors().take_while(|folder| *folder != aside.path());
                folders.extend(above.map(Path::to_owned));
            }
            let blob = self.blobs.path(file.hash);
            if fs::hard_link(&blob, &target).is_err() {
                fs::copy(&blob, &target)?; // Another file system, or one that has no links; copies permissions.
            }
        }
        match fs::rename(aside.path(), tree) {
            Ok(()) => {}
            Err(_) if tree.exists() => return Ok(()), // Another slot was faster.
            Err(error) => return Err(error),
        }
        for folder in folders {
            let inside = folder.strip_prefix(aside.path()).unwrap_or(Path::new(""));
            set_writable(&tree.join(inside), false)?;
        }
        let _renamed_away = aside.keep();
        Ok(())
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        make_folders_writable(path)?;
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn make_folders_writable(folder: &Path) -> io::Result<()> {
    set_writable(folder, true)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_folders_writable(&entry.path())?;
        }
    }
    Ok(())
}

fn set_writable(folder: &Path, writable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if writable { 0o755 } else { 0o555 };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use farmhand_protocol::FileEntry;

    use super::*;

    async fn put(blobs: &Blobs, content: &[u8]) -> BlobHash {
        let hash = BlobHash::of(content);
        let stream = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::copy_from_slice(content))]);
        blobs
            .put(hash, farmhand_http::Part::default(), stream)
            .await
            .unwrap();
        hash
    }

    #[tokio::test]
    async fn a_scene_names_what_it_lacks_and_is_laid_out_when_it_lacks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(&dir.path().join("blobs"), 1000).unwrap());
        let scenes = Scenes::open(&dir.path().join("scenes"), Arc::clone(&blobs), Vec::new()).unwrap();
        let entry = |content: &[u8]| FileEntry {
            hash: BlobHash::of(content),
            size: content.len() as u64,
        };
        let files = BTreeMap::from([
            ("a/main.blend".parse().unwrap(), entry(b"main")),
            ("a/textures/t.png".parse().unwrap(), entry(b"texture")),
        ]);
        let manifest = Manifest::new("a/main.blend".parse().unwrap(), files).unwrap();
        let scene = manifest.hash();

        let missing = |found: Result<_, SceneError>| match found {
            Err(SceneError::Missing(hashes)) => hashes,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(scenes.find(scene)), [scene.into()]);
        put(&blobs, &manifest.encode()).await;
        put(&blobs, b"main").await;
        assert_eq!(missing(scenes.find(scene)), [BlobHash::of(b"texture")]);
        put(&blobs, b"texture").await;

        let laid_out = scenes.lay_out(scene).unwrap();
        assert_eq!(scenes.lay_out(scene).unwrap(), laid_out);
        let main = laid_out.main;
        let texture = main.parent().unwrap().join("textures/t.png");
        assert_eq!(fs::read(&texture).unwrap(), b"texture");
        assert!(fs::metadata(&texture).unwrap().permissions().readonly());

        let used = scenes.clear(&HashSet::from([scene])).unwrap();
        assert!(used.len() == 3 && texture.exists());
        scenes.clear(&HashSet::new()).unwrap();
        assert!(!texture.exists() && blobs.size(BlobHash::of(b"texture")).is_some());
    }

    #[tokio::test]
    async fn a_shared_scene_is_found_under_its_name_here_and_only_as_it_was_submitted() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(&dir.path().join("blobs"), 1000).unwrap());
        let here = dir.path().join("show");
        fs::create_dir(&here).unwrap();
        fs::write(here.join("a.blend"), b"main").unwrap();
        let map = format!(r"S:\show={}", here.display()).parse().unwrap();
        let scenes = Scenes::open(&dir.path().join("scenes"), Arc::clone(&blobs), vec![map]).unwrap();
        let share = async |path: &str| {
            let file = SharedFile {
                path: path.parse().unwrap(),
                hash: BlobHash::of(b"main"),
                size: 4,
            };
            let manifest = Manifest::of_shared(file).unwrap();
            put(&blobs, &manifest.encode()).await;
            manifest.hash()
        };
        let scene = share(r"S:\show\a.blend").await;
        let laid_out = scenes.lay_out(scene).unwrap();
        assert_eq!(laid_out.main, here.join("a.blend"));
        assert_eq!(laid_out.shared_folders.len(), 1);

        let gone = share(r"S:\shows\a.blend").await;
        let error = scenes.lay_out(gone).unwrap_err();
        assert_eq!(error.failure_kind(), FailureKind::SharedPathMissing);
        assert!(error.to_string().contains(r"S:\shows\a.blend"), "{error}");

        fs::write(here.join("a.blend"), b"other").unwrap();
        assert!(matches!(scenes.lay_out(scene), Err(SceneError::SharedChanged(_))));
    }
}
