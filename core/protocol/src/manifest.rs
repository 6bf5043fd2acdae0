//! Scenes as manifests: which files, with which content, under which relative paths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::shared_path::SharedPath;
use crate::tree_path::TreePath;
use crate::{BlobHash, SceneHash};

/// One file of a scene.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its content.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
}

/// Where a path that a .blend stores lies in the tree: `/mnt/textures/wood.png` at `_outside/mnt/textures/wood.png`.
pub type StoredPaths = BTreeMap<String, TreePath>;

/// The files of a scene. Immutable; named by the hash of its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireManifest")]
pub struct Manifest {
    main: TreePath,
    files: BTreeMap<TreePath, FileEntry>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    paths: BTreeMap<TreePath, StoredPaths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<SharedFile>,
}

#[derive(Deserialize)]
struct WireManifest {
    main: TreePath,
    files: BTreeMap<TreePath, FileEntry>,
    #[serde(default)]
    paths: BTreeMap<TreePath, StoredPaths>,
    #[serde(default)]
    shared: Option<SharedFile>,
}

/// A scene on storage that all nodes see, used where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedFile {
    /// The .blend, as its submitter's system names it.
    pub path: SharedPath,
    /// What it held when it was submitted.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It does not name its own scene.
    #[error("the main file {0} is not among the manifest's files")]
    NoMain(TreePath),
    /// Two paths that some systems cannot keep apart.
    #[error("the paths {0} and {1} differ only in case, which not every system can store")]
    CaseCollision(TreePath, TreePath),
    /// A file where another path needs a folder.
    #[error("{0} is both a file and a folder")]
    FileAndFolder(TreePath),
    /// A .blend whose paths are told and that is not there.
    #[error("paths are told of {0}, which is not among the manifest's files")]
    PathsOfNone(TreePath),
    /// A stored path that no .blend can hold.
    #[error("{0} cannot store the path {1:?}")]
    StoredPath(TreePath, String),
    /// A scene is packed or shared.
    #[error("a scene on shared storage has no files of its own")]
    SharedAndPacked,
    /// A shared path that names a folder, or a file that this scene is not called after.
    #[error("the shared path {0} does not end in the main file's name")]
    SharedName(SharedPath),
    /// Not a manifest at all.
    #[error("not a manifest")]
    Json(#[from] serde_json::Error),
}

impl Manifest {
    /// A manifest of these files, `main` being the .blend to open.
    ///
    /// # Errors
    /// When `main` is not one of them, or two paths cannot stand beside each other on every system.
    pub fn new(main: TreePath, files: BTreeMap<TreePath, FileEntry>) -> Result<Self, ManifestError> {
        if !files.contains_key(&main) {
            return Err(ManifestError::NoMain(main));
        }
        let mut folded: BTreeMap<String, &TreePath> = BTreeMap::new();
        for path in files.keys() {
            if let Some(other) = folded.insert(path.as_str().to_lowercase(), path) {
                return Err(ManifestError::CaseCollision(other.clone(), path.clone()));
            }
        }
        for path in folded.keys() {
            let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
            if let Some(file) = folders.into_iter().find_map(|folder| folded.get(folder)) {
                return Err(ManifestError::FileAndFolder((*file).clone()));
            }
        }
        Ok(Self {
            main,
            files,
            paths: BTreeMap::new(),
            shared: None,
        })
    }

    /// The same files, with what paths that their .blends store stand for in the tree. Paths relative to a
    /// .blend that lead to the right place within the tree need not be told.
    ///
    /// # Errors
    /// When a .blend is not one of the files, or cannot store such a path.
    pub fn with_paths(self, paths: BTreeMap<TreePath, StoredPaths>) -> Result<Self, ManifestError> {
        for (blend, stored) in &paths {
            if !self.files.contains_key(blend) {
                return Err(ManifestError::PathsOfNone(blend.clone()));
            }
            let impossible = |path: &&String| path.is_empty() || path.len() > 4096 || path.contains('\0');
            if let Some(path) = stored.keys().find(impossible) {
                return Err(ManifestError::StoredPath(
                    blend.clone(),
                    path.chars().take(200).collect(),
                ));
            }
        }
        Ok(Self { paths, ..self })
    }

    /// A scene that is used where it lies.
    ///
    /// # Errors
    /// When its name is one that a node could not have.
    pub fn of_shared(file: SharedFile) -> Result<Self, ManifestError> {
        let name = file.path.file_name().parse();
        let main = name.map_err(|_| ManifestError::SharedName(file.path.clone()))?;
        Ok(Self {
            main,
            files: BTreeMap::new(),
            paths: BTreeMap::new(),
            shared: Some(file),
        })
    }

    /// The .blend to open.
    pub fn main(&self) -> &TreePath {
        &self.main
    }

    /// All files that travel, in the order of their paths; none where the scene is shared.
    pub fn files(&self) -> &BTreeMap<TreePath, FileEntry> {
        &self.files
    }

    /// What the paths that .blends store stand for in the tree, by the .blend that stores them.
    pub fn paths(&self) -> &BTreeMap<TreePath, StoredPaths> {
        &self.paths
    }

    /// Where the scene lies, if it does not travel.
    pub fn shared(&self) -> Option<&SharedFile> {
        self.shared.as_ref()
    }

    /// Bytes of all files together, each content counted once.
    pub fn size(&self) -> u64 {
        let distinct: BTreeMap<BlobHash, u64> = self.files.values().map(|f| (f.hash, f.size)).collect();
        distinct.values().fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// The canonical bytes, of which [`Self::hash`] is the hash: JSON without spaces, paths sorted.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data with string keys")
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are no manifest, or name files that cannot stand beside each other.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The scene's name.
    pub fn hash(&self) -> SceneHash {
        SceneHash::of(&self.encode())
    }
}

impl TryFrom<WireManifest> for Manifest {
    type Error = ManifestError;
    fn try_from(wire: WireManifest) -> Result<Self, ManifestError> {
        let Some(shared) = wire.shared else {
            return Self::new(wire.main, wire.files)?.with_paths(wire.paths);
        };
        if !wire.files.is_empty() || !wire.paths.is_empty() {
            return Err(ManifestError::SharedAndPacked);
        }
        let manifest = Self::of_shared(shared)?;
        match manifest.shared {
            Some(shared) if manifest.main != wire.main => Err(ManifestError::SharedName(shared.path)),
            shared => Ok(Self { shared, ..manifest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nasty_path::nasty_path;

    fn entry(content: &str) -> FileEntry {
        FileEntry {
            hash: BlobHash::of(content.as_bytes()),
            size: content.len() as u64,
        }
    }

    fn manifest(paths: &[&str]) -> Result<Manifest, ManifestError> {
        let files = paths.iter().map(|p| (p.parse().unwrap(), entry(p))).collect();
        Manifest::new(paths[0].parse().unwrap(), files)
    }

    #[test]
    fn a_manifest_keeps_its_wire_form_and_its_name() {
        let manifest = manifest(&["a.blend"]).unwrap();
        let text = String::from_utf8(manifest.encode()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"main":"a.blend","files":{{"a.blend":{{"hash":"{}","size":7}}}}}}"#,
                BlobHash::of(b"a.blend")
            )
        );
        assert_eq!(Manifest::decode(text.as_bytes()).unwrap(), manifest);
        assert_eq!(manifest.hash(), SceneHash::of(text.as_bytes()));
    }

    #[test]
    fn paths_that_a_blend_stores_keep_their_wire_form() {
        let at = |path: &str| path.parse::<TreePath>().unwrap();
        let stored = BTreeMap::from([("/mnt/wood.png".to_owned(), at("_outside/mnt/wood.png"))]);
        let paths = BTreeMap::from([(at("a.blend"), stored)]);
        let told = manifest(&["a.blend"]).unwrap().with_paths(paths).unwrap();
        let text = String::from_utf8(told.encode()).unwrap();
        let end = r#","paths":{"a.blend":{"/mnt/wood.png":"_outside/mnt/wood.png"}}}"#;
        assert!(text.ends_with(end), "{text}");
        assert_eq!(Manifest::decode(text.as_bytes()).unwrap(), told);
        for bad in [
            end.replace("_outside", ".."),
            end.replace("a.blend", "b.blend"),
            end.replace("/mnt/wood.png\":", "\":"),
        ] {
            let text = text.replace(end, &bad);
            assert!(Manifest::decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shared_scene_keeps_its_wire_form_and_has_no_files() {
        let file = SharedFile {
            path: r"S:\show\a.blend".parse().unwrap(),
            hash: BlobHash::of(b"x"),
            size: 1,
        };
        let shared = Manifest::of_shared(file).unwrap();
        let text = String::from_utf8(shared.encode()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"main":"a.blend","files":{{}},"shared":{{"path":"S:\\show\\a.blend","hash":"{}","size":1}}}}"#,
                BlobHash::of(b"x")
            )
        );
        assert_eq!(Manifest::decode(text.as_bytes()).unwrap(), shared);
        for (part, other) in [
            (r#""main":"a"#, r#""main":"b"#),
            (r"S:\\show", "show"),
            (r"S:\\show", r"S:\\..\\show"),
            (r#"a.blend","hash"#, r#"","hash"#),
        ] {
            assert!(text.contains(part), "{text} has no {part}");
            let text = text.replace(part, other);
            assert!(Manifest::decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_that_some_systems_cannot_keep_apart_are_refused() {
        assert!(matches!(
            manifest(&["a.blend", "A.blend"]),
            Err(ManifestError::CaseCollision(..))
        ));
        assert!(matches!(
            manifest(&["a.blend", "t", "t/x.png"]),
            Err(ManifestError::FileAndFolder(..))
        ));
        assert!(manifest(&["a.blend", "t/x.png", "t/y.png"]).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_is_decoded_can_stand_in_one_folder(paths in proptest::collection::vec(nasty_path(), 1..6)) {
            let files: BTreeMap<&str, FileEntry> = paths.iter().map(|path| (path.as_str(), entry(path))).collect();
            let text = serde_json::json!({"main": paths[0], "files": files}).to_string();
            if let Ok(manifest) = Manifest::decode(text.as_bytes()) {
                prop_assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest.clone());
                let names: Vec<String> = manifest.files().keys().map(|path| path.as_str().to_lowercase()).collect();
                for (index, name) in names.iter().enumerate() {
                    for other in &names[index + 1..] {
                        prop_assert_ne!(name, other);
                        let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
                        prop_assert!(!below(name, other) && !below(other, name));
                    }
                }
            }
        }
    }
}
