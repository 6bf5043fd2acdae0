//! A farm for tests: a real orchestrator on a real listener, and agents that paint text instead of pictures.

mod agent;
mod farm;

pub(crate) use agent::{FakeAgent, pixels};
pub(crate) use farm::{Farm, job, until};
