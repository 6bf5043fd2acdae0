//! The command line: the same verbs for people and scripts. Must not know how the dashboard draws.

mod args;
mod audit;
mod ca;
mod care;
mod control;
mod demo;
mod fetch;
mod info;
mod inspect;
pub(crate) mod jobs;
mod nodes;
pub(crate) mod print;
mod run;
mod serve;
mod shell;
mod submit;
mod token;
mod watch;
mod why;

pub(crate) use args::{Common, DashboardArgs, HostArgs};
pub use run::main;
