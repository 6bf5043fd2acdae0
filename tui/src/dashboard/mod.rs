//! The running dashboard: reads the terminal and the farm, feeds the model, carries out its commands, draws
//! when something changed. Must not decide what a key means or how anything looks.

mod carry;
mod files;
mod look_up;
mod open;
mod paths;
mod run;
mod scene_file;
mod terminal;

pub(crate) use open::{connect, demo, open};
