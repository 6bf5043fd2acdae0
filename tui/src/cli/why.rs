//! `why`: causes, what shows them, and what to do.

use color_eyre::eyre::{Result, bail};
use farmhand_client::FarmClient;
use farmhand_protocol::{Frame, JobId};

use super::{nodes, print};
use crate::causes;

pub(crate) async fn why(farm: &FarmClient, what: &str, frame: Option<Frame>, as_json: bool) -> Result<()> {
    let job: Option<JobId> = what.parse().ok();
    let why = match (job, frame) {
        (Some(job), Some(frame)) => farm.why_frame(job, frame).await?,
        (Some(job), None) => farm.why(job).await?,
        (None, Some(_)) => bail!("--frame is about a job, as in `farmhand why j7 --frame 142`"),
        (None, None) => match what.parse() {
            Ok(batch) => farm.why_batch(batch).await?,
            Err(_) => farm.why_node(nodes::find(farm, what).await?).await?,
        },
    };
    if as_json {
        return Ok(print::json(&why)?);
    }
    if why.causes.is_empty() {
        // An older orchestrator knows reasons alone.
        let reasons = if why.reasons.is_empty() {
            "nothing stands in its way".to_owned()
        } else {
            why.reasons.join("\n")
        };
        return Ok(print::text(&(reasons + "\n"))?);
    }
    Ok(print::text(&causes::text(&why.causes))?)
}
