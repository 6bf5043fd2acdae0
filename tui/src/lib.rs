//! The dashboard and the command line of Farmhand.
//!
//! It sends commands to an orchestrator and shows what it answers, over the same HTTP API as anyone; it may
//! start one in its own process. It must not know the journal, the engine or nodes' APIs.

mod agents;
mod app;
mod causes;
mod cli;
mod dashboard;
mod default_scene;
mod handover;
mod host;
mod new_job;
mod pictures;
mod place;
pub mod rehearsal;
mod scene;
mod settings;
mod view;
mod words;

pub use cli::main;
