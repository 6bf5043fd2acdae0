//! From a reference that a .blend stores to files on a disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::external::{Reference, Spread};
use crate::inspection::Asset;
use crate::paths::{self, Numbered};

/// The most names read of one folder, and the most files of folders within folders.
const MOST_NAMES: usize = 200_000;
const MOST_IN_FOLDER: usize = 200_000;

/// The most files listed in all; an inspection would not end where a .blend names `/` a thousand times.
const MOST_FILES: usize = 1_000_000;

/// How deep folders in folders are followed.
const DEEPEST: usize = 16;

/// Looks references up; remembers folders that it has read.
pub(crate) struct Locator<'d, D> {
    disk: &'d D,
    folders: HashMap<PathBuf, Vec<PathBuf>>,
    listed: usize,
}

/// The .blend that stores a reference.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) file: &'a Path,
    /// It is a library and not the inspected file itself.
    pub(crate) is_library: bool,
}

impl Origin<'_> {
    /// The folder that `//` stands for.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }
}

impl<'d, D: Disk> Locator<'d, D> {
    pub(crate) fn new(disk: &'d D) -> Self {
        Self {
            disk,
            folders: HashMap::new(),
            listed: 0,
        }
    }

    /// Whether so many files were found that the rest was left out.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.listed >= MOST_FILES
    }

    /// The asset of a reference.
    pub(crate) fn locate(&mut self, reference: Reference, origin: Origin<'_>) -> Asset {
        let stored = match reference.spread {
            Spread::DiskCache => disk_cache_of(origin.file),
            _ => reference.path,
        };
        let resolved = paths::resolve(&stored, origin.folder());
        let (files, missing) = match &reference.spread {
            _ if stored.is_empty() => (Vec::new(), Vec::new()),
            Spread::One => self.sort_out([resolved.clone()]),
            Spread::Tiles(numbers) => self.tiles(&resolved, numbers),
            Spread::Listed(names) => {
                let files = names.iter().map(|name| {
                    let mut path = resolved.clone();
                    path.push(String::from_utf8_lossy(name).trim_start_matches(['/', '\\']));
                    path
                });
                self.sort_out(files)
            }
            Spread::Frames => self.frames(&resolved),
            Spread::Folder | Spread::DiskCache => self.folder(&resolved),
        };
        self.listed += files.len();
        Asset {
            kind: reference.kind,
            name: match reference.name.as_str() {
                "" => file_name(&resolved),
                name => name.to_owned(),
            },
            path: String::from_utf8_lossy(&stored).into_owned(),
            exists: missing.is_empty() && !stored.is_empty(),
            resolved: text(&resolved),
            packed: reference.packed,
            optional: reference.optional,
            library: origin.is_library.then(|| text(origin.file)),
            files,
            missing,
        }
    }

    fn sort_out(&self, paths: impl IntoIterator<Item = PathBuf>) -> (Vec<String>, Vec<String>) {
        let (there, missing): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| self.disk.has_file(path));
        let texts = |paths: Vec<PathBuf>| paths.iter().map(|path| text(path)).collect();
        (texts(there), texts(missing))
    }

    fn tiles(&self, pattern: &Path, numbers: &[i64]) -> (Vec<String>, Vec<String>) {
        let name = file_name(pattern);
        self.sort_out(
            numbers
                .iter()
                .map(|number| pattern.with_file_name(paths::tile(&name, *number))),
        )
    }

    fn frames(&mut self, one: &Path) -> (Vec<String>, Vec<String>) {
        let name = file_name(one);
        let (Some(numbered), Some(folder)) = (Numbered::parse(&name), one.parent()) else {
            return self.sort_out([one.to_owned()]);
        };
        let names = self.names_in(folder);
        let frames: Vec<String> = names
            .iter()
            .filter(|name| numbered.matches(&name.to_string_lossy()))
            .map(|name| text(&folder.join(name)))
            .collect();
        if frames.is_empty() {
            return (frames, vec![text(one)]);
        }
        (frames, Vec::new())
    }

    fn folder(&mut self, folder: &Path) -> (Vec<String>, Vec<String>) {
        if !self.disk.has_folder(folder) {
            return self.sort_out([folder.to_owned()]);
        }
        let mut files = Vec::new();
        self.add_files_in(folder, DEEPEST, &mut files);
        (files, Vec::new())
    }

    fn add_files_in(&mut self, folder: &Path, deeper: usize, files: &mut Vec<String>) {
        for name in self.disk.names_in(folder, MOST_NAMES) {
            if files.len() >= MOST_IN_FOLDER || self.listed + files.len() >= MOST_FILES {
                return;
            }
            let path = folder.join(name);
            if self.disk.has_file(&path) {
                files.push(text(&path));
            } else if deeper > 0 && self.disk.has_folder(&path) {
                self.add_files_in(&path, deeper - 1, files);
            }
        }
    }

    fn names_in(&mut self, folder: &Path) -> &[PathBuf] {
        if self.listed >= MOST_FILES {
            return &[];
        }
        self.folders
            .entry(folder.to_owned())
            .or_insert_with(|| self.disk.names_in(folder, MOST_NAMES))
    }
}

/// Caches on disk lie in a folder named after the .blend.
fn disk_cache_of(file: &Path) -> Vec<u8> {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    format!("//blendcache_{stem}").into_bytes()
}

/// A path as JSON can hold it.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
