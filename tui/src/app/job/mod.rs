//! The job screen: every frame of one job as a map, its batches, how long frames take, what has come of it.

mod frame_map;
mod grid;
mod layout;
mod perform;
mod screen;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use frame_map::{FrameMap, Shade};
pub(crate) use grid::{Grid, legend, legend_entry};
pub(crate) use layout::JobLayout;
pub(super) use perform::{
    asked, farm_loaded, frame_loaded, heard, job_loaded, on_job, open, open_at, output_loaded, refresh, sync,
};
pub(crate) use screen::{JobPanel, JobScreen};
pub(crate) use subject::{availability, frame_at_cursor};
