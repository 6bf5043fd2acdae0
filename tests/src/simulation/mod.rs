//! A farm in virtual time: the real engine and scheduler, and nodes, messages and faults that a seed decides.
//!
//! Nothing waits, opens a socket or reads a clock: the same plan gives the same run, byte for byte. What it must
//! not know is how the engine decides.

mod agent;
mod bound;
mod chance;
mod plan;
mod run;

pub use plan::{Faults, JobPlan, Plan};
pub use run::{Cpu, EtaCheck, Outcome, Run, Waited};
