//! The node agent: a small HTTP API around Blender processes.
//!
//! It renders the batches of frames that it is given and keeps each finished frame until it is told that the
//! frame is safe. It must not know jobs, retries, scheduling, or who talks to it (but what registers it where it is
//! told to); of other nodes only that a caller may name some where blobs can be had.
//!
//! - [`Agent::start`] runs one; the binary `farmhand-agent` is little more than that
//! - [`engines`] finds, probes and installs Blenders
//! - [`make_demo_scene`] makes the scene that is rendered where nobody named one

mod agent;
mod announce;
mod batches;
mod blender;
mod config;
mod data_folder;
mod demo;
mod durable;
pub mod engines;
mod hardware;
mod http;
mod join;
mod load_ahead;
mod local;
mod membership;
mod metrics;
mod path_map;
mod picture;
mod prepare;
mod pull;
mod slot;
mod stages;
mod store;
mod structure;

pub use agent::{Agent, Running, StartAgentError};
pub use blender::{Spawner, read_driver_line};
pub use config::{Config, Slots, SlotsError, default_data_folder, default_name};
pub use data_folder::DataFolderError;
pub use demo::{DemoError, make_demo_scene};
pub use join::{Advertised, AdvertisedError};
pub use membership::JoinFarmError;
pub use path_map::{PathMap, PathMapError};
