//! The Blenders of this machine: where they are, what each can do, which one renders a scene, and how to get
//! one. Must not know batches or HTTP.

mod choose;
mod discover;
mod path;
mod probe;
mod setup;

pub use choose::choose;
pub use discover::{NO_ENGINE, discover, engines_folder};
pub use path::EnginePath;
pub use probe::Engine;
pub(crate) use probe::probe;
pub use setup::{SetupError, setup};
