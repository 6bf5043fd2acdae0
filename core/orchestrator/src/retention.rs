//! Keeps the data folder within its bounds: scenes that no job has any more go, and so do the oldest ended jobs
//! where history takes more room than it may. Pictures are never touched.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use farmhand_engine::Farm;
use farmhand_protocol::{BlobHash, JobId, SceneHash};
use jiff::Timestamp;

use crate::blobs::SceneError;
use crate::front::{Front, FrontError};
use crate::scene::Stock;

/// When what is kept goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes that the journal may take; beyond, the oldest ended jobs are forgotten.
    pub history_bytes: u64,
    /// Files of scenes that no job has are removed when they were not used for so long.
    pub unused_scenes: Duration,
    /// Time between two looks at the journal.
    pub look_every: Duration,
    /// Time between two looks at the scenes.
    pub sweep_every: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            history_bytes: 10_000_000_000,
            unused_scenes: Duration::from_hours(24),
            look_every: Duration::from_mins(1),
            sweep_every: Duration::from_hours(1),
        }
    }
}

/// Looks after the data folder while the farm runs.
pub(crate) struct Retention {
    pub(crate) front: Front,
    pub(crate) stock: Stock,
    pub(crate) bounds: Bounds,
}

/// An ended job, as far as it matters to how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ended {
    at: Timestamp,
    job: JobId,
    frames: u64,
}

impl Retention {
    /// Runs until it is stopped.
    pub(crate) async fn run(self) {
        let first = tokio::time::Instant::now() + self.bounds.look_every;
        let mut every = tokio::time::interval_at(first, self.bounds.look_every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut swept = Instant::now();
        loop {
            every.tick().await;
            if let Err(error) = self.thin_history().await {
                tracing::warn!(%error, "history is not thinned out");
            }
            if swept.elapsed() >= self.bounds.sweep_every {
                swept = Instant::now();
                self.sweep_scenes().await;
            }
        }
    }

    async fn thin_history(&self) -> Result<(), FrontError> {
        let (bytes, kept) = self.front.history().await?;
        let Some(excess) = bytes.checked_sub(self.bounds.history_bytes) else {
            return Ok(());
        };
        let (known, ended) = self
            .front
            .ask(|farm| (farm.job_ids().collect(), ended_jobs(farm)))
            .await?;
        if !kept.is_subset(&known) {
            return Ok(()); // What was forgotten before is still being dropped; then it is seen what is left.
        }
        let leaving = oldest_of(ended, excess, bytes);
        for job in &leaving {
            self.front.forget_job(*job).await?;
        }
        if let Some(text) = farewell(leaving.len(), self.bounds.history_bytes) {
            tracing::info!(jobs = leaving.len(), bytes, "{text}");
            self.front.note(text).await;
        }
        Ok(())
    }

    async fn sweep_scenes(&self) {
        match self.wanted().await {
            Ok(wanted) => match self.front.blobs().sweep(wanted, self.bounds.unused_scenes).await {
                Ok((0, _)) => {}
                Ok((files, bytes)) => {
                    tracing::info!(files, bytes, "files of scenes that no job has are removed");
                }
                Err(error) => tracing::warn!(%error, "scenes that no job has could not all be removed"),
            },
            Err(error) => tracing::warn!(%error, "it is not known which scenes are wanted: all stay"),
        }
    }

    /// The files of all scenes that may be rendered.
    async fn wanted(&self) -> Result<HashSet<BlobHash>, FrontError> {
        let scenes = self.front.ask(scenes).await?;
        let mut wanted = HashSet::new();
        for scene in scenes.into_iter().chain(self.stock.made()) {
            wanted.insert(scene.into());
            match self.front.blobs().manifest(scene).await {
                Ok(manifest) => wanted.extend(manifest.files().values().map(|file| file.hash)),
                Err(SceneError::Missing(_)) => {} // Nothing of it can be rendered any more.
                Err(error) => return Err(FrontError::NotThere(error.to_string())),
            }
        }
        Ok(wanted)
    }
}

fn scenes(farm: &Farm) -> BTreeSet<SceneHash> {
    let jobs = farm.job_ids().filter_map(|job| farm.job(job));
    jobs.map(|job| job.spec.scene).collect()
}

fn ended_jobs(farm: &Farm) -> Vec<Ended> {
    let jobs = farm.job_ids().filter_map(|id| Some((id, farm.job(id)?)));
    let ended = jobs.filter(|(_, job)| job.frames.is_settled());
    let ended = ended.filter_map(|(id, job)| {
        Some(Ended {
            at: job.ended?,
            job: id,
            frames: u64::from(job.frames.frames().len()),
        })
    });
    ended.collect()
}

/// The jobs that ended first, as many as hold `excess` of so many bytes. What a job takes is not known; its share
/// of all frames comes near enough, and what is still too much goes the next time.
fn oldest_of(mut ended: Vec<Ended>, excess: u64, bytes: u64) -> Vec<JobId> {
    ended.sort_unstable_by_key(|ended| (ended.at, ended.job));
    let weight = |ended: &Ended| ended.frames + 1;
    let all: u64 = ended.iter().map(weight).sum();
    let mut freed: u64 = 0;
    let leaving = ended.iter().take_while(|ended| {
        let enough = freed >= excess;
        freed += bytes * weight(ended) / all.max(1);
        !enough
    });
    leaving.map(|ended| ended.job).collect()
}

/// What the diary says of so many jobs that went.
fn farewell(jobs: usize, most_bytes: u64) -> Option<String> {
    let who = match jobs {
        0 => return None,
        1 => "the oldest ended job is".to_owned(),
        jobs => format!("the {jobs} oldest ended jobs are"),
    };
    let megabytes = most_bytes.div_ceil(1_000_000);
    Some(format!(
        "{who} forgotten: history took more than {megabytes} MB; pictures stay"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_that_ended_first_go_as_many_as_are_needed() {
        let at = |second: i64, job: u64, frames: u64| Ended {
            at: Timestamp::from_second(second).unwrap(),
            job: JobId(job),
            frames,
        };
        let ended = vec![at(30, 1, 99), at(10, 2, 9), at(20, 3, 89), at(40, 4, 299)];
        assert_eq!(oldest_of(ended.clone(), 100, 1000), [JobId(2), JobId(3)]);
        assert_eq!(oldest_of(ended.clone(), 1, 1000), [JobId(2)]);
        assert_eq!(oldest_of(ended.clone(), 0, 1000), []);
        assert_eq!(oldest_of(ended, 1000, 1000).len(), 4);
        assert_eq!(oldest_of(Vec::new(), 1000, 1000), []);
    }
}
