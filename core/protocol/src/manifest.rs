//! Scenes as manifests: which files, with which content, under which relative paths.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;
use crate::{BlobHash, SceneHash};

/// A relative path with `/` between its parts that cannot leave the folder it is joined to, on any system.
///
/// At most 1,024 bytes in parts of at most 255; no `..`, no `.`, no empty part, no `\`, `:` or control
/// character, no part that ends in a dot or a space, and no Windows device name (`con`, `nul`, `com1` ...).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(String);

/// Why a text is not a [`TreePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} {reason}")]
pub struct TreePathError {
    path: String,
    reason: &'static str,
}

impl TreePath {
    /// The path, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TreePath {
    type Err = TreePathError;

    fn from_str(text: &str) -> Result<Self, TreePathError> {
        match text
            .split('/')
            .find_map(fault)
            .or((text.len() > 1024).then_some("is longer than 1024 bytes"))
        {
            Some(reason) => Err(TreePathError {
                path: text.chars().take(200).collect(),
                reason,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }
}
string_form!(TreePath);

/// What is wrong with one part of a path.
fn fault(part: &str) -> Option<&'static str> {
    let stem = part
        .split('.')
        .next()
        .unwrap_or(part)
        .trim_end()
        .to_ascii_lowercase();
    let numbered = |name: &str| {
        stem.strip_prefix(name)
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt");
    match part {
        "" => Some("is absolute or has an empty part"),
        "." | ".." => Some("has a part that is . or .."),
        _ if part.len() > 255 => Some("has a part longer than 255 bytes"),
        _ if part.contains(['\\', ':']) => Some("has a \\ or : in it"),
        _ if part.chars().any(char::is_control) => Some("has a control character in it"),
        _ if part.ends_with(['.', ' ']) => Some("has a part that ends in a dot or a space"),
        _ if device => Some("has a part that is a device on Windows"),
        _ => None,
    }
}

/// One file of a scene.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its content.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
}

/// The files of a scene. Immutable; named by the hash of its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireManifest")]
pub struct Manifest {
    main: TreePath,
    files: BTreeMap<TreePath, FileEntry>,
}

#[derive(Deserialize)]
struct WireManifest {
    main: TreePath,
    files: BTreeMap<TreePath, FileEntry>,
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
        Ok(Self { main, files })
    }

    /// The .blend to open.
    pub fn main(&self) -> &TreePath {
        &self.main
    }

    /// All files, in the order of their paths; never empty.
    pub fn files(&self) -> &BTreeMap<TreePath, FileEntry> {
        &self.files
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
        Self::new(wire.main, wire.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn no_path_leaves_its_folder() {
        for path in [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "C:/x",
            "a\\b",
            "a\nb",
            "a.",
            "a ",
            "nul",
            "x/COM1.png",
            "aux.blend",
        ] {
            assert!(path.parse::<TreePath>().is_err(), "{path:?}");
        }
        assert!("x".repeat(256).parse::<TreePath>().is_err());
        assert!("x/".repeat(600).parse::<TreePath>().is_err());
        assert!("textures/käse wood.png".parse::<TreePath>().is_ok());
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
}
