//! A .blend and all libraries behind it, as one inspection.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::contents::Contents;
use crate::disk::{Disk, RealDisk};
use crate::inspect_error::InspectError;
use crate::inspection::{Inspection, Library, LibraryLink, Script};
use crate::locate::{Locator, Origin, text};
use crate::paths;

/// The most libraries opened for one file.
const MOST_LIBRARIES: usize = 2000;

/// Inspects a .blend on this machine's disk, and the libraries that it links. Starts no Blender.
///
/// A library that is missing or broken is a warning; the file itself must be whole.
///
/// # Errors
/// When the file cannot be read, is no .blend, or is cut off, damaged or a bomb.
pub fn inspect(path: &Path) -> Result<Inspection, InspectError> {
    inspect_on(&RealDisk, path)
}

/// The same on any disk.
pub(crate) fn inspect_on<D: Disk>(disk: &D, path: &Path) -> Result<Inspection, InspectError> {
    let file = std::path::absolute(path).map_err(InspectError::Unreadable)?;
    let mut opened = disk.open(&file).map_err(InspectError::Unreadable)?;
    let mut main = Contents::read(&mut opened)?;
    drop(opened);

    let mut survey = Survey::new(disk, &file);
    survey.take_in(&mut main, 0);
    survey.open_libraries();
    let mut inspection = Inspection {
        file: text(path),
        version: main.version,
        scenes: main.scenes,
        active_scene: main.active_scene,
        libraries: Vec::new(),
        assets: Vec::new(),
        scripts: Vec::new(),
        scripted_drivers: main.scripted_drivers,
        library_cycles: Vec::new(),
        warnings: Vec::new(),
    };
    for scene in &inspection.scenes {
        if matches!(scene.engine.as_str(), "BLENDER_RENDER" | "BLENDER_GAME") {
            survey.warnings.push(format!(
                "scene {} is for Blender's old internal renderer; Blender from 2.80 on renders it with Eevee",
                scene.name
            ));
        }
    }
    for name in main.linked_scenes {
        survey.warnings.push(format!("scene {name} is in a library"));
    }
    survey.finish(&mut inspection);
    Ok(inspection)
}

/// A file on the way through libraries.
struct Node {
    path: PathBuf,
    links: Vec<usize>,
    linked_by: Vec<usize>,
    /// Who names it how.
    named: BTreeSet<(usize, String)>,
    /// As Blender shows it; the inspected file itself has none.
    shown: String,
    packed: bool,
    direct: bool,
    exists: bool,
}

struct Survey<'d, D> {
    disk: &'d D,
    locator: Locator<'d, D>,
    /// The inspected file first.
    nodes: Vec<Node>,
    by_path: HashMap<PathBuf, usize>,
    assets: Vec<crate::inspection::Asset>,
    scripts: Vec<Script>,
    warnings: Vec<String>,
}

impl<'d, D: Disk> Survey<'d, D> {
    fn new(disk: &'d D, file: &Path) -> Self {
        let main = Node {
            path: file.to_owned(),
            links: Vec::new(),
            linked_by: Vec::new(),
            named: BTreeSet::new(),
            shown: String::new(),
            packed: false,
            direct: false,
            exists: true,
        };
        Self {
            disk,
            locator: Locator::new(disk),
            nodes: vec![main],
            by_path: HashMap::from([(disk.real_path(file), 0)]),
            assets: Vec::new(),
            scripts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds what a file refers to.
    fn take_in(&mut self, contents: &mut Contents, node: usize) {
        let file = self.nodes[node].path.clone();
        let origin = Origin {
            file: &file,
            is_library: node != 0,
        };
        let homes: HashMap<u64, PathBuf> = contents
            .libraries
            .iter()
            .map(|library| (library.address, paths::resolve(&library.path, origin.folder())))
            .collect();
        for reference in std::mem::take(&mut contents.references) {
            let home = reference.library.and_then(|library| homes.get(&library));
            let origin = home.map_or(origin, |file| Origin {
                file,
                is_library: true,
            });
            self.assets.push(self.locator.locate(reference, origin));
        }
        for name in std::mem::take(&mut contents.scripts) {
            let library = origin.is_library.then(|| text(&file));
            self.scripts.push(Script { name, library });
        }
        if contents.incomplete {
            self.warnings.push(format!(
                "{} holds a datablock too large to be read whole; files may be missing from the list",
                text(&file)
            ));
        }
        for library in std::mem::take(&mut contents.libraries) {
            if library.path.is_empty() {
                continue;
            }
            let path = paths::resolve(&library.path, origin.folder());
            let shown = self.shown(&library.path, &path, node);
            let direct = node == 0 && !library.indirect;
            let to = self.link(node, path, shown, library.packed, direct);
            let stored = String::from_utf8_lossy(&library.path).into_owned();
            self.nodes[to].named.insert((node, stored));
        }
    }

    fn shown(&self, stored: &[u8], path: &Path, from: usize) -> String {
        if from == 0 || !stored.starts_with(b"//") {
            return paths::shown(&String::from_utf8_lossy(stored));
        }
        let main = self.nodes[0].path.parent().unwrap_or(Path::new("/"));
        paths::relative(path, main)
    }

    fn link(&mut self, from: usize, path: PathBuf, shown: String, packed: bool, direct: bool) -> usize {
        let real = self.disk.real_path(&path);
        let known = self.by_path.get(&real).copied();
        let to = known.unwrap_or_else(|| {
            self.by_path.insert(real, self.nodes.len());
            self.nodes.push(Node {
                exists: self.disk.has_file(&path),
                path,
                links: Vec::new(),
                linked_by: Vec::new(),
                named: BTreeSet::new(),
                shown,
                packed,
                direct,
            });
            self.nodes.len() - 1
        });
        let node = &mut self.nodes[to];
        node.direct |= direct;
        // Where one who links it does not hold it, the file is needed.
        node.packed &= packed;
        if !node.linked_by.contains(&from) {
            node.linked_by.push(from);
            self.nodes[from].links.push(to);
        }
        to
    }

    /// Goes through libraries as they are found; each is opened once, so circles end.
    fn open_libraries(&mut self) {
        let mut next = 1;
        while next < self.nodes.len() {
            if next > MOST_LIBRARIES {
                self.warnings.push(format!(
                    "more than {MOST_LIBRARIES} libraries; the others were not opened"
                ));
                return;
            }
            let path = self.nodes[next].path.clone();
            if self.nodes[next].exists {
                let opened = self.disk.open(&path).map_err(InspectError::Unreadable);
                match opened.and_then(|mut file| Contents::read(&mut file)) {
                    Ok(mut contents) => self.take_in(&mut contents, next),
                    Err(error) => self.warnings.push(format!("library {}: {error}", text(&path))),
                }
            } else if !self.nodes[next].packed {
                self.warnings.push(format!("library {} is missing", text(&path)));
            }
            next += 1;
        }
    }

    fn finish(mut self, inspection: &mut Inspection) {
        // What was packed from a library is met again in that library.
        let mut seen = HashSet::new();
        self.assets.retain(|asset| {
            seen.insert((
                asset.kind,
                asset.name.clone(),
                asset.resolved.clone(),
                asset.library.clone(),
            ))
        });
        for asset in &self.assets {
            if asset.is_missing() {
                let first = asset.missing.first().unwrap_or(&asset.resolved);
                self.warnings
                    .push(format!("{} is missing ({})", first, asset.name));
            }
        }
        if self.locator.is_incomplete() {
            self.warnings
                .push("so many files belong to it that not all are listed".to_owned());
        }
        inspection.library_cycles = self.cycles();
        for cycle in &inspection.library_cycles {
            self.warnings.push(format!(
                "libraries link each other in a circle: {}",
                cycle.join(" -> ")
            ));
        }
        let path_of = |node: &usize| text(&self.nodes[*node].path);
        inspection.libraries = self.nodes[1..]
            .iter()
            .map(|node| Library {
                path: node.shown.clone(),
                resolved: text(&node.path),
                exists: node.exists,
                packed: node.packed,
                indirect: !node.direct,
                linked_by: node.linked_by.iter().map(path_of).collect(),
                links: node
                    .named
                    .iter()
                    .map(|(by, path)| LibraryLink {
                        by: path_of(by),
                        path: path.clone(),
                    })
                    .collect(),
            })
            .collect();
        inspection.assets = self.assets;
        inspection.scripts = self.scripts;
        inspection.warnings = self.warnings;
    }

    /// Each circle once, found by following links from the inspected file.
    fn cycles(&self) -> Vec<Vec<String>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnTheWay,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        let mut cycles = Vec::new();
        // The way from the inspected file to here, with the next link to follow of each.
        let mut way = vec![(0, 0)];
        marks[0] = Mark::OnTheWay;
        while let Some((node, link)) = way.last_mut() {
            let (here, next) = (*node, self.nodes[*node].links.get(*link).copied());
            *link += 1;
            match next {
                None => {
                    marks[here] = Mark::Done;
                    way.pop();
                }
                Some(next) if marks[next] == Mark::New => {
                    marks[next] = Mark::OnTheWay;
                    way.push((next, 0));
                }
                Some(next) if marks[next] == Mark::OnTheWay => {
                    let start = way.iter().position(|(node, _)| *node == next).unwrap_or(0);
                    let mut circle: Vec<String> = way[start..]
                        .iter()
                        .map(|(node, _)| text(&self.nodes[*node].path))
                        .collect();
                    circle.push(text(&self.nodes[next].path));
                    cycles.push(circle);
                }
                Some(_) => {}
            }
        }
        cycles
    }
}
