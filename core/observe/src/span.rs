//! A span: something that took time, as part of something else.

use farmhand_protocol::{SpanContext, SpanId};
use jiff::Timestamp;

/// Something that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Which span of which trace.
    pub context: SpanContext,
    /// What it was part of; nothing for the first of a trace.
    pub parent: Option<SpanId>,
    /// What was done, the same for all of a kind.
    pub name: &'static str,
    /// Whether another program was asked to do it.
    pub kind: Kind,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What it was about.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Whose work a span tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This program's own.
    Internal,
    /// A call that this program made.
    Client,
}

/// Of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text or an id.
    Text(String),
    /// A number.
    Number(i64),
}

impl Value {
    /// Of an id.
    pub fn of(id: impl std::fmt::Display) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}
