//! Harness of the whole-system tests: real programs on loopback, real Blenders, temporary folders.
//!
//! Nothing here pretends: agents and orchestrators are the built programs, pictures are Blender's. It must not
//! know how the parts work inside; it uses what a person could use: command line, HTTP, signals, files.

mod agent;
mod blender;
pub mod chaos;
pub mod crowd;
mod encrypted;
mod farm;
pub mod figures;
pub mod fuzzing;
pub mod made_up;
mod pictures;
mod processes;
mod program;
mod prometheus;
pub mod simulation;
mod sniffer;
pub mod svg;
mod terminal;
mod translator;
mod waiting;

pub use agent::{Agent, AgentPlan};
pub use blender::{Blender, Scene, make_project};
pub use encrypted::Encrypted;
pub use farm::{Farm, FarmPlan, Said};
pub use pictures::{Picture, pictures_in};
pub use processes::{Proc, cpu_seconds, descendants, is_alive, owned_by, rss_bytes};
pub use program::{Program, build_path, free_port, http};
pub use prometheus::{Prometheus, prometheus_program, promtool_says};
pub use sniffer::Sniffer;
pub use terminal::Terminal;
pub use translator::Translator;
pub use waiting::{eventually, within};
