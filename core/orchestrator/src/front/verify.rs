//! Looking again whether what was delivered is still there, byte by byte, and having rendered again what is not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use farmhand_engine::Command;
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{DamagedFile, Verification};
use farmhand_protocol::{BlobHash, Frame, JobId};

use super::frames::open_plainly;
use super::{Front, FrontError, off_thread, unknown_job};
use crate::journal::DeliveredFrame;

/// Damaged files that an answer names at most.
const MOST_NAMED: usize = 1000;

impl Front {
    /// Reads every delivered file of a job. Frames with a file that is damaged or gone wait to be rendered
    /// again, each in a new revision.
    pub(crate) async fn verify(&self, id: JobId) -> Result<Verification, FrontError> {
        let job = self.job_view(id)?;
        let asked = self
            .inbox()
            .ask(move |farm, _| farm.delivered_revisions(id))
            .await?;
        let revisions = asked.ok_or_else(|| unknown_job(id))?;
        let deliveries = Arc::clone(&self.0.deliveries);
        let folder = PathBuf::from(&job.output);
        let (found, bad) = off_thread(move || {
            let mut found = Verification::default();
            let mut bad: Vec<(Frame, u32)> = Vec::new();
            for (frame, revision) in revisions {
                let delivered = deliveries.between(id, frame, frame)?;
                for delivered in delivered.iter().filter(|it| it.revision == revision) {
                    if !check(&folder, delivered, &mut found) {
                        bad.push((frame, revision));
                    }
                }
            }
            Ok((found, bad))
        })
        .await?;
        let requeued = bad.iter().map(|(frame, _)| *frame).collect();
        if !bad.is_empty() {
            let why = found
                .damaged
                .first()
                .map_or_else(String::new, |first| format!("{} {}", first.path, first.problem));
            let command = Command::Revise {
                job: id,
                frames: bad,
                why,
            };
            self.0.submissions.retry(command, Some(id)).await?;
        }
        Ok(Verification { requeued, ..found })
    }
}

/// Whether all files of a frame are as they were delivered.
fn check(folder: &Path, frame: &DeliveredFrame, found: &mut Verification) -> bool {
    let mut whole = true;
    for file in &frame.files {
        found.files += 1;
        found.bytes += file.size;
        if let Some(problem) = problem(folder, file) {
            whole = false;
            if found.damaged.len() < MOST_NAMED {
                found.damaged.push(DamagedFile {
                    frame: frame.frame,
                    path: file.path.clone(),
                    problem,
                });
            }
        }
    }
    whole
}

fn problem(folder: &Path, file: &FrameFile) -> Option<String> {
    let opened = match open_plainly(folder, &file.path) {
        Ok(opened) => opened,
        Err(error) => return Some(format!("is gone: {error}")),
    };
    let length = opened.metadata().map_or(0, |metadata| metadata.len());
    if length != file.size {
        return Some(format!("has {length} bytes instead of {}", file.size));
    }
    let mut hasher = blake3::Hasher::new();
    if let Err(error) = hasher.update_reader(opened) {
        return Some(format!("cannot be read: {error}"));
    }
    (BlobHash::from(hasher.finalize()) != file.hash).then(|| "has other bytes than were delivered".to_owned())
}
