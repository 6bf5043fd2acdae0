//! Typed client of the orchestrator's API: calls, events with reconnect, packing and uploading scenes,
//! bringing frames home.
//!
//! The dashboard, the command line and tests use it alike. It must not know the engine, the journal, nodes'
//! APIs or the terminal.

mod call;
mod events;
mod farm;
mod fetch;
mod layout;
mod pack;
mod upload;

pub use call::CallError;
pub use events::FarmSignal;
pub use farm::FarmClient;
pub use farmhand_http::{AddressError, FarmAddress};
pub use fetch::{FetchError, Fetched, FrameFetcher};
pub use layout::Reference;
pub use pack::{PackError, PackedScene, absolute, pack_scene, share_scene};
pub use upload::{Upload, UploadError};
