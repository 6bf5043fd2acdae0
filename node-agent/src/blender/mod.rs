//! Blender processes: started by one thread, driven over pipes, kept warm, watched. This module must not know
//! batches, HTTP, or where files go in the end.

mod ahead;
mod loader;
mod log;
mod memory;
mod message;
mod parked;
mod process;
mod spawner;
mod warm;
mod watch;

pub(crate) use log::Log;
pub use message::read_driver_line;
pub use spawner::Spawner;

pub(crate) use ahead::{Ahead, Conditions};
pub(crate) use loader::{Loaded, Loader, ask, device};
pub(crate) use message::{Command, Message, Rendered};
pub(crate) use parked::{Parked, Ready};
pub(crate) use warm::Warm;
pub(crate) use watch::{NoFrame, Sign, Watch};
