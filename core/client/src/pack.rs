//! Packing a scene: which files, under which relative paths, with which hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use farmhand_protocol::{
    BlobHash, FileEntry, Manifest, ManifestError, SceneHash, SharedFile, SharedPathError, TreePath,
    TreePathError,
};

use crate::layout::{Layout, Reference};

/// A scene that is ready to be uploaded.
#[derive(Debug, Clone)]
pub struct PackedScene {
    manifest: Manifest,
    root: PathBuf,
    sources: BTreeMap<BlobHash, (PathBuf, u64)>,
}

/// Why a scene could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A named file is not there or not readable.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that is neither file nor folder.
    #[error("{0} is no file")]
    NoFile(PathBuf),
    /// Two files whose names differ only in what not every system can store.
    #[error("{0} has the same place on nodes as another file; rename one of them")]
    SamePlace(PathBuf),
    /// A path that cannot be on shared storage.
    #[error(transparent)]
    Shared(#[from] SharedPathError),
    /// A path that nodes cannot have.
    #[error("{path}: {source}; rename it")]
    Path {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TreePathError,
    },
    /// A path that is no text.
    #[error("the path {0} is not valid UTF-8; rename it")]
    NotText(PathBuf),
    /// A folder with more in it than anyone wants to upload.
    #[error("{0} holds more than {MOST_FILES} files; name the files or smaller folders")]
    TooMany(PathBuf),
    /// Files that cannot stand beside each other.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

const MOST_FILES: usize = 200_000;
const DEEPEST: usize = 64;

impl PackedScene {
    /// Which files it has.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name.
    pub fn hash(&self) -> SceneHash {
        self.manifest.hash()
    }

    /// The folder that the manifest's paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where each content lies on this machine, and its length in bytes.
    pub fn sources(&self) -> &BTreeMap<BlobHash, (PathBuf, u64)> {
        &self.sources
    }
}

/// Packs `main`, further files and folders, and what the scene refers to. Folders are taken whole. Paths that the scene names relative
/// to itself (`//textures/wood.png`) resolve on a node as they do here, because the tree's root is the folder
/// that all files have in common. What it names by absolute paths elsewhere comes to lie in a folder of its own in
/// the tree, and the manifest tells which path stands for it. Links are followed. Hashes off the async threads.
///
/// # Errors
/// When a file cannot be read, or has a path that not every node can store.
pub async fn pack_scene(
    main: PathBuf,
    with: Vec<PathBuf>,
    references: Vec<Reference>,
) -> Result<PackedScene, PackError> {
    match tokio::task::spawn_blocking(move || pack(&main, &with, &references)).await {
        Ok(packed) => packed,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn pack(main: &Path, with: &[PathBuf], references: &[Reference]) -> Result<PackedScene, PackError> {
    let main = absolute(main)?;
    if !stat(&main)?.is_file() {
        return Err(PackError::NoFile(main));
    }
    let mut found = BTreeSet::from([main.clone()]);
    for path in with {
        let path = absolute(path)?;
        collect(&path, &path, 0, &mut found)?;
    }
    let layout = Layout::of(&main, found, references);
    let files: Vec<PathBuf> = layout.files().map(Path::to_owned).collect();
    let entries = hash_all(&files)?;
    let sources = files
        .iter()
        .zip(&entries)
        .map(|(file, entry)| (entry.hash, (file.clone(), entry.size)))
        .collect();
    let paths = files
        .iter()
        .map(|file| layout.place(file))
        .collect::<Result<Vec<TreePath>, PackError>>()?;
    // Two files of one place are one only where they are the same.
    let mut tree: BTreeMap<TreePath, FileEntry> = BTreeMap::new();
    for ((path, entry), file) in paths.into_iter().zip(entries).zip(&files) {
        if tree
            .insert(path, entry.clone())
            .is_some_and(|other| other != entry)
        {
            return Err(PackError::SamePlace(file.clone()));
        }
    }
    let manifest = Manifest::new(layout.place(&main)?, tree)?.with_paths(layout.stored_paths(references)?)?;
    Ok(PackedScene {
        manifest,
        root: layout.root().to_owned(),
        sources,
    })
}

/// A scene on shared storage: nothing of it travels but its name, and what it holds today.
///
/// # Errors
/// When it cannot be read, or its path is no text.
pub async fn share_scene(main: PathBuf) -> Result<PackedScene, PackError> {
    let shared = tokio::task::spawn_blocking(move || {
        let main = absolute(&main)?;
        if !stat(&main)?.is_file() {
            return Err(PackError::NoFile(main));
        }
        let path = main.to_str().ok_or_else(|| PackError::NotText(main.clone()))?;
        let FileEntry { hash, size } = hash(&main)?;
        let path = path.parse()?;
        Ok(PackedScene {
            manifest: Manifest::of_shared(SharedFile { path, hash, size })?,
            root: main.parent().unwrap_or(&main).to_owned(),
            sources: BTreeMap::new(),
        })
    });
    match shared.await {
        Ok(packed) => packed,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// An absolute path without `.` and `..`. Symbolic links stay, except before a `..`, which only the system
/// can resolve: paths within a scene mean the tree as its author sees it.
///
/// # Errors
/// When the system cannot resolve it.
pub fn absolute(path: &Path) -> Result<PathBuf, PackError> {
    let unreadable = |source| PackError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path).map_err(unreadable)?.components() {
        match part {
            Component::ParentDir => {
                clean = fs::canonicalize(clean.join("..")).map_err(unreadable)?;
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Ok(clean)
}

fn stat(path: &Path) -> Result<fs::Metadata, PackError> {
    fs::metadata(path).map_err(|source| PackError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Adds a file, or every file below a folder but Blender's own backups.
fn collect(named: &Path, path: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) -> Result<(), PackError> {
    let kind = stat(path)?;
    if kind.is_file() {
        found.insert(path.to_owned());
    } else if !kind.is_dir() {
        return Err(PackError::NoFile(path.to_owned()));
    } else if depth < DEEPEST {
        let unreadable = |source| PackError::Unreadable {
            path: path.to_owned(),
            source,
        };
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            // A link to nowhere, a socket or a backup in a folder is nobody's texture.
            let wanted = fs::metadata(&entry).is_ok_and(|kind| kind.is_file() || kind.is_dir());
            if wanted && !is_backup(&entry) {
                collect(named, &entry, depth + 1, found)?;
            }
            if found.len() > MOST_FILES {
                return Err(PackError::TooMany(named.to_owned()));
            }
        }
    }
    Ok(())
}

/// `scene.blend1`: what Blender keeps of earlier saves.
fn is_backup(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str()?.strip_prefix("blend"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Hashes files on as many threads as the machine has, at most eight: disks do not get faster from more.
fn hash_all(files: &[PathBuf]) -> Result<Vec<FileEntry>, PackError> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let next = AtomicUsize::new(0);
    let hashed: Mutex<Vec<(usize, Result<FileEntry, PackError>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(files.len()) {
            scope.spawn(|| {
                while let Some((index, file)) = take(files, &next) {
                    let result = hash(file);
                    hashed
                        .lock()
                        .expect("no thread panics while it holds this")
                        .push((index, result));
                }
            });
        }
    });
    let mut hashed = hashed.into_inner().expect("all threads have ended well");
    hashed.sort_by_key(|(index, _)| *index);
    hashed.into_iter().map(|(_, result)| result).collect()
}

fn take<'f>(files: &'f [PathBuf], next: &AtomicUsize) -> Option<(usize, &'f PathBuf)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    files.get(index).map(|file| (index, file))
}

fn hash(path: &Path) -> Result<FileEntry, PackError> {
    let unreadable = |source| PackError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(File::open(path).map_err(unreadable)?)
        .map_err(unreadable)?;
    Ok(FileEntry {
        hash: hasher.finalize().into(),
        size: hasher.count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn packed_paths(scene: &PackedScene) -> Vec<&str> {
        scene.manifest().files().keys().map(TreePath::as_str).collect()
    }

    #[test]
    fn the_root_is_the_folder_that_all_files_share() {
        let folder = folder(&[
            "shots/a.blend",
            "lib/x/wood.png",
            "lib/rock.png",
            "lib/old.blend1",
        ]);
        let at = |path: &str| folder.path().join(path);
        let alone = pack(&at("shots/a.blend"), &[], &[]).unwrap();
        assert_eq!(packed_paths(&alone), ["a.blend"]);
        let whole = pack(&at("shots/../shots/a.blend"), &[at("lib")], &[]).unwrap();
        assert_eq!(
            packed_paths(&whole),
            ["lib/rock.png", "lib/x/wood.png", "shots/a.blend"]
        );
        assert_eq!(whole.manifest().main().as_str(), "shots/a.blend");
        let entry = &whole.manifest().files()[&"lib/rock.png".parse().unwrap()];
        assert_eq!(
            *entry,
            FileEntry {
                hash: BlobHash::of(b"lib/rock.png"),
                size: 12
            }
        );
    }

    #[test]
    fn the_same_files_are_the_same_scene_whatever_their_order() {
        let folder = folder(&["a.blend", "t/x.png", "t/y.png"]);
        let at = |path: &str| folder.path().join(path);
        let one = pack(&at("a.blend"), &[at("t/x.png"), at("t/y.png")], &[]).unwrap();
        let two = pack(&at("a.blend"), &[at("t/y.png"), at("t"), at("a.blend")], &[]).unwrap();
        assert_eq!(one.hash(), two.hash());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_travels_as_the_file_that_it_leads_to() {
        let folder = folder(&["show/a.blend", "store/wood-v7.png"]);
        let at = |path: &str| folder.path().join(path);
        std::os::unix::fs::symlink(at("store/wood-v7.png"), at("show/wood.png")).unwrap();
        let reference = Reference {
            blend: at("show/a.blend"),
            stored: "//wood.png".to_owned(),
            resolved: at("show/wood.png"),
            files: vec![at("show/wood.png")],
        };
        let scene = pack(&at("show/a.blend"), &[], &[reference]).unwrap();
        assert_eq!(packed_paths(&scene), ["a.blend", "wood.png"]);
        let entry = &scene.manifest().files()[&"wood.png".parse().unwrap()];
        assert_eq!(entry.hash, BlobHash::of(b"store/wood-v7.png"));
        assert!(scene.manifest().paths().is_empty());
    }

    #[test]
    fn what_is_missing_or_unfit_is_named() {
        let folder = folder(&["a.blend", "t/a:b.png"]);
        let at = |path: &str| folder.path().join(path);
        let gone = pack(&at("b.blend"), &[], &[]).unwrap_err().to_string();
        assert!(
            gone.contains("b.blend") && gone.contains("No such file"),
            "{gone}"
        );
        let unfit = pack(&at("a.blend"), &[at("t")], &[]).unwrap_err().to_string();
        assert!(
            unfit.contains("a:b.png") && unfit.ends_with("rename it"),
            "{unfit}"
        );
        assert!(matches!(pack(&at("t"), &[], &[]), Err(PackError::NoFile(_))));
    }
}
