//! The orchestrator: carries out what the engine decides. It keeps the journal, talks to agents, brings frames
//! home, and serves the farm's API.
//!
//! [`start`] opens a data folder and listens; [`Running::shutdown`] commits and stops while agents render on.
//! It is crash-only: starting is recovery. It must not know any rule of the farm. The only process that it starts is the
//! command that the farm's owner wants to be told by, which does not outlive it.

mod address;
mod agent;
mod audit;
mod blobs;
mod board;
mod care;
mod certificates;
mod codec;
mod config;
mod delivery;
mod discovery;
mod films;
mod front;
mod hold;
mod http;
mod inbox;
mod journal;
mod kept_logs;
mod link;
mod links;
mod log;
mod memory;
mod metrics;
mod neighbours;
mod notify;
mod output;
mod owner;
mod rehearsal;
mod retention;
mod running;
mod scene;
mod spans;
mod sqlite;
mod submissions;
mod telemetry;
mod touched;
mod upload;

pub use address::{AddressError, agent_address};
pub use care::{Backup, BackupError, Checkup, back_up, check_up};
pub use config::Config;
pub use discovery::{Discover, DiscoverError, Resolve};
pub use farmhand_engine::Policy;
pub use hold::{HoldError, Holder};
pub use journal::JournalError;
pub use links::PlainAgent;
pub use notify::{Notify, Secret, SecretError, Webhook, WebhookError};
pub use rehearsal::{Rehearsal, RehearsalError};
pub use retention::Bounds;
pub use running::{Running, StartError, start};
pub use scene::{DefaultScene, SceneInTheMaking};
