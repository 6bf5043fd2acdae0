//! What was noted of who changed what.

use std::sync::Arc;

use farmhand_protocol::AuditEntry;
use farmhand_protocol::farm::Page;

use super::{Front, FrontError, LONGEST_PAGE, PAGE, off_thread};
use crate::audit::AuditLog;

impl Front {
    pub(crate) fn audit_log(&self) -> &Arc<AuditLog> {
        &self.0.audit
    }

    /// Entries, newest first.
    pub(crate) async fn audit(
        &self,
        cursor: Option<u64>,
        limit: Option<usize>,
    ) -> Result<Page<AuditEntry>, FrontError> {
        let limit = limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let log = Arc::clone(self.audit_log());
        let read = move || {
            log.newest(cursor, limit + 1).map_err(|source| FrontError::Disk {
                path: log.path(),
                source,
            })
        };
        let mut items = off_thread(read).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Ok(Page {
            next: last.map(|entry| entry.seq.to_string()),
            items,
        })
    }
}
