//! Who changed what: one line of JSON for each call that did, in two files of bounded size. Must not know what a
//! call means.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farmhand_protocol::AuditEntry;

/// A file of this many bytes becomes the older one, and what was the older one goes.
const LONGEST: u64 = 8 << 20;

const NEWER: &str = "audit.jsonl";
const OLDER: &str = "audit.1.jsonl";

/// The log of one farm, open for writing.
#[derive(Debug)]
pub(crate) struct AuditLog {
    folder: PathBuf,
    longest: u64,
    end: Mutex<End>,
}

#[derive(Debug)]
struct End {
    file: File,
    bytes: u64,
    /// Of the next entry.
    seq: u64,
}

impl AuditLog {
    /// Opens the log in a farm's data folder, behind what is there.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Self::with_length(folder, LONGEST)
    }

    fn with_length(folder: &Path, longest: u64) -> io::Result<Self> {
        let last = [NEWER, OLDER]
            .iter()
            .find_map(|name| entries(&folder.join(name)).ok()?.pop());
        let mut file = append_to(&folder.join(NEWER))?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 && !fs::read(folder.join(NEWER))?.ends_with(b"\n") {
            file.write_all(b"\n")?; // A crash has cut the last line.
            bytes += 1;
        }
        Ok(Self {
            folder: folder.to_owned(),
            longest,
            end: Mutex::new(End {
                file,
                bytes,
                seq: last.map_or(1, |last| last.seq + 1),
            }),
        })
    }

    /// Adds an entry under the next number, whatever number it has.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&self, mut entry: AuditEntry) -> io::Result<()> {
        let mut end = self.end();
        entry.seq = end.seq;
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        if end.bytes > 0 && end.bytes + line.len() as u64 > self.longest {
            fs::rename(self.folder.join(NEWER), self.folder.join(OLDER))?;
            end.file = append_to(&self.folder.join(NEWER))?;
            end.bytes = 0;
        }
        end.seq += 1;
        end.file.write_all(&line)?;
        end.bytes += line.len() as u64;
        Ok(())
    }

    /// So many entries at most, the newest first, of those before a number where one is given.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub(crate) fn newest(&self, before: Option<u64>, limit: usize) -> io::Result<Vec<AuditEntry>> {
        let mut found = Vec::new();
        // Held, so that no file changes its name meanwhile.
        let _end = self.end();
        for name in [NEWER, OLDER] {
            let entries = entries(&self.folder.join(name))?;
            let wanted = |entry: &AuditEntry| before.is_none_or(|before| entry.seq < before);
            let newest = entries.into_iter().rev().filter(wanted);
            found.extend(newest.take(limit - found.len()));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// The file that is written.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(NEWER)
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Those of a file, oldest first; lines that a crash has damaged are passed over.
fn entries(path: &Path) -> io::Result<Vec<AuditEntry>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(call: &str) -> AuditEntry {
        AuditEntry {
            seq: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            user: "ada".to_owned(),
            address: "10.0.0.7".to_owned(),
            call: call.to_owned(),
            body: None,
            status: 200,
        }
    }

    fn numbers(entries: &[AuditEntry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn entries_are_numbered_on_over_restarts_and_torn_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(folder.path()).unwrap();
        log.add(entry("POST /v1/jobs")).unwrap();
        log.add(entry("DELETE /v1/jobs/j1")).unwrap();
        drop(log);
        let mut torn = append_to(&folder.path().join(NEWER)).unwrap();
        torn.write_all(b"{\"seq\":3,\"at").unwrap();
        let log = AuditLog::open(folder.path()).unwrap();
        log.add(entry("POST /v1/nodes")).unwrap();
        let found = log.newest(None, 10).unwrap();
        assert_eq!(numbers(&found), [3, 2, 1]);
        assert_eq!(found[0].call, "POST /v1/nodes");
        assert_eq!(numbers(&log.newest(Some(3), 1).unwrap()), [2]);
    }

    #[test]
    fn the_log_keeps_the_newest_and_does_not_grow_beyond_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::with_length(folder.path(), 2000).unwrap();
        for _ in 0..200 {
            log.add(entry("POST /v1/jobs/j1/pause")).unwrap();
        }
        let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size(NEWER) <= 2000 && size(OLDER) <= 2000);
        let found = numbers(&log.newest(None, 1000).unwrap());
        assert_eq!(found[0], 200);
        assert!(
            found.len() >= 15 && found.is_sorted_by(|one, next| *one == next + 1),
            "{found:?}"
        );
        drop(log);
        let log = AuditLog::with_length(folder.path(), 2000).unwrap();
        log.add(entry("POST /v1/jobs/j1/resume")).unwrap();
        assert_eq!(log.newest(None, 1).unwrap()[0].seq, 201);
    }
}
