//! `cancel`, `retry`, `pause`, `resume`: one call each.

use color_eyre::eyre::{Result, eyre};
use farmhand_client::FarmClient;
use farmhand_protocol::JobId;

use super::args::{ChooseArgs, JobOrBatch};
use super::print;

pub(crate) async fn cancel(farm: &FarmClient, args: ChooseArgs) -> Result<()> {
    let what = subject(&args)?;
    match args.id {
        JobOrBatch::Job(id) => farm.cancel_job(id, args.frames).await?,
        JobOrBatch::Batch(id) => farm.cancel_batch(id).await?,
    }
    Ok(print::text(&format!("{what} cancelled\n"))?)
}

pub(crate) async fn retry(farm: &FarmClient, args: ChooseArgs) -> Result<()> {
    let what = subject(&args)?;
    match args.id {
        JobOrBatch::Job(id) => farm.retry_job(id, args.frames).await?,
        JobOrBatch::Batch(id) => farm.retry_batch(id).await?,
    }
    Ok(print::text(&format!("{what} queued again\n"))?)
}

fn subject(args: &ChooseArgs) -> Result<String> {
    match (args.id, &args.frames) {
        (JobOrBatch::Job(id), None) => Ok(id.to_string()),
        (JobOrBatch::Job(id), Some(frames)) => Ok(format!("{id}: frames {frames}")),
        (JobOrBatch::Batch(id), None) => Ok(id.to_string()),
        (JobOrBatch::Batch(id), Some(_)) => Err(eyre!("{id} is a batch: --frames chooses frames of a job")),
    }
}

pub(crate) async fn pause(farm: &FarmClient, id: JobId) -> Result<()> {
    farm.pause_job(id).await?;
    Ok(print::text(&format!(
        "{id} paused: frames on nodes are finished\n"
    ))?)
}

pub(crate) async fn resume(farm: &FarmClient, id: JobId) -> Result<()> {
    farm.resume_job(id).await?;
    Ok(print::text(&format!("{id} goes on\n"))?)
}
