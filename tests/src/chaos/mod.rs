//! Breaks a farm while it renders, and proves that nothing was lost, doubled or left behind.
//!
//! Agents, orchestrator, network, disks and `SQLite` are real; only Blender is played by a stand-in, for speed. The
//! harness knows no more than an administrator does: processes, signals, files, HTTP, and the journal's rows.

mod cast;
mod checker;
mod clock;
mod disk;
mod fault;
mod ledger;
mod link;
mod memory;
mod report;
mod run;
mod stage;

pub use fault::Kind;
pub use report::Report;
pub use run::{Plan, Sabotage, run};
