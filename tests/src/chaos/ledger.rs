//! The farm's facts, copied from its journal: what the checker judges by. The journal trims them, so that it is made
//! to keep what it deletes, by a trigger, as any administrator of a `SQLite` file could.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// Every fact so far, by its number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    facts: BTreeMap<i64, Value>,
    /// The journal keeps what it trims.
    keeps: bool,
}

/// Has the journal keep what it trims.
const KEEP: &str = "
CREATE TABLE IF NOT EXISTS trimmed (seq INTEGER PRIMARY KEY, fact TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS keep_facts BEFORE DELETE ON facts
BEGIN INSERT INTO trimmed (seq, fact) VALUES (OLD.seq, OLD.fact); END;
";

/// A delivered file as the store remembers it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredFile {
    pub(super) job: u64,
    pub(super) frame: i64,
    pub(super) path: String,
    pub(super) hash: Vec<u8>,
}

impl Ledger {
    /// Copies what is new. A journal that cannot be read at the moment is read the next time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn catch_up(&mut self, journal: &Path) -> rusqlite::Result<()> {
        if !self.keeps {
            let db = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.execute_batch(KEEP)?;
            self.keeps = true;
        }
        let db = open(journal)?;
        let new = "SELECT seq, fact FROM facts WHERE seq > ?1 UNION ALL
             SELECT seq, fact FROM trimmed WHERE seq > ?1 ORDER BY seq";
        let mut rows = db.prepare(new)?;
        let last = self.facts.last_key_value().map_or(0, |(seq, _)| *seq);
        let facts = rows.query_map([last], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        for fact in facts {
            let (seq, text) = fact?;
            self.facts
                .insert(seq, serde_json::from_str(&text).unwrap_or(Value::Null));
        }
        Ok(())
    }

    /// All facts in their order, without a gap.
    ///
    /// # Errors
    /// Where some are missing.
    pub(super) fn facts(&self) -> Result<impl Iterator<Item = &Value>, String> {
        let first = self.facts.first_key_value().map_or(1, |(seq, _)| *seq);
        let last = self.facts.last_key_value().map_or(0, |(seq, _)| *seq);
        let expected = usize::try_from(last - first + 1).unwrap_or(0);
        if first != 1 || expected != self.facts.len() {
            return Err(format!(
                "of facts {first} to {last} only {} were seen",
                self.facts.len()
            ));
        }
        Ok(self.facts.values())
    }

    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }
}

/// All delivered files.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn stored_files(journal: &Path) -> rusqlite::Result<Vec<StoredFile>> {
    let db = open(journal)?;
    let mut rows = db.prepare("SELECT job, frame, path, hash FROM delivered ORDER BY job, frame, path")?;
    let files = rows.query_map([], |row| {
        Ok(StoredFile {
            job: row.get::<_, i64>(0)?.cast_unsigned(),
            frame: row.get(1)?,
            path: row.get(2)?,
            hash: row.get(3)?,
        })
    })?;
    files.collect()
}

fn open(journal: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(std::time::Duration::from_secs(2))?;
    Ok(db)
}
