//! The whole orchestrator, with agents that paint text instead of pictures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod contract;
mod delivery;
mod discovery;
mod drain;
mod notify;
mod retention;
mod support;
