//! Where the files of a scene lie in the tree that nodes make of it, and which paths of its .blends must be told
//! because they lead elsewhere there.
//!
//! Files that belong together keep their places to each other, so that relative paths need no telling; what is
//! named by absolute paths from elsewhere comes below a folder of its own. It must not read any file.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

use farmhand_protocol::{StoredPaths, TreePath};

use crate::PackError;

/// A path that a .blend stores, and the files on this disk that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The .blend that stores it: the scene or a library.
    pub blend: PathBuf,
    /// As stored; `//` at its start is the .blend's folder.
    pub stored: String,
    /// Where it leads on this disk: a file, a folder, or the name of one of many.
    pub resolved: PathBuf,
    /// All files that it stands for.
    pub files: Vec<PathBuf>,
}

impl Reference {
    fn is_relative(&self) -> bool {
        self.stored.starts_with("//")
    }
}

/// What stands in the tree for all other folders of the submitter's disk.
const OUTSIDE: &str = "_outside";

/// A scene's files and their places.
pub(crate) struct Layout {
    root: PathBuf,
    outside: String,
    files: BTreeSet<PathBuf>,
    /// Files that paths of .blends lead to: these may be renamed.
    referred: HashSet<PathBuf>,
}

impl Layout {
    /// Places of `named` files (`main` among them) and all that is referred to.
    pub(crate) fn of(main: &Path, named: BTreeSet<PathBuf>, references: &[Reference]) -> Self {
        let mut inside = named;
        // What relative paths lead to, from what relative paths lead to, from the scene.
        let mut waiting: Vec<&Reference> = references.iter().filter(|one| one.is_relative()).collect();
        loop {
            let before = waiting.len();
            waiting.retain(|reference| {
                let reached = inside.contains(&reference.blend);
                if reached {
                    inside.extend(reference.files.iter().cloned());
                }
                !reached
            });
            if waiting.len() == before {
                break;
            }
        }
        let mut root = main.parent().unwrap_or(main).to_owned();
        for file in &inside {
            // Another drive has no folder in common: it is outside.
            while !file.starts_with(&root) && root.parent().is_some() {
                root.pop();
            }
        }
        let mut files = inside;
        let referred: HashSet<PathBuf> = references.iter().flat_map(|one| one.files.clone()).collect();
        files.extend(referred.iter().cloned());
        let mut layout = Self {
            root,
            outside: OUTSIDE.to_owned(),
            files,
            referred,
        };
        let mut number = 1;
        while layout
            .files
            .iter()
            .any(|file| file.starts_with(layout.root.join(&layout.outside)))
        {
            number += 1;
            layout.outside = format!("{OUTSIDE}-{number}");
        }
        layout
    }

    /// The folder that the tree's root stands for.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// All files, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// A file's place in the tree.
    pub(crate) fn place(&self, file: &Path) -> Result<TreePath, PackError> {
        let may_rename = self.referred.contains(file);
        self.place_of(file, may_rename)
    }

    fn place_of(&self, file: &Path, may_rename: bool) -> Result<TreePath, PackError> {
        let mut parts: Vec<String> = Vec::new();
        let text = |part: &std::ffi::OsStr| {
            let text = part.to_str().ok_or_else(|| PackError::NotText(file.to_owned()))?;
            Ok::<_, PackError>(if may_rename { fit(text) } else { text.to_owned() })
        };
        if let Ok(below) = file.strip_prefix(&self.root) {
            for part in below {
                parts.push(text(part)?);
            }
        } else {
            parts.push(self.outside.clone());
            for part in file.components() {
                match part {
                    Component::Normal(part) => parts.push(text(part)?),
                    Component::Prefix(prefix) => parts.push(fit(&prefix.as_os_str().to_string_lossy())),
                    Component::RootDir | Component::CurDir | Component::ParentDir => {}
                }
            }
        }
        parts.join("/").parse().map_err(|source| PackError::Path {
            path: file.to_owned(),
            source,
        })
    }

    /// What must be told of the paths that .blends store.
    pub(crate) fn stored_paths(
        &self,
        references: &[Reference],
    ) -> Result<BTreeMap<TreePath, StoredPaths>, PackError> {
        let mut told: BTreeMap<TreePath, StoredPaths> = BTreeMap::new();
        for reference in references {
            if reference.files.is_empty() || !self.files.contains(&reference.blend) {
                continue;
            }
            let blend = self.place(&reference.blend)?;
            let target = self.place_of(&reference.resolved, true)?;
            if leads_to(&blend, &reference.stored).as_deref() != Some(target.as_str()) {
                told.entry(blend)
                    .or_default()
                    .insert(reference.stored.clone(), target);
            }
        }
        Ok(told)
    }
}

/// Where a path that a .blend stores leads within the tree; nothing where it leaves it.
fn leads_to(blend: &TreePath, stored: &str) -> Option<String> {
    let stored = stored.replace('\\', "/");
    let relative = stored.strip_prefix("//")?;
    let mut parts: Vec<&str> = blend.as_str().split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A part of a path as every system can store it.
fn fit(part: &str) -> String {
    let mut fit: String = part
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\\' | '/' | ':') {
                '_'
            } else {
                c
            }
        })
        .collect();
    if fit.ends_with(['.', ' ']) {
        fit.push('_');
    }
    // A device of Windows, whatever is behind it.
    if fit.parse::<TreePath>().is_err() {
        fit.insert(0, '_');
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(blend: &str, stored: &str, resolved: &str) -> Reference {
        Reference {
            blend: blend.into(),
            stored: stored.to_owned(),
            resolved: resolved.into(),
            files: vec![resolved.into()],
        }
    }

    fn layout(references: &[Reference]) -> (Vec<String>, Vec<(String, String, String)>) {
        let main = Path::new("/home/u/show/shots/a.blend");
        let layout = Layout::of(main, BTreeSet::from([main.to_owned()]), references);
        let places = layout
            .files()
            .map(|file| layout.place(file).unwrap().to_string())
            .collect();
        let told = layout.stored_paths(references).unwrap();
        let told = told.into_iter().flat_map(|(blend, paths)| {
            paths
                .into_iter()
                .map(move |(stored, at)| (blend.to_string(), stored, at.to_string()))
        });
        (places, told.collect())
    }

    #[test]
    fn what_relative_paths_reach_keeps_its_place_and_needs_no_telling() {
        let (places, told) = layout(&[
            reference(
                "/home/u/show/shots/a.blend",
                "//../lib/t.blend",
                "/home/u/show/lib/t.blend",
            ),
            reference(
                "/home/u/show/lib/t.blend",
                "//tex\\bark.png",
                "/home/u/show/lib/tex/bark.png",
            ),
        ]);
        assert_eq!(places, ["lib/t.blend", "lib/tex/bark.png", "shots/a.blend"]);
        assert_eq!(told, []);
    }

    #[test]
    fn what_absolute_paths_name_is_told_of_the_blend_that_stores_them() {
        let (places, told) = layout(&[
            reference(
                "/home/u/show/shots/a.blend",
                "/mnt/lib/t.blend",
                "/mnt/lib/t.blend",
            ),
            reference("/mnt/lib/t.blend", "//tex/bark.png", "/mnt/lib/tex/bark.png"),
            reference(
                "/mnt/lib/t.blend",
                "/home/u/show/shots/x.png",
                "/home/u/show/shots/x.png",
            ),
            reference("/mnt/lib/t.blend", "C:\\t\\wo:od.png", "/c/t/wo:od.png"),
        ]);
        assert_eq!(
            places,
            [
                "_outside/c/t/wo_od.png",
                "a.blend",
                "x.png",
                "_outside/mnt/lib/t.blend",
                "_outside/mnt/lib/tex/bark.png",
            ]
        );
        let lib = || "_outside/mnt/lib/t.blend".to_owned();
        let told_of_lib = |stored: &str, at: &str| (lib(), stored.to_owned(), at.to_owned());
        assert_eq!(
            told,
            [
                told_of_lib("/home/u/show/shots/x.png", "x.png"),
                told_of_lib("C:\\t\\wo:od.png", "_outside/c/t/wo_od.png"),
                ("a.blend".to_owned(), "/mnt/lib/t.blend".to_owned(), lib()),
            ]
        );
    }

    #[test]
    fn a_path_that_climbs_out_of_the_tree_is_told() {
        let stored = "//../../../../../../../../up.png";
        let (places, told) = layout(&[reference("/home/u/show/shots/a.blend", stored, "/up.png")]);
        assert_eq!(places, ["home/u/show/shots/a.blend", "up.png"]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].2, "up.png");
    }

    #[test]
    fn a_name_that_not_every_system_stores_is_made_to_fit() {
        for (part, fitted) in [
            ("a:b", "a_b"),
            ("nul.png", "_nul.png"),
            ("dot.", "dot._"),
            ("käse <UDIM>.png", "käse <UDIM>.png"),
            ("\\\\server\\share", "__server_share"),
        ] {
            assert_eq!(fit(part), fitted);
        }
    }
}
