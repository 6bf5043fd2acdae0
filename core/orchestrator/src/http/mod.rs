//! The orchestrator's HTTP API. Must not know the engine's rules: it takes apart, asks, and puts together.

mod audit;
mod blobs;
mod jobs;
mod join;
mod nodes;
mod refuse;
mod router;
mod seed;

pub(crate) use router::router;
