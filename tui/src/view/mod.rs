//! Drawing the model. It reads and never decides; it must not know the network, files or the clock.

mod batches;
mod columns;
mod details;
mod events;
mod farm;
mod footer;
mod form;
mod frame;
mod header;
mod help;
mod job;
mod jobs;
mod log;
mod look;
mod node;
mod nodes;
mod overlay;
mod palette;
mod preview;
#[cfg(test)]
pub(crate) mod snapshots;
#[cfg(test)]
mod snapshots_of_files;
mod state;
mod table;
#[cfg(test)]
mod terminals;
mod text;
mod theme;
mod why;

pub(crate) use columns::column_titles;
#[cfg(test)]
pub(crate) use footer::footer_text;
pub(crate) use footer::hint_at;
pub(crate) use frame::draw;
pub(crate) use help::help_lines;
#[cfg(test)]
pub(crate) use help::help_text;
#[cfg(test)]
pub(crate) use jobs::expected_end;
pub(crate) use log::wrapped_lines;
pub(crate) use look::{Environment, Look};
pub(crate) use theme::Theme;
