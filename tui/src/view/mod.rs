//! Drawing the model. It reads and never decides; it must not know the network, files or the clock.

mod batches;
mod details;
mod events;
mod farm;
mod footer;
mod form;
mod frame;
mod header;
mod help;
mod jobs;
mod look;
mod nodes;
mod overlay;
mod palette;
#[cfg(test)]
mod snapshots;
mod state;
mod table;
mod text;

pub(crate) use frame::draw;
pub(crate) use help::help_lines;
#[cfg(test)]
pub(crate) use help::help_text;
pub(crate) use look::Look;
