//! The farm as a pure state machine.
//!
//! [`decide`] answers an event with facts and effects, [`schedule`] hands out work, and [`Farm::apply`] is the
//! only thing that changes what is remembered. Replaying a journal runs `apply` alone, so a better scheduler
//! never changes what an old journal means.
//!
//! Must not know async, HTTP, files, the clock, chance, or the terminal: it is told, and it answers.

mod agenda;
mod batches;
mod bitmap;
mod causes;
mod decide;
mod effect;
mod ends;
mod eta;
mod event;
mod fact;
mod farm;
mod job;
mod moved;
mod narrate;
mod node;
mod pace;
mod schedule;
mod table;
mod view;

pub use agenda::Planned;
pub use decide::{Decision, Refusal, decide};
pub use effect::Effect;
pub use ends::ended_jobs;
pub use event::{Command, Event, Report};
pub use fact::{Fact, Sighting, Stamped};
pub use farm::{Farm, Now, Policy};
pub use job::{Ban, Batch, FilmsMade, Job, JobSpec};
pub use narrate::narrate;
pub use node::{AbsentNode, Node, Presence};
pub use schedule::schedule;
pub use table::FrameTable;
