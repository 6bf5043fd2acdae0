//! What a farm remembers of who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Header with the name of whoever calls, as their own machine has it: a hint for people, proof of nothing.
pub const USER_HEADER: &str = "farmhand-user";

/// A call that changed something, or was meant to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Grows by one with each entry.
    pub seq: u64,
    /// When it was answered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who called, as they name themselves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Where the call came from; a proxy's address where one stands between.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Method and path: `POST /v1/jobs/j7/cancel`.
    pub call: String,
    /// Its body, where that is text and short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What was answered, as an HTTP status: below 400 it was done.
    pub status: u16,
}
