//! The journal as one `SQLite` file. Must not know what a fact means, or who asks for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use farmhand_protocol::agent::{FrameFile, Proof};
use farmhand_protocol::farm::{DeliveredView, OutputView};
use farmhand_protocol::{BlobHash, Epoch, FarmId, Frame, JobId, NodeId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::journal::{DeliveredFrame, Journal, JournalError, Remembered, Turn, UsedKey};

/// Format of the file. A change of meaning is a new number.
const FORMAT: i64 = 1;

/// Keys that are remembered; older ones are forgotten first.
const KEYS_KEPT: i64 = 10_000;

/// Facts of fewer bytes than this are not worth a snapshot.
const SNAPSHOT_AFTER_BYTES: usize = 4 << 20;

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE facts (seq INTEGER PRIMARY KEY, fact TEXT NOT NULL);
CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE nodes (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE delivered (
    job INTEGER NOT NULL, frame INTEGER NOT NULL, path TEXT NOT NULL, revision INTEGER NOT NULL,
    hash BLOB NOT NULL, size INTEGER NOT NULL, node INTEGER NOT NULL, render_ms INTEGER NOT NULL,
    at INTEGER NOT NULL, proof TEXT NOT NULL DEFAULT 'decoded', PRIMARY KEY (job, frame, path)
) WITHOUT ROWID;
CREATE TABLE keys (n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, fingerprint INTEGER NOT NULL,
    job INTEGER NOT NULL);
";

/// The journal of one farm, open for writing.
#[derive(Debug)]
pub(crate) struct SqliteJournal {
    path: PathBuf,
    db: Connection,
    epoch: Epoch,
    last_seq: i64,
    bytes_since_snapshot: usize,
    snapshot_bytes: usize,
}

/// Reads a journal without changing a byte of it; nothing where there is none yet.
///
/// # Errors
/// When it is no journal, damaged, or of a newer format.
pub(crate) fn inspect(path: &Path) -> Result<Option<Remembered>, JournalError> {
    if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        return Ok(None);
    }
    let at = Named(path);
    let db = open_untouched(path).map_err(|source| at.unreadable(source))?;
    let (tables, known): (i64, i64) = db
        .query_row(
            "SELECT count(*), count(*) FILTER (WHERE name = 'meta') FROM sqlite_schema",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(|source| at.unreadable(source))?;
    if tables == 0 {
        return Ok(None); // Its maker was killed before it had put anything into it.
    }
    if known == 0 {
        return Err(at.damaged("it is not a farm's journal"));
    }
    let format: i64 = meta(&db, "format")
        .map_err(|source| at.unreadable(source))?
        .ok_or_else(|| at.damaged("it names no format"))?;
    if format > FORMAT {
        return Err(JournalError::Newer {
            path: path.to_owned(),
            found: format,
            known: FORMAT,
        });
    }
    let verdict: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| at.unreadable(source))?;
    if verdict != "ok" {
        return Err(at.damaged(&verdict));
    }
    read(&db, at).map(Some)
}

/// Copies a journal as it is at one moment, beside its writer. `to` must not be there.
///
/// # Errors
/// When it cannot be read, or the copy not be written.
pub(crate) fn copy(journal: &Path, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(journal, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.execute("VACUUM INTO ?1", [to.display().to_string()])?;
    Ok(())
}

/// Opens a file for reading only, with what a crash may have left in its write-ahead log.
fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let has_log = fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if has_log {
        return Connection::open_with_flags(path, flags);
    }
    // Without a log nothing but the file is needed, and `immutable` keeps SQLite from making others.
    let escaped = path
        .display()
        .to_string()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

impl SqliteJournal {
    /// Opens a journal that [`inspect`] has found sound, or begins one, and begins a new epoch.
    pub(crate) fn open(path: &Path, new_farm: FarmId) -> Result<Self, JournalError> {
        let at = Named(path);
        let (db, epoch) = begin(path, new_farm).map_err(|source| at.store(source))?;
        let numbers = |sql: &str| db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (facts_seq, facts_bytes): (i64, i64) =
            numbers("SELECT ifnull(max(seq), 0), ifnull(sum(length(fact)), 0) FROM facts")
                .map_err(|source| at.store(source))?;
        let (snapshot_seq, snapshot_bytes): (i64, i64) =
            numbers("SELECT ifnull(max(seq), 0), ifnull(sum(length(state)), 0) FROM snapshot")
                .map_err(|source| at.store(source))?;
        Ok(Self {
            path: path.to_owned(),
            db,
            epoch,
            last_seq: facts_seq.max(snapshot_seq),
            bytes_since_snapshot: usize::try_from(facts_bytes).unwrap_or(0),
            snapshot_bytes: usize::try_from(snapshot_bytes).unwrap_or(0),
        })
    }

    fn write(&mut self, turn: &Turn) -> Result<i64, JournalError> {
        let at = Named(&self.path);
        let store = |source| at.store(source);
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(store)?;
        let found = meta(&tx, "epoch").map_err(store)?.unwrap_or(0i64).cast_unsigned();
        if found != self.epoch.0 {
            return Err(JournalError::Superseded {
                path: self.path.clone(),
                found,
            });
        }
        let last = append(&tx, turn, self.last_seq).map_err(store)?;
        tx.commit().map_err(store)?;
        Ok(last)
    }
}

impl Journal for SqliteJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn commit(&mut self, turn: &Turn) -> Result<(), JournalError> {
        self.last_seq = self.write(turn)?;
        self.bytes_since_snapshot += turn.facts.iter().map(String::len).sum::<usize>();
        Ok(())
    }

    fn load(&mut self) -> Result<Remembered, JournalError> {
        read(&self.db, Named(&self.path))
    }

    fn wants_snapshot(&self) -> bool {
        // As long as the last snapshot: so writing snapshots never costs more than writing facts.
        self.bytes_since_snapshot > self.snapshot_bytes.max(SNAPSHOT_AFTER_BYTES)
    }

    fn let_go(&mut self, job: JobId, most: usize) -> Result<bool, JournalError> {
        let at = Named(&self.path);
        let some = "DELETE FROM delivered WHERE job = ?1 AND frame <= (SELECT max(frame) FROM
             (SELECT frame FROM delivered WHERE job = ?1 ORDER BY frame LIMIT ?2))";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let gone = self.db.execute(some, params![job.0.cast_signed(), most]);
        Ok(gone.map_err(|source| at.store(source))? > 0)
    }

    fn snapshot(&mut self, state: &str) -> Result<(), JournalError> {
        let at = Named(&self.path);
        let keep = |db: &mut Connection, seq: i64| -> rusqlite::Result<()> {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute(
                "INSERT OR REPLACE INTO snapshot (id, seq, state) VALUES (1, ?1, ?2)",
                params![seq, state],
            )?;
            tx.execute("DELETE FROM facts WHERE seq <= ?1", [seq])?;
            tx.commit()
        };
        keep(&mut self.db, self.last_seq).map_err(|source| at.store(source))?;
        self.bytes_since_snapshot = 0;
        self.snapshot_bytes = state.len();
        Ok(())
    }
}

/// Opens for writing. The new epoch is on disk before anyone can act under it.
fn begin(path: &Path, new_farm: FarmId) -> rusqlite::Result<(Connection, Epoch)> {
    let mut db = Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", false)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let fresh: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if fresh == 0 {
        tx.execute_batch(TABLES)?;
        let mut set = tx.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
        set.execute(params!["format", FORMAT])?;
        set.execute(params!["farm", new_farm.to_string()])?;
        set.execute(params!["epoch", 0])?;
    } else {
        add_what_is_missing(&tx)?;
    }
    tx.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'", [])?;
    let epoch = meta(&tx, "epoch")?.unwrap_or(0i64).cast_unsigned();
    tx.commit()?;
    Ok((db, Epoch(epoch)))
}

/// Columns that earlier versions did not write. They read a file that has them all the same.
fn add_what_is_missing(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let has_proof = "SELECT count(*) FROM pragma_table_info('delivered') WHERE name = 'proof'";
    if tx.query_row(has_proof, [], |row| row.get::<_, i64>(0))? == 0 {
        tx.execute(
            "ALTER TABLE delivered ADD COLUMN proof TEXT NOT NULL DEFAULT 'decoded'",
            [],
        )?;
    }
    Ok(())
}

fn append(tx: &Transaction<'_>, turn: &Turn, mut seq: i64) -> rusqlite::Result<i64> {
    let mut insert = tx.prepare_cached("INSERT INTO facts (seq, fact) VALUES (?1, ?2)")?;
    for fact in &turn.facts {
        seq += 1;
        insert.execute(params![seq, fact])?;
    }
    for frame in &turn.delivered {
        deliver(tx, frame)?;
    }
    let mut remember =
        tx.prepare_cached("INSERT OR REPLACE INTO keys (key, fingerprint, job) VALUES (?1, ?2, ?3)")?;
    for used in &turn.keys {
        remember.execute(params![
            used.key,
            used.fingerprint.cast_signed(),
            used.job.0.cast_signed()
        ])?;
        tx.execute(
            "DELETE FROM keys WHERE n <= (SELECT max(n) FROM keys) - ?1",
            [KEYS_KEPT],
        )?;
    }
    Ok(seq)
}

fn deliver(tx: &Transaction<'_>, frame: &DeliveredFrame) -> rusqlite::Result<()> {
    let node = frame.node.0.as_bytes();
    tx.prepare_cached("INSERT OR IGNORE INTO nodes (id) VALUES (?1)")?
        .execute([node])?;
    let (job, number) = (frame.job.0.cast_signed(), frame.frame.get());
    tx.prepare_cached("DELETE FROM delivered WHERE job = ?1 AND frame = ?2")?
        .execute(params![job, number])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO delivered (job, frame, path, revision, hash, size, node, render_ms, at, proof)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT n FROM nodes WHERE id = ?7), ?8, ?9, ?10)",
    )?;
    for file in &frame.files {
        insert.execute(params![
            job,
            number,
            file.path.as_str(),
            frame.revision,
            file.hash.0,
            file.size.cast_signed(),
            node,
            frame.render_ms.cast_signed(),
            frame.at_ms,
            file.proof.word()
        ])?;
    }
    Ok(())
}

fn read(db: &Connection, at: Named<'_>) -> Result<Remembered, JournalError> {
    let farm: String = meta(db, "farm")
        .map_err(|source| at.unreadable(source))?
        .ok_or_else(|| at.damaged("it names no farm"))?;
    let farm = farm
        .parse()
        .map_err(|_| at.damaged("it names its farm by something that is no id"))?;
    let rest = || -> rusqlite::Result<_> {
        let snapshot = db
            .query_row("SELECT state FROM snapshot", [], |row| row.get(0))
            .optional()?;
        let facts = db
            .prepare("SELECT fact FROM facts ORDER BY seq")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let keys = db
            .prepare("SELECT key, fingerprint, job FROM keys ORDER BY n")?
            .query_map([], |row| {
                Ok(UsedKey {
                    key: row.get(0)?,
                    fingerprint: row.get::<_, i64>(1)?.cast_unsigned(),
                    job: JobId(row.get::<_, i64>(2)?.cast_unsigned()),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok((snapshot, facts, keys))
    };
    let (snapshot, facts, keys) = rest().map_err(|source| at.unreadable(source))?;
    Ok(Remembered {
        farm,
        snapshot,
        facts,
        keys,
    })
}

fn meta<T: rusqlite::types::FromSql>(db: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
}

/// What was delivered, read beside the writer. Cheap calls of a few milliseconds, to be made off the async
/// threads.
#[derive(Debug)]
pub(crate) struct Deliveries {
    path: PathBuf,
    db: std::sync::Mutex<Connection>,
}

impl Deliveries {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|source| Named(path).store(source))?;
        db.busy_timeout(std::time::Duration::from_secs(5))
            .map_err(|source| Named(path).store(source))?;
        Ok(Self {
            path: path.to_owned(),
            db: std::sync::Mutex::new(db),
        })
    }

    /// Jobs of which anything is kept, forgotten ones too while their rows are being dropped.
    pub(crate) fn jobs(&self) -> Result<BTreeSet<JobId>, JournalError> {
        let db = self.db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // From each job straight to the next: never through their frames.
        let next = "WITH RECURSIVE kept (job) AS (SELECT min(job) FROM delivered UNION ALL
             SELECT (SELECT min(job) FROM delivered WHERE job > kept.job) FROM kept WHERE job IS NOT NULL)
             SELECT job FROM kept WHERE job IS NOT NULL";
        let read = || -> rusqlite::Result<BTreeSet<JobId>> {
            let mut query = db.prepare_cached(next)?;
            let jobs = query.query_map([], |row| Ok(JobId(row.get::<_, i64>(0)?.cast_unsigned())))?;
            jobs.collect()
        };
        read().map_err(|source| Named(&self.path).store(source))
    }

    /// Bytes of the journal that are in use.
    pub(crate) fn bytes(&self) -> Result<u64, JournalError> {
        let db = self.db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let sum = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), \
             pragma_freelist_count(), pragma_page_size()";
        let bytes: i64 = db
            .query_row(sum, [], |row| row.get(0))
            .map_err(|source| Named(&self.path).store(source))?;
        Ok(bytes.cast_unsigned())
    }

    /// Delivered frames of a job from `first` to `last`, lowest first, files sorted by path.
    pub(crate) fn between(
        &self,
        job: JobId,
        first: Frame,
        last: Frame,
    ) -> Result<Vec<DeliveredFrame>, JournalError> {
        let db = self.db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let rows = || -> rusqlite::Result<Vec<DeliveredFrame>> {
            let mut query = db.prepare_cached(
                "SELECT frame, path, revision, hash, size, nodes.id, render_ms, at, proof
                 FROM delivered JOIN nodes ON nodes.n = delivered.node
                 WHERE job = ?1 AND frame BETWEEN ?2 AND ?3 ORDER BY frame, path",
            )?;
            let mut rows = query.query(params![job.0.cast_signed(), first.get(), last.get()])?;
            let mut frames: Vec<DeliveredFrame> = Vec::new();
            while let Some(row) = rows.next()? {
                let Some((frame, file)) = delivered_row(job, row)? else {
                    continue;
                };
                match frames.last_mut().filter(|last| last.frame == frame.frame) {
                    Some(last) => last.files.push(file),
                    None => frames.push(DeliveredFrame {
                        files: vec![file],
                        ..frame
                    }),
                }
            }
            Ok(frames)
        };
        rows().map_err(|source| Named(&self.path).store(source))
    }

    /// A job's files together, and the frames that were delivered last, newest first. Reads every row of the
    /// job: some hundred milliseconds for a million.
    pub(crate) fn summary(
        &self,
        job: JobId,
        folder: String,
        newest: usize,
    ) -> Result<OutputView, JournalError> {
        let db = self.db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = || -> rusqlite::Result<OutputView> {
            let number = job.0.cast_signed();
            let (files, bytes): (i64, i64) = db
                .prepare_cached("SELECT count(*), ifnull(sum(size), 0) FROM delivered WHERE job = ?1")?
                .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut query = db.prepare_cached(
                "SELECT frame, at, nodes.id, render_ms, min(path)
                 FROM delivered JOIN nodes ON nodes.n = delivered.node
                 WHERE job = ?1 GROUP BY frame ORDER BY at DESC, frame DESC LIMIT ?2",
            )?;
            let mut rows = query.query(params![number, i64::try_from(newest).unwrap_or(i64::MAX)])?;
            let mut newest = Vec::new();
            while let Some(row) = rows.next()? {
                let frame = Frame::try_from(row.get::<_, i64>(0)?);
                let at = jiff::Timestamp::from_millisecond(row.get(1)?);
                let path: String = row.get(4)?;
                let (Ok(frame), Ok(at), Ok(path)) = (frame, at, path.parse()) else {
                    continue; // Nothing that we wrote; `fsck` is who reports it.
                };
                newest.push(DeliveredView {
                    frame,
                    at,
                    node: NodeId(uuid::Uuid::from_bytes(row.get(2)?)),
                    render_ms: row.get::<_, i64>(3)?.cast_unsigned(),
                    path,
                });
            }
            Ok(OutputView {
                folder,
                files: files.cast_unsigned(),
                bytes: bytes.cast_unsigned(),
                newest,
            })
        };
        read().map_err(|source| Named(&self.path).store(source))
    }
}

fn delivered_row(
    job: JobId,
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Option<(DeliveredFrame, FrameFile)>> {
    let path: String = row.get(1)?;
    let (Ok(frame), Ok(path)) = (Frame::try_from(row.get::<_, i64>(0)?), path.parse()) else {
        return Ok(None); // Nothing that we wrote; `fsck` is who reports it.
    };
    let file = FrameFile {
        path,
        hash: BlobHash(row.get(3)?),
        size: row.get::<_, i64>(4)?.cast_unsigned(),
        proof: Proof::of_word(row.get_ref(8)?.as_str()?),
    };
    let delivered = DeliveredFrame {
        job,
        frame,
        revision: row.get(2)?,
        node: NodeId(uuid::Uuid::from_bytes(row.get(5)?)),
        render_ms: row.get::<_, i64>(6)?.cast_unsigned(),
        at_ms: row.get(7)?,
        files: Vec::new(),
    };
    Ok(Some((delivered, file)))
}

/// Errors that name the file.
#[derive(Clone, Copy)]
struct Named<'a>(&'a Path);

impl Named<'_> {
    fn store(self, source: rusqlite::Error) -> JournalError {
        JournalError::Store {
            path: self.0.to_owned(),
            source,
        }
    }

    fn damaged(self, reason: &str) -> JournalError {
        JournalError::Damaged {
            path: self.0.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// An error while reading: damage where `SQLite` says so or finds what is not a journal's.
    fn unreadable(self, source: rusqlite::Error) -> JournalError {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, PermissionDenied, SystemIoFailure,
        };
        let passing = matches!(
            source.sqlite_error_code(),
            Some(CannotOpen | DatabaseBusy | DatabaseLocked | PermissionDenied | SystemIoFailure)
        );
        if passing {
            self.store(source)
        } else {
            self.damaged(&source.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
