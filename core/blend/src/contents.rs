//! Everything that one .blend says, before any other file is looked at.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use crate::compositor::Tree;
use crate::external::{self, Reference};
use crate::group::Datablock;
use crate::inspect_error::InspectError;
use crate::inspection::Scene;
use crate::scene::{self, FoundScene};
use crate::walk::{Visit, walk};

/// The most of each that a file may hold.
const MOST_SCENES: usize = 10_000;
const MOST_REFERENCES: usize = 1_000_000;
const MOST_OUTPUTS: usize = 100_000;
const MOST_LIBRARIES: usize = 10_000;
const MOST_NAMES: usize = 4_000_000;

/// `Text.flags`: it runs when the file is opened.
const RUNS_AT_LOAD: i64 = 1 << 4;

/// `ChannelDriver.type`: its value is an expression's.
const DRIVER_IS_EXPRESSION: i64 = 1;

/// What one .blend says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contents {
    pub(crate) version: [u16; 3],
    pub(crate) scenes: Vec<Scene>,
    pub(crate) active_scene: Option<String>,
    pub(crate) libraries: Vec<LibraryReference>,
    pub(crate) references: Vec<Reference>,
    pub(crate) scripts: Vec<String>,
    pub(crate) scripted_drivers: u64,
    /// Scenes that are in a library.
    pub(crate) linked_scenes: Vec<String>,
    /// A datablock was too large to be read whole.
    pub(crate) incomplete: bool,
}

/// A library that a file links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LibraryReference {
    /// As stored.
    pub(crate) path: Vec<u8>,
    pub(crate) packed: bool,
    /// The file knows it only through another library.
    pub(crate) indirect: bool,
    /// Where it lay in memory; datablocks packed from it say so.
    pub(crate) address: u64,
    /// Holds what was linked from this other library and is in the file now.
    archive_of: Option<u64>,
    /// Something is linked from it.
    used: bool,
}

#[derive(Default)]
struct Reader {
    version: (u16, u16),
    subversion: u16,
    open_scene: Option<u64>,
    scenes: Vec<FoundScene>,
    /// Objects and linked datablocks by address.
    names: HashMap<u64, Box<str>>,
    trees: HashMap<u64, Tree>,
    libraries: Vec<LibraryReference>,
    references: Vec<Reference>,
    /// Names in the lists of references.
    listed: usize,
    scripts: Vec<String>,
    scripted_drivers: u64,
    linked_scenes: Vec<String>,
    incomplete: bool,
}

impl Contents {
    /// Reads a .blend from its start.
    pub(crate) fn read<R: Read + Seek>(file: &mut R) -> Result<Self, InspectError> {
        let mut reader = Reader::default();
        walk(file, &mut reader)?;
        reader.finish()
    }
}

impl Visit for Reader {
    fn begin(&mut self, version: (u16, u16)) {
        self.version = version;
    }

    fn datablock(
        &mut self,
        code: [u8; 4],
        address: u64,
        data: &Datablock<'_>,
        incomplete: bool,
    ) -> Result<(), InspectError> {
        self.incomplete |= incomplete;
        match &code {
            b"GLOB" => {
                if let Some(global) = data.first("FileGlobal") {
                    let subversion = global.int("subversion").unwrap_or_default();
                    self.subversion = u16::try_from(subversion).unwrap_or_default();
                    self.open_scene = global.pointer("curscene");
                }
            }
            b"SC\0\0" => self.scene(address, data),
            b"NT\0\0" => self.node_tree(address, data),
            b"OB\0\0" => self.name(address, data.first("Object").map(|object| object.id_name())),
            b"ID\0\0" => self.linked(address, data),
            b"LI\0\0" => self.library(address, data),
            b"TX\0\0" => self.text(data),
            _ => {}
        }
        let drivers = data.all("ChannelDriver");
        let scripted = drivers.filter(|driver| driver.int("type") == Some(DRIVER_IS_EXPRESSION));
        self.scripted_drivers += scripted.count() as u64;
        let found = external::read(code, data);
        self.listed += found.iter().map(Reference::listed).sum::<usize>();
        self.references.extend(found);
        for (what, count, limit) in [
            ("scenes", self.scenes.len(), MOST_SCENES),
            (
                "references to files",
                self.references.len() + self.listed,
                MOST_REFERENCES,
            ),
            ("libraries", self.libraries.len(), MOST_LIBRARIES),
            ("objects", self.names.len(), MOST_NAMES),
        ] {
            if count > limit {
                let limit = limit as u64;
                return Err(InspectError::TooMany { what, limit });
            }
        }
        Ok(())
    }
}

impl Reader {
    fn scene(&mut self, address: u64, data: &Datablock<'_>) {
        let lead = data.lead();
        if let Some(packed) = lead.filter(|lead| lead.pointer("id.lib").is_some()) {
            self.linked_scenes.push(packed.id_name());
            return;
        }
        self.scenes.extend(scene::read(data, address, self.version));
    }

    fn name(&mut self, address: u64, name: Option<String>) {
        if let Some(name) = name {
            self.names.insert(address, name.into_boxed_str());
        }
    }

    fn node_tree(&mut self, address: u64, data: &Datablock<'_>) {
        let tree = Tree::read(data);
        if !tree.outputs.is_empty() || !tree.groups.is_empty() {
            self.trees.insert(address, tree);
        }
    }

    /// A datablock that is in a library: only its name is here.
    fn linked(&mut self, address: u64, data: &Datablock<'_>) {
        let Some(id) = data.first("ID") else { return };
        // They are written behind their library.
        if let Some(library) = self.libraries.last_mut() {
            library.used = true;
        }
        if id.bytes("name").is_some_and(|name| name.starts_with(b"SC")) {
            self.linked_scenes.push(id.id_name());
        }
        self.name(address, Some(id.id_name()));
    }

    fn library(&mut self, address: u64, data: &Datablock<'_>) {
        let Some(library) = data.first("Library") else {
            return;
        };
        let archive_of = library.pointer("archive_parent_library");
        self.libraries.push(LibraryReference {
            path: external::stored_path(&library).to_vec(),
            packed: library.pointer("packedfile").is_some(),
            indirect: library.pointer("parent").is_some(),
            address,
            archive_of,
            used: false,
        });
    }

    fn text(&mut self, data: &Datablock<'_>) {
        let text = data.first("Text").filter(|text| text.flag("flags", RUNS_AT_LOAD));
        self.scripts.extend(text.map(|text| text.id_name()));
    }

    /// What refers to another datablock can be answered when all are known.
    fn finish(self) -> Result<Contents, InspectError> {
        let Reader {
            version: (major, minor),
            names,
            trees,
            ..
        } = self;
        let open = |found: &&FoundScene| Some(found.address) == self.open_scene;
        let active_scene = self
            .scenes
            .iter()
            .find(open)
            .or_else(|| self.scenes.first())
            .map(|found| found.scene.name.clone());
        let mut scenes = Vec::new();
        let mut outputs = 0;
        for found in self.scenes {
            let mut scene = found.scene;
            let camera = found.camera.and_then(|address| names.get(&address));
            scene.camera = camera.map(ToString::to_string);
            add_outputs_of_groups(&mut scene, found.trees, &trees);
            outputs += scene.file_outputs.len();
            if outputs > MOST_OUTPUTS {
                return Err(InspectError::TooMany {
                    what: "file-output nodes",
                    limit: MOST_OUTPUTS as u64,
                });
            }
            scenes.push(scene);
        }
        Ok(Contents {
            version: [major, minor, self.subversion],
            scenes,
            active_scene,
            libraries: needed(self.libraries),
            references: self.references,
            scripts: self.scripts,
            scripted_drivers: self.scripted_drivers,
            linked_scenes: self.linked_scenes,
            incomplete: self.incomplete,
        })
    }
}

/// A library that nothing is linked from is forgotten when the file is opened, unless it was packed.
fn needed(mut libraries: Vec<LibraryReference>) -> Vec<LibraryReference> {
    let archived: HashSet<u64> = libraries
        .iter()
        .filter_map(|library| library.archive_of)
        .collect();
    libraries.retain_mut(|library| {
        let archived = library.archive_of.is_some() || archived.contains(&library.address);
        library.packed |= archived && !library.used;
        library.used || archived
    });
    libraries
}

/// Groups may use each other in circles; each counts once.
fn add_outputs_of_groups(scene: &mut Scene, mut waiting: Vec<u64>, trees: &HashMap<u64, Tree>) {
    let mut seen = HashSet::new();
    while let Some(address) = waiting.pop() {
        let Some(tree) = trees.get(&address).filter(|_| seen.insert(address)) else {
            continue;
        };
        scene.file_outputs.extend(tree.outputs.iter().cloned());
        waiting.extend(&tree.groups);
    }
}
