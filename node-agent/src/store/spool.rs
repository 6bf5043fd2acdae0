//! Finished frames that nobody has acknowledged yet, and enough about their batches to answer for them after
//! the agent was killed. One folder a batch, one a frame; each fact is one small file or line, written once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use farmhand_protocol::agent::{BatchPhase, FailedFrame, FinishedFrame, StartBatch};
use farmhand_protocol::{BatchKey, Frame, FrameSet, TreePath};
use serde::de::DeserializeOwned;

use crate::durable;

/// Folders of batches below one folder.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
}

/// What the spool knows of a batch of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recovered {
    /// What was asked.
    pub request: StartBatch,
    /// How it ended; nothing where the agent ended first.
    pub ended: Option<BatchPhase>,
    /// Frames whose files are here.
    pub finished: Vec<FinishedFrame>,
    /// Frames that failed.
    pub failed: Vec<FailedFrame>,
    /// Frames that were brought home.
    pub acknowledged: Vec<Frame>,
    /// Frames that were taken back.
    pub revoked: FrameSet,
}

impl Spool {
    /// Opens the folder.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Everything of earlier runs. Folders without a readable batch are removed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn recover(&self) -> io::Result<Vec<Recovered>> {
        let mut recovered = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let folder = entry?.path();
            match read_batch(&folder) {
                Some(batch) => recovered.push(batch),
                None if folder.is_dir() => fs::remove_dir_all(&folder)?,
                None => fs::remove_file(&folder)?,
            }
        }
        Ok(recovered)
    }

    /// Remembers a batch.
    ///
    /// # Errors
    /// When the disk refuses; then the batch must not be accepted.
    pub(crate) fn accept(&self, key: BatchKey, request: &StartBatch) -> io::Result<()> {
        fs::create_dir_all(self.batch(key))?;
        durable::write(
            &self.batch(key).join("batch.json"),
            &serde_json::to_vec(request)?,
            false,
        )
    }

    /// An empty folder for a frame's files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn empty_folder(&self, key: BatchKey, frame: Frame) -> io::Result<PathBuf> {
        let folder = self.files(key, frame);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Remembers a finished frame, whose files lie in its folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn finished(&self, key: BatchKey, finished: &FinishedFrame) -> io::Result<()> {
        let path = self.frame(key, finished.frame).join("finished.json");
        durable::write(&path, &serde_json::to_vec(finished)?, false)
    }

    /// Remembers a failed frame and removes what it left.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn failed(&self, key: BatchKey, failed: &FailedFrame) -> io::Result<()> {
        let line = serde_json::to_string(failed)?;
        durable::append(&self.batch(key).join("failed.jsonl"), &line)?;
        remove(&self.frame(key, failed.frame))
    }

    /// Remembers that a frame was brought home, and removes its files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn acknowledged(&self, key: BatchKey, frame: Frame) -> io::Result<()> {
        durable::append(&self.batch(key).join("acknowledged"), &frame.to_string())?;
        remove(&self.frame(key, frame))
    }

    /// Remembers frames that were taken back.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn revoked(&self, key: BatchKey, frames: &FrameSet) -> io::Result<()> {
        durable::append(&self.batch(key).join("revoked"), &frames.to_string())
    }

    /// Remembers how a batch ended, and its log.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn ended(&self, key: BatchKey, phase: BatchPhase, log: &[String]) -> io::Result<()> {
        fs::write(self.batch(key).join("log"), log.join("\n"))?;
        durable::write(
            &self.batch(key).join("ended"),
            &serde_json::to_vec(&phase)?,
            false,
        )
    }

    /// The log of a batch that has ended.
    pub(crate) fn log(&self, key: BatchKey) -> Option<String> {
        fs::read_to_string(self.batch(key).join("log")).ok()
    }

    /// Removes all of a batch.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn remove(&self, key: BatchKey) -> io::Result<()> {
        remove(&self.batch(key))
    }

    /// Removes the frames of a batch and keeps its record.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn remove_frames(&self, key: BatchKey) -> io::Result<()> {
        for entry in fs::read_dir(self.batch(key))? {
            let path = entry?.path();
            if path.is_dir() {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Where a frame's files are.
    pub(crate) fn files(&self, key: BatchKey, frame: Frame) -> PathBuf {
        self.frame(key, frame).join("files")
    }

    /// Where one file of a frame is.
    pub(crate) fn file(&self, key: BatchKey, frame: Frame, path: &TreePath) -> PathBuf {
        self.files(key, frame).join(path.as_str())
    }

    fn batch(&self, key: BatchKey) -> PathBuf {
        self.folder.join(key.to_string())
    }

    fn frame(&self, key: BatchKey, frame: Frame) -> PathBuf {
        self.batch(key).join(frame.to_string())
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read_batch(folder: &Path) -> Option<Recovered> {
    let request: StartBatch = read_json(&folder.join("batch.json"))?;
    let key = BatchKey {
        farm: request.farm,
        batch: request.batch,
    };
    if folder.file_name()?.to_str()? != key.to_string() {
        return None;
    }
    let acknowledged: Vec<Frame> = lines(&folder.join("acknowledged"));
    let revoked: Vec<FrameSet> = lines(&folder.join("revoked"));
    let failed = fs::read_to_string(folder.join("failed.jsonl")).unwrap_or_default();
    let mut finished = Vec::new();
    for entry in folder.read_dir().ok()?.flatten() {
        let path = entry.path();
        let done = read_json::<FinishedFrame>(&path.join("finished.json"));
        match done.filter(|done| !acknowledged.contains(&done.frame)) {
            Some(done) => finished.push(done),
            // Half a frame: the agent died while it was rendered.
            None if path.is_dir() => remove(&path).ok()?,
            None => {}
        }
    }
    finished.sort_by_key(|done| done.frame);
    Some(Recovered {
        request,
        ended: read_json(&folder.join("ended")),
        finished,
        failed: failed
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
        acknowledged,
        revoked: revoked
            .iter()
            .fold(FrameSet::default(), |all, some| all.union(some)),
    })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Lines of a file; one that was cut off by a death is left out.
fn lines<T: std::str::FromStr>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::agent::{FrameFile, Proof};
    use farmhand_protocol::{
        BatchId, BlobHash, Device, Epoch, Failure, FailureKind, FarmId, JobId, RenderSettings, SceneHash,
    };

    use super::*;

    #[test]
    fn after_a_death_the_spool_still_answers_for_what_was_finished() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let request = StartBatch {
            farm: FarmId(uuid::Uuid::from_u128(1)),
            epoch: Epoch(1),
            batch: BatchId(3),
            job: JobId(1),
            scene: SceneHash::of(b""),
            frames: "-2-5".parse().unwrap(),
            settings: RenderSettings::default(),
            blender: None,
            before: None,
            sources: Vec::new(),
        };
        let key = BatchKey {
            farm: request.farm,
            batch: request.batch,
        };
        let frame = |n: i64| Frame::try_from(n).unwrap();
        let done = |n: i64| FinishedFrame {
            frame: frame(n),
            files: vec![FrameFile {
                path: "1.png".parse().unwrap(),
                hash: BlobHash::of(b"x"),
                size: 1,
                proof: Proof::Decoded,
            }],
            render_ms: 1,
            peak_memory_bytes: 0,
            device: Device::Cpu,
            film: None,
        };
        let failed = FailedFrame {
            frame: frame(2),
            failure: Failure::new(FailureKind::TimedOut, "m"),
        };
        spool.accept(key, &request).unwrap();
        for n in [-2, 1] {
            fs::write(spool.empty_folder(key, frame(n)).unwrap().join("1.png"), "x").unwrap();
            spool.finished(key, &done(n)).unwrap();
        }
        spool.acknowledged(key, frame(1)).unwrap();
        spool.failed(key, &failed).unwrap();
        spool.revoked(key, &"4-5".parse().unwrap()).unwrap();
        let half = spool.empty_folder(key, frame(3)).unwrap();
        fs::create_dir(dir.path().join("rubbish")).unwrap();

        let expected = Recovered {
            request,
            ended: None,
            finished: vec![done(-2)],
            failed: vec![failed],
            acknowledged: vec![frame(1)],
            revoked: "4-5".parse().unwrap(),
        };
        assert_eq!(Spool::open(dir.path()).unwrap().recover().unwrap(), [expected]);
        assert!(!half.exists() && !dir.path().join("rubbish").exists());
        assert!(spool.file(key, frame(-2), &"1.png".parse().unwrap()).exists());
    }
}
