//! The dashboard's model: what is known, what is shown, and how messages change it. Pure: it must not know
//! the terminal, the network, files or the clock; it is told, and it answers with commands.

mod act;
mod cursor;
mod data;
mod details;
mod dialog;
#[cfg(test)]
pub(crate) mod fixture;
mod form;
mod keys;
mod layout;
mod message;
mod model;
mod update;
#[cfg(test)]
mod update_tests;

pub(crate) use act::availability;
pub(crate) use cursor::Cursor;
pub(crate) use data::{Farm, NodeEntry, NodeRow, Snapshot};
pub(crate) use details::Details;
pub(crate) use dialog::{Dialog, Prompt};
pub(crate) use form::{Field, SubmitForm, expand};
pub(crate) use keys::{Action, Binding, Context, action, bindings};
pub(crate) use layout::{Layout, MIN_SIZE, Panel, visible_rows};
pub(crate) use message::{Act, Command, Leave, Msg, PathHit, Target};
pub(crate) use model::{Link, Model, Overlay, Screen, Stage, Tone};
pub(crate) use update::{leave_at_once, update};
