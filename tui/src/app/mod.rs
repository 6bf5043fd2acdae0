//! The dashboard's model: what is known, what is shown, and how messages change it. Pure: it must not know
//! the terminal, the network, files or the clock; it is told, and it answers with commands.

mod act;
mod clipboard;
mod cursor;
mod data;
mod details;
mod dialog;
mod farm_screen;
mod filter;
#[cfg(test)]
mod finding_tests;
#[cfg(test)]
pub(crate) mod fixture;
mod forget;
mod form;
mod help;
mod job;
mod keys;
mod layout;
mod live;
mod log;
mod message;
mod model;
mod mouse;
mod node_screen;
mod palette;
mod preview;
mod prompt;
mod queue;
mod rows;
#[cfg(test)]
mod safety_tests;
mod scroll;
mod search;
mod sort;
mod submit;
#[cfg(test)]
mod submit_tests;
mod undo;
mod update;
#[cfg(test)]
mod update_tests;
mod why;

pub(crate) use act::availability;
pub(crate) use cursor::Cursor;
pub(crate) use data::{Farm, NodeEntry, NodeRow, Snapshot};
pub(crate) use details::Details;
pub(crate) use dialog::Dialog;
pub(crate) use filter::Filter;
pub(crate) use form::{Draft, Field, SceneFile, SubmitForm, expand};
pub(crate) use help::Help;
pub(crate) use job::{
    FrameMap, Grid, JobLayout, JobPanel, JobScreen, Shade, frame_at_cursor, legend, legend_entry,
};
pub(crate) use keys::{Action, Chord, Context, Found, Keymap};
pub(crate) use layout::{Layout, MIN_SIZE, Panel, Shares, Table, visible_rows};
pub(crate) use live::{hear, settle};
pub(crate) use log::{Level, LogLine, LogPage, Reading, number_width, text_width};
pub(crate) use message::{Act, Command, Leave, Msg, PathHit, Target};
pub(crate) use model::{Link, Model, Overlay, Screen, Stage, Tone, Typed};
pub(crate) use node_screen::NodeScreen;
pub(crate) use palette::Palette;
#[cfg(test)]
pub(crate) use preview::Side;
pub(crate) use preview::{
    Pane, PictureRequest, Preview, PreviewLayout, ShownFrame, ShownPicture, Which, standing,
};
pub(crate) use prompt::Prompt;
pub(crate) use rows::Shown;
pub(crate) use search::Search;
pub(crate) use sort::{BatchSort, JobSort, NodeSort, Sort, SortColumn};
pub(crate) use submit::{TestFrame, dry_run};
pub(crate) use update::{leave_at_once, update};
pub(crate) use why::{Subject as WhySubject, WhyPage};
