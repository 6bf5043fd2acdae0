//! Compares what the journal remembers with what lies in the folders.

use std::fs::{self, File};
use std::path::Path;

use farmhand_engine::{Farm, Now};
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{FrameState, JobView};
use farmhand_protocol::{BlobHash, JobId};

use crate::journal::JournalError;
use crate::memory::recall;
use crate::sqlite::{Deliveries, inspect};

/// What a checkup has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// Jobs that the farm lists.
    pub jobs: usize,
    /// Delivered frames that were looked at.
    pub frames: usize,
    /// Their files.
    pub files: usize,
    /// Bytes of these files.
    pub bytes: u64,
    /// What is not as it should be, a line each: where, what, and what to do.
    pub findings: Vec<String>,
}

/// Reads the journal whole, replays it, and reads every delivered file. Nothing where there is no farm yet.
///
/// # Errors
/// When the journal itself cannot be read: that is the finding then.
pub fn check_up(data: &Path) -> Result<Option<Checkup>, JournalError> {
    let path = data.join("farm.db");
    let Some(remembered) = inspect(&path)? else {
        return Ok(None);
    };
    let farm = recall(&remembered)
        .map_err(|reason| JournalError::Damaged {
            path: path.clone(),
            reason,
        })?
        .farm;
    let deliveries = Deliveries::open(&path)?;
    let now = Now {
        since_start: std::time::Duration::ZERO,
        wall: jiff::Timestamp::now(),
    };
    let mut checkup = Checkup::default();
    for id in farm.job_ids() {
        checkup.jobs += 1;
        checkup.job(&farm, id, now, &deliveries)?;
    }
    checkup.blobs(&data.join("blobs"));
    Ok(Some(checkup))
}

impl Checkup {
    fn job(&mut self, farm: &Farm, id: JobId, now: Now, deliveries: &Deliveries) -> Result<(), JournalError> {
        let Some(detail) = farm.job_detail(id, now) else {
            return Ok(());
        };
        let delivered = detail
            .states
            .iter()
            .filter(|part| part.state == FrameState::Delivered);
        for frames in delivered.map(|part| &part.frames) {
            let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
                continue;
            };
            let mut without = frames.clone();
            for row in deliveries.between(id, first, last)? {
                without = without.difference(&row.frame.into());
                self.frames += 1;
                for file in &row.files {
                    self.file(&detail.job, file);
                }
            }
            if !without.is_empty() {
                self.findings.push(format!(
                    "{id} frames {without} are delivered and their files are not known: farmhand retry {id} --frames {without}"
                ));
            }
        }
        self.leftovers(&detail.job);
        Ok(())
    }

    fn file(&mut self, job: &JobView, file: &FrameFile) {
        self.files += 1;
        self.bytes += file.size;
        let path = Path::new(&job.output).join(file.path.as_str());
        let found = match hash_of(&path) {
            Ok(hash) if hash == file.hash => return,
            Ok(_) => "is not what was delivered".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        self.findings.push(format!(
            "{} {} {found}: farmhand verify {} has it rendered again",
            job.id,
            path.display(),
            job.id
        ));
    }

    /// Unfinished files of a job that nobody will finish any more.
    fn leftovers(&mut self, job: &JobView) {
        if !job.state.has_ended() {
            return; // They may be under way.
        }
        for entry in fs::read_dir(&job.output).into_iter().flatten().flatten() {
            if crate::delivery::is_part(&entry.file_name()) {
                let path = entry.path();
                self.findings.push(format!(
                    "{} is an unfinished file: it may be removed",
                    path.display()
                ));
            }
        }
    }

    /// Every blob is what its name says.
    fn blobs(&mut self, folder: &Path) {
        let folders = fs::read_dir(folder).into_iter().flatten().flatten();
        for blob in folders
            .filter(|entry| entry.file_name() != "uploads") // What is still on its way is not whole.
            .filter_map(|entry| fs::read_dir(entry.path()).ok())
            .flatten()
            .flatten()
        {
            let path = blob.path();
            let named: Option<BlobHash> = blob.file_name().to_str().and_then(|name| name.parse().ok());
            let is_whole = named.is_some_and(|named| hash_of(&path).is_ok_and(|hash| hash == named));
            if !is_whole {
                let path = path.display();
                self.findings.push(format!(
                    "{path} is not what its name says: remove it and submit its scene again"
                ));
            }
        }
    }
}

fn hash_of(path: &Path) -> std::io::Result<BlobHash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}
