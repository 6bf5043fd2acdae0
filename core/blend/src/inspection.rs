//! What an inspected .blend says: the shape that `farmhand inspect --json` prints.
//!
//! Field names are a contract; fields may be added.

use serde::Serialize;

/// What a .blend says about its rendering and about the files it needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The path that was asked for.
    pub file: String,
    /// What `bpy.data.version` says of the file: major, minor, and the *file's* subversion (Blender 3.4.1
    /// writes 3, 4, 6). The patch release that wrote a file is not in it.
    pub version: [u16; 3],
    /// The file's own scenes, in the file's order.
    pub scenes: Vec<Scene>,
    /// The scene that was open when the file was saved; null only where the file has none.
    pub active_scene: Option<String>,
    /// Every library, those that only libraries link too; one entry each.
    pub libraries: Vec<Library>,
    /// Every other file that it or one of its libraries refers to.
    pub assets: Vec<Asset>,
    /// Texts that Blender runs when it opens the file, where it is allowed to.
    pub scripts: Vec<Script>,
    /// How many drivers of this file have a Python expression.
    pub scripted_drivers: u64,
    /// Libraries that link each other in a circle, each circle as the files along it.
    pub library_cycles: Vec<Vec<String>>,
    /// One line each, for people.
    pub warnings: Vec<String>,
}

/// A scene's settings, as they are stored.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent switches of Blender's"
)]
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scene {
    /// Its name.
    pub name: String,
    /// First frame.
    pub frame_start: i64,
    /// Last frame.
    pub frame_end: i64,
    /// Frames from one to the next.
    pub frame_step: i64,
    /// Frames per second, to be divided by `fps_base`.
    pub fps: i64,
    /// See `fps`; 1.0010000467300415 for 29.97.
    pub fps_base: f64,
    /// Width and height in pixels, and the percentage of them that is rendered.
    pub resolution: [i64; 3],
    /// Blender's identifier: `CYCLES`, `BLENDER_EEVEE`, `BLENDER_EEVEE_NEXT`, `BLENDER_WORKBENCH` ...
    pub engine: String,
    /// The camera object's name.
    pub camera: Option<String>,
    /// Blender's identifier: `PNG`, `OPEN_EXR`, `FFMPEG` ...
    pub file_format: String,
    /// Whether that format is a movie and not an image for each frame.
    pub movie: bool,
    /// Where it renders to, as Blender shows it.
    pub output_path: String,
    /// In order; a scene of Blender 2.7 calls them render layers.
    pub view_layers: Vec<ViewLayer>,
    /// File-output nodes of the compositor that are reached, groups included.
    pub file_outputs: Vec<FileOutput>,
    /// Whether compositor nodes run.
    pub compositing: bool,
    /// Whether the sequencer is rendered where it has strips.
    pub sequencer: bool,
    /// Whether there is a picture for each eye (or view).
    pub multiview: bool,
    /// `CPU` or `GPU`, for Cycles.
    pub device: Option<String>,
    /// Whether the final picture is denoised, where the file tells.
    pub denoising: Option<bool>,
    /// Samples of the final picture, where the file tells.
    pub samples: Option<i64>,
}

/// A view layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewLayer {
    /// Its name.
    pub name: String,
    /// Whether it is rendered.
    pub enabled: bool,
}

/// A node that writes files of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileOutput {
    /// The node's name.
    pub node: String,
    /// The folder it writes to, as stored.
    pub path: String,
    /// Blender's identifier of its format.
    pub file_format: String,
    /// Its inputs' own paths below the folder; for a multilayer file, the layers.
    pub slots: Vec<String>,
    /// A muted node writes nothing.
    pub muted: bool,
}

/// A .blend that another one links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Library {
    /// As Blender shows it: as stored, or relative to the inspected file where a library stores it
    /// relative to itself.
    pub path: String,
    /// Where it is on this disk.
    pub resolved: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether its contents are in the file that links it.
    pub packed: bool,
    /// Whether only another library links it.
    pub indirect: bool,
    /// The resolved paths of the files that link it.
    pub linked_by: Vec<String>,
    /// The paths that these files store, each of them once.
    pub links: Vec<LibraryLink>,
}

/// How one file names a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryLink {
    /// The resolved path of the file that links it.
    pub by: String,
    /// The library's path as stored there.
    pub path: String,
}

/// What kind of file an asset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// One image.
    Image,
    /// Images by frame number.
    Sequence,
    /// Images by tile number.
    Udim,
    /// A sound.
    Sound,
    /// A movie, in a clip, an image or the sequencer.
    Movie,
    /// A font.
    Font,
    /// An `OpenVDB` file, or one for each frame.
    Volume,
    /// Alembic, USD, point caches, simulations: files or folders.
    Cache,
    /// A script of an OSL node.
    ShaderScript,
    /// An IES file of a light.
    LightProfile,
}

/// A file, or several under one name, that rendering reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// The datablock, object, node or strip that refers to it.
    pub name: String,
    /// As stored.
    pub path: String,
    /// Where it is on this disk; for several files, with the part that stands for their number.
    pub resolved: String,
    /// Whether all of it is there: of an image sequence at least one image, of tiles every one.
    pub exists: bool,
    /// Whether its contents are in the .blend, so that the file is not needed.
    pub packed: bool,
    /// Whether Blender makes it itself where it is missing: the folder of a simulation not yet baked.
    pub optional: bool,
    /// The library that refers to it, resolved; null for the inspected file itself.
    pub library: Option<String>,
    /// Every file on this disk that belongs to it.
    pub files: Vec<String>,
    /// Files that it names and that are not there.
    pub missing: Vec<String>,
}

impl Asset {
    /// Whether rendering needs it and it is not there.
    pub fn is_missing(&self) -> bool {
        !self.exists && !self.packed && !self.optional
    }
}

/// A text that runs when the file is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The text's name.
    pub name: String,
    /// The library that holds it, resolved; null for the inspected file itself.
    pub library: Option<String>,
}
