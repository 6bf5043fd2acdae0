//! What Farmhand's programs tell of themselves beside their APIs: logs, as JSON lines in files of bounded size,
//! and for people on stderr.
//!
//! Must not know which program it is in, or what its ids mean.

mod files;
mod lines;
mod logs;

pub use logs::{LogArgs, LogError, LogFormat, Logs, start};
