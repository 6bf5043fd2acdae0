//! Judges a farm after the storm, from three witnesses: its journal, the output folder, and what the Blenders
//! noted themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use farmhand_engine::{Fact, Stamped};
use farmhand_protocol::farm::JobView;
use farmhand_protocol::{BatchId, BlobHash, Frame, FrameSet, JobId};
use jiff::Timestamp;

use super::ledger::{Ledger, StoredFile};

/// Violations that are named one by one; more are only counted.
const MOST_NAMED: usize = 40;
/// Times longer than this are a clock that was set.
const CLOCK_STEP: Duration = Duration::from_mins(50);

/// What there is to judge by.
pub(super) struct Evidence<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) stored: Vec<StoredFile>,
    pub(super) jobs: &'a [JobView],
    /// What the Blenders noted: batch and frame, for each beginning.
    pub(super) rendered: Vec<(BatchId, Frame)>,
}

/// What a judgement has counted.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) frames: usize,
    pub(super) failed_attempts: usize,
    /// From each loss of a batch until a frame of it was handed out again.
    pub(super) handed_on: Vec<Duration>,
    pub(super) violations: Vec<String>,
}

/// The history of one job, as its facts tell it.
#[derive(Debug, Default)]
struct History {
    asked: FrameSet,
    /// Frame and revision, and who delivered it.
    delivered: BTreeMap<(Frame, u32), BatchId>,
    /// Frames that need not be rendered any more.
    done: BTreeSet<Frame>,
    batches: BTreeMap<BatchId, FrameSet>,
    /// What lost batches had left, and when they were lost.
    lost: Vec<(Timestamp, FrameSet)>,
}

impl History {
    fn lose(&mut self, batch: BatchId, at: Timestamp) {
        let Some(frames) = self.batches.get(&batch) else {
            return;
        };
        let left: FrameSet = frames.iter().filter(|frame| !self.done.contains(frame)).collect();
        if !left.is_empty() {
            self.lost.push((at, left));
        }
    }

    /// Frames are handed out: how long ago batches were lost that had some of them. The clock may have been set
    /// in between; then nothing is known.
    fn hand_on(&mut self, frames: &FrameSet, at: Timestamp) -> Vec<Duration> {
        let is_of = |lost: &(Timestamp, FrameSet)| !lost.1.intersection(frames).is_empty();
        let (found, lost) = std::mem::take(&mut self.lost).into_iter().partition(is_of);
        self.lost = lost;
        let found: Vec<(Timestamp, FrameSet)> = found;
        let after = found
            .iter()
            .map(|(since, _)| Duration::try_from(at.duration_since(*since)));
        after.flatten().filter(|after| *after < CLOCK_STEP).collect()
    }
}

/// Judges everything.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let histories = match histories(evidence.ledger, &mut verdict) {
        Ok(histories) => histories,
        Err(gap) => {
            verdict.violations.push(gap);
            return verdict;
        }
    };
    let begun: BTreeSet<(BatchId, Frame)> = evidence.rendered.iter().copied().collect();
    for job in evidence.jobs {
        if !job.state.has_ended() {
            verdict
                .violations
                .push(format!("{} has not ended: {:?}", job.id, job.state));
        }
        let Some(history) = histories.get(&job.id) else {
            verdict.violations.push(format!("{} is in no fact", job.id));
            continue;
        };
        for frame in history.asked.iter() {
            let last = history
                .delivered
                .range((frame, 0)..=(frame, u32::MAX))
                .next_back();
            match last {
                None => verdict
                    .violations
                    .push(format!("{} frame {frame} is lost: no delivered fact", job.id)),
                Some((_, batch)) if !begun.contains(&(*batch, frame)) => verdict.violations.push(format!(
                    "{} frame {frame} was delivered by {batch}, in which no Blender has begun it",
                    job.id
                )),
                Some(_) => verdict.frames += 1,
            }
        }
        let stored = evidence.stored.iter().filter(|file| file.job == job.id.0);
        look_at_files(job, stored.collect(), history, &mut verdict.violations);
    }
    shorten(&mut verdict.violations);
    verdict
}

fn histories(ledger: &Ledger, verdict: &mut Verdict) -> Result<BTreeMap<JobId, History>, String> {
    let mut histories: BTreeMap<JobId, History> = BTreeMap::new();
    for fact in ledger.facts()? {
        let stamped: Stamped = serde_json::from_value(fact.clone())
            .map_err(|error| format!("a fact is unreadable: {error}: {fact}"))?;
        match stamped.fact {
            Fact::JobSubmitted { job, spec } => {
                histories.entry(job).or_default().asked = spec.frames;
            }
            Fact::BatchAssigned {
                batch, job, frames, ..
            } => {
                let history = histories.entry(job).or_default();
                verdict.handed_on.extend(history.hand_on(&frames, stamped.at));
                history.batches.insert(batch, frames.clone());
                let done = &history.done;
                let again: FrameSet = frames.iter().filter(|frame| done.contains(frame)).collect();
                if !again.is_empty() {
                    verdict.violations.push(format!(
                        "{job} frames {again} were delivered and then handed out again in {batch}"
                    ));
                }
            }
            Fact::FrameDelivered {
                job,
                frame,
                revision,
                batch,
                ..
            } => {
                let history = histories.entry(job).or_default();
                history.done.insert(frame);
                if let Some(first) = history.delivered.insert((frame, revision), batch) {
                    verdict.violations.push(format!(
                        "{job} frame {frame} is doubled: delivered by {first} and by {batch}"
                    ));
                }
            }
            Fact::FramesRequeued { job, frames } | Fact::FramesRevised { job, frames, .. } => {
                let done = &mut histories.entry(job).or_default().done;
                done.retain(|frame| !frames.contains(*frame));
            }
            Fact::BatchLost { batch } => {
                for history in histories.values_mut() {
                    history.lose(batch, stamped.at);
                }
            }
            Fact::AttemptFailed { .. } => verdict.failed_attempts += 1,
            _ => {}
        }
    }
    Ok(histories)
}

/// The folder of a job holds exactly the files of its delivered frames, each whole and as it was delivered.
fn look_at_files(job: &JobView, stored: Vec<&StoredFile>, history: &History, violations: &mut Vec<String>) {
    let folder = Path::new(&job.output);
    let mut expected = BTreeSet::new();
    let mut with_files = BTreeSet::new();
    for file in stored {
        with_files.insert(file.frame);
        expected.insert(file.path.clone());
        match fs::read(folder.join(&file.path)) {
            Err(error) => violations.push(format!("{} {} is lost: {error}", job.id, file.path)),
            Ok(bytes) if BlobHash::of(&bytes).0[..] != file.hash[..] => {
                violations.push(format!("{} {} is not what was delivered", job.id, file.path));
            }
            Ok(bytes) => {
                if let Err(error) = image::load_from_memory(&bytes) {
                    violations.push(format!("{} {} is damaged: {error}", job.id, file.path));
                }
            }
        }
    }
    for (frame, _) in history.delivered.keys() {
        if !with_files.contains(&i64::from(frame.get())) {
            violations.push(format!("{} frame {frame} is delivered and has no file", job.id));
        }
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !expected.contains(&name) {
            violations.push(format!("{} has left {name} behind in its folder", job.id));
        }
    }
}

fn shorten(violations: &mut Vec<String>) {
    if violations.len() > MOST_NAMED {
        let more = violations.len() - MOST_NAMED;
        violations.truncate(MOST_NAMED);
        violations.push(format!("and {more} more"));
    }
}

/// Reads what an agent's Blenders noted: `PID SPOOL/FARM.BATCH/FRAME/files FRAME`, a line each.
pub(super) fn read_record(text: &str) -> Vec<(BatchId, Frame)> {
    let begun = |line: &str| {
        let (rest, frame) = line.rsplit_once(' ')?;
        let key = rest.rsplit('/').nth(2)?;
        let batch = key.rsplit_once('.')?.1.parse().ok()?;
        Some((batch, Frame::try_from(frame.parse::<i64>().ok()?).ok()?))
    };
    text.lines().filter_map(begun).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_blender_noted_is_read_back() {
        let line = "17 /tmp/x/agent-1/spool/00000000-0000-0000-0000-000000000001.b12/7/files 7\nhalf a li";
        assert_eq!(
            read_record(line),
            [(BatchId(12), Frame::try_from(7_i64).unwrap())]
        );
    }
}
