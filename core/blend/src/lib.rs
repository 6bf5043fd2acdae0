//! Reads .blend files without Blender: today the header and the scenes' frame ranges.
//!
//! Input is bytes that anyone may have made: reading is bounded and never panics. This crate must not know
//! files, the farm, or any version of Blender by name.

mod head;
mod unpack;

pub use head::{BlendHead, HeadError, SceneRange, read_head};
