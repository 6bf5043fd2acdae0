//! What Blender printed for batches that their nodes have forgotten: `<data>/frame-logs/<job>/<batch>.zst`, of
//! a bounded size in all. A log is a help and no fact: where the disk refuses, the farm goes on without it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use farmhand_protocol::{BatchId, Frame, FrameSet, JobId};
use serde::{Deserialize, Serialize};

/// Bytes on disk of all logs together; the oldest give way.
const MOST_BYTES: u64 = 256 << 20;

/// Longest log that is unpacked, in bytes. An agent keeps a megabyte of each batch.
const LONGEST: u64 = 4 << 20;

/// Whose log it is. The first line of a kept file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogLabel {
    pub(crate) job: JobId,
    pub(crate) batch: BatchId,
    pub(crate) node_name: String,
    pub(crate) frames: FrameSet,
}

/// A folder of logs. Its methods wait for the disk.
#[derive(Debug)]
pub(crate) struct KeptLogs {
    folder: PathBuf,
    most_bytes: u64,
    /// Bytes in the folder, as far as known.
    bytes: Mutex<u64>,
}

impl KeptLogs {
    pub(crate) fn open(folder: PathBuf) -> Self {
        Self::with_limit(folder, MOST_BYTES)
    }

    fn with_limit(folder: PathBuf, most_bytes: u64) -> Self {
        let bytes = kept_files(&folder).iter().map(|file| file.size).sum();
        Self {
            folder,
            most_bytes,
            bytes: Mutex::new(bytes),
        }
    }

    /// Keeps the log of a batch, in the place of an earlier one of the same batch.
    pub(crate) fn keep(&self, label: &LogLabel, log: &str) -> io::Result<()> {
        let text = format!("{}\n{log}", serde_json::to_string(label)?);
        let packed = zstd::bulk::compress(text.as_bytes(), 3)?;
        let folder = self.folder.join(label.job.to_string());
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.zst", label.batch));
        let part = folder.join(format!("{}.part", label.batch));
        fs::write(&part, &packed)?;
        let before = fs::metadata(&path).map_or(0, |old| old.len());
        fs::rename(part, path)?;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = (*bytes + packed.len() as u64).saturating_sub(before);
        if *bytes > self.most_bytes {
            *bytes = self.make_room();
        }
        Ok(())
    }

    /// The kept logs of the batches of a job that held a frame.
    pub(crate) fn of_frame(&self, job: JobId, frame: Frame) -> Vec<(LogLabel, String)> {
        files_in(&self.folder.join(job.to_string()))
            .into_iter()
            .filter_map(|file| read(&file.path, frame))
            .collect()
    }

    /// Lets a job's logs go.
    pub(crate) fn forget(&self, job: JobId) {
        let folder = self.folder.join(job.to_string());
        let size: u64 = files_in(&folder).iter().map(|file| file.size).sum();
        if fs::remove_dir_all(&folder).is_ok() {
            let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            *bytes = bytes.saturating_sub(size);
        }
    }

    /// Removes the oldest until a tenth is free; says how many bytes are left.
    fn make_room(&self) -> u64 {
        let mut files = kept_files(&self.folder);
        files.sort_by_key(|file| file.at);
        let mut bytes: u64 = files.iter().map(|file| file.size).sum();
        for file in files {
            if bytes <= self.most_bytes / 10 * 9 {
                break;
            }
            match fs::remove_file(&file.path) {
                Ok(()) => bytes -= file.size,
                Err(error) => tracing::warn!(%error, path = %file.path.display(), "an old log stays"),
            }
            // Refused while logs are left in it.
            let _of_use = file.path.parent().map(fs::remove_dir);
        }
        bytes
    }
}

struct KeptFile {
    path: PathBuf,
    size: u64,
    at: SystemTime,
}

fn kept_files(folder: &Path) -> Vec<KeptFile> {
    let Ok(jobs) = fs::read_dir(folder) else {
        return Vec::new();
    };
    jobs.flatten().flat_map(|job| files_in(&job.path())).collect()
}

fn files_in(folder: &Path) -> Vec<KeptFile> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let meta = entry.metadata().ok()?;
            let kept = meta.is_file() && path.extension().is_some_and(|end| end == "zst");
            kept.then(|| KeptFile {
                path,
                size: meta.len(),
                at: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            })
        })
        .collect()
}

/// Unpacks a log if it is of a batch that held the frame; of others no more than the label.
fn read(path: &Path, frame: Frame) -> Option<(LogLabel, String)> {
    let packed = fs::File::open(path).ok()?;
    let mut lines = BufReader::new(zstd::Decoder::new(packed).ok()?).take(LONGEST);
    let mut label = String::new();
    lines.read_line(&mut label).ok()?;
    let label: LogLabel = serde_json::from_str(&label).ok()?;
    if !label.frames.contains(frame) {
        return None;
    }
    let mut log = String::new();
    lines.read_to_string(&mut log).ok()?;
    Some((label, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(job: u64, batch: u64) -> LogLabel {
        LogLabel {
            job: JobId(job),
            batch: BatchId(batch),
            node_name: "rtx-01".to_owned(),
            frames: "1-5".parse().unwrap(),
        }
    }

    #[test]
    fn a_log_is_given_back_as_it_was_and_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let logs = KeptLogs::open(folder.path().join("logs"));
        let of_frame =
            |logs: &KeptLogs, number: i64| logs.of_frame(JobId(1), Frame::try_from(number).unwrap());
        assert!(of_frame(&logs, 3).is_empty());
        logs.keep(&label(1, 2), "Saved: 'ä'\n").unwrap();
        logs.keep(&label(1, 2), "longer\nSaved: 'ä'\n").unwrap();
        let again = KeptLogs::open(folder.path().join("logs"));
        let expected = (label(1, 2), "longer\nSaved: 'ä'\n".to_owned());
        assert_eq!(of_frame(&again, 3), [expected]);
        assert!(of_frame(&again, 6).is_empty());
        again.forget(JobId(1));
        assert!(of_frame(&again, 3).is_empty());
    }

    #[test]
    fn old_logs_give_way_so_that_the_folder_stays_within_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let logs = KeptLogs::with_limit(folder.path().to_owned(), 20_000);
        // Random-looking text, so that packing does not make it vanish.
        let noise = |seed: u64| -> String {
            (0..100u64)
                .map(|n| {
                    blake3::hash(&(seed * 1000 + n).to_le_bytes())
                        .to_hex()
                        .to_string()
                })
                .collect()
        };
        for batch in 1..=40 {
            logs.keep(&label(batch, batch), &noise(batch)).unwrap();
            let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(batch);
            let path = folder.path().join(format!("j{batch}/b{batch}.zst"));
            let file = fs::File::options().append(true).open(&path);
            file.and_then(|file| file.set_modified(later)).unwrap();
        }
        let size: u64 = kept_files(folder.path()).iter().map(|file| file.size).sum();
        assert!(size <= 20_000, "{size}");
        assert_eq!(*logs.bytes.lock().unwrap(), size);
        assert!(folder.path().join("j40/b40.zst").exists());
        assert!(!folder.path().join("j1").exists());
    }
}
