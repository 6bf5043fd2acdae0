//! Pictures for a terminal: fetched, decoded, fitted and encoded, away from the thread that draws. Must not
//! know the dashboard's model, but for what it is asked and what it answers.

mod decode;
mod encode;
mod gallery;
mod terminal;

pub(crate) use encode::Picture;
pub(crate) use gallery::Gallery;
pub(crate) use terminal::painter;
