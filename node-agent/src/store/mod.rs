//! What an agent keeps on disk: blobs by content, scenes made of them, and the spool of finished frames. Must
//! not know Blender or HTTP.

mod blobs;
mod scenes;
mod spool;

pub(crate) use blobs::Blobs;
pub(crate) use scenes::{LaidOut, SceneError, Scenes};
pub(crate) use spool::{Recovered, Spool};
