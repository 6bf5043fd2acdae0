//! Looking after a farm's data folder without running the farm: a checkup, and a backup. Both only read it, so both
//! may be done while an orchestrator writes.

mod backup;
mod checkup;

pub use backup::{Backup, BackupError, back_up};
pub use checkup::{Checkup, check_up};
