//! The agent's batches as a state machine without I/O: it is told what was asked and what happened, and says
//! what changed. Must not know Blender, files, HTTP, jobs, retries, or other nodes.

mod batch;
mod board;
mod change;
mod seat;
mod sharing;

pub(crate) use board::Batches;
pub(crate) use change::{Cancelled, Change, LoadAhead, StartError};
pub(crate) use sharing::{Learnt, Machine, Sharing};
