//! `cancel`, `retry`, `pause`, `resume`, `forget`, `verify`, `video`: one call each, and how the job stands afterwards.

use color_eyre::eyre::{Result, bail};
use farmhand_client::FarmClient;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{BatchView, JobView};
use indicatif::HumanBytes;

use super::args::{ChooseArgs, JobOrBatch};
use super::{jobs, print};
use crate::words;

pub(crate) async fn cancel(farm: &FarmClient, args: ChooseArgs) -> Result<()> {
    match chosen(&args)? {
        JobOrBatch::Job(id) => say_job(&farm.cancel_job(id, args.frames).await?),
        JobOrBatch::Batch(id) => say_batch(&farm.cancel_batch(id).await?),
    }
}

pub(crate) async fn retry(farm: &FarmClient, args: ChooseArgs) -> Result<()> {
    match chosen(&args)? {
        JobOrBatch::Job(id) => say_job(&farm.retry_job(id, args.frames).await?),
        JobOrBatch::Batch(id) => say_batch(&farm.retry_batch(id).await?),
    }
}

pub(crate) async fn pause(farm: &FarmClient, id: JobId) -> Result<()> {
    say_job(&farm.pause_job(id).await?)
}

pub(crate) async fn resume(farm: &FarmClient, id: JobId) -> Result<()> {
    say_job(&farm.resume_job(id).await?)
}

/// Goes through all of them, and says at the end which could not be forgotten.
pub(crate) async fn forget(farm: &FarmClient, ids: &[JobId]) -> Result<()> {
    let mut refused = Vec::new();
    for id in ids {
        match farm.delete_job(*id).await {
            Ok(()) => print::text(&format!("{id} is forgotten; its pictures stay\n"))?,
            Err(error) => refused.push(error.to_string()),
        }
    }
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    Ok(())
}

pub(crate) async fn verify(farm: &FarmClient, id: JobId, as_json: bool) -> Result<()> {
    let found = farm.verify_job(id).await?;
    if as_json {
        print::json(&found)?;
    } else {
        for file in &found.damaged {
            print::text(&format!("{} {}\n", file.path, file.problem))?;
        }
        let whole = found.files.saturating_sub(found.damaged.len() as u64);
        let bytes = HumanBytes(found.bytes);
        print::text(&format!(
            "{id}: {whole} of {} files are whole ({bytes} in all)\n",
            found.files
        ))?;
    }
    if !found.damaged.is_empty() {
        bail!("{id}: frames {} are rendered again", found.requeued);
    }
    Ok(())
}

pub(crate) async fn video(farm: &FarmClient, id: JobId) -> Result<()> {
    let job = farm.make_films(id).await?;
    let when = if job.state.has_ended() {
        "now"
    } else {
        "when its frames are all there"
    };
    Ok(print::text(&format!(
        "{id} {}: its film is made {when}\n",
        job.name
    ))?)
}

/// Only a job's frames can be chosen.
fn chosen(args: &ChooseArgs) -> Result<JobOrBatch> {
    match (args.id, &args.frames) {
        (JobOrBatch::Batch(id), Some(_)) => bail!("{id} is a batch: --frames chooses frames of a job"),
        (id, _) => Ok(id),
    }
}

fn say_job(job: &JobView) -> Result<()> {
    let line = format!(
        "{} {}: {} ({})\n",
        job.id,
        job.name,
        job.state.word(),
        jobs::counts(job)
    );
    Ok(print::text(&line)?)
}

fn say_batch(batch: &BatchView) -> Result<()> {
    let state = words::batch_state(batch.state);
    let (done, all) = (batch.delivered.len(), words::frames(batch.frames.len()));
    let line = format!(
        "{} of {}: {state} ({done} of {all} delivered)\n",
        batch.id, batch.job
    );
    Ok(print::text(&line)?)
}
