//! Reads .blend files without Blender.
//!
//! [`inspect`] tells what a file renders and which other files it needs; [`read_head`] only who wrote it and
//! its scenes' frame ranges, from its first kilobytes.
//!
//! Input is bytes that anyone may have made: time and memory are bounded, and nothing panics. Everything
//! behind the file's header is found through the description of structs that each .blend carries, by name
//! and type, so that one reader serves all versions. This crate must not know the farm.

mod compositor;
mod contents;
mod disk;
mod dna;
mod external;
mod file_format;
mod fuzz;
mod group;
mod head;
mod header;
mod id_property;
mod inspect;
mod inspect_error;
mod inspection;
mod interest;
mod locate;
mod paths;
mod record;
mod scene;
mod source;
mod summary;
mod unpack;
mod walk;

pub use fuzz::fuzz;
pub use head::{BlendHead, HeadError, SceneRange, read_head};
pub use inspect::inspect;
pub use inspect_error::InspectError;
pub use inspection::{
    Asset, AssetKind, FileOutput, Inspection, Library, LibraryLink, Scene, Script, ViewLayer,
};
pub use summary::Missing;
