//! What Blender printed for a frame: of batches that are over from what is kept here, else from the node.

use std::collections::BTreeMap;
use std::sync::Arc;

use farmhand_protocol::farm::BatchView;
use farmhand_protocol::{BatchId, BatchKey, Frame, JobId, log_of_frame};

use super::{Front, FrontError, off_thread, unknown_job};

impl Front {
    /// What Blender printed for a frame in all of its attempts, each below a line that names its batch and
    /// node; where nothing else is left, the last lines that its failure carries.
    pub(crate) async fn frame_log(&self, id: JobId, frame: Frame) -> Result<String, FrontError> {
        let asked = self
            .inbox()
            .ask(move |farm, now| {
                let mut batches = farm.job_detail(id, now)?.batches;
                batches.retain(|batch| batch.frames.contains(frame));
                Some((batches, farm.frame_views(id, &frame.into()).pop()))
            })
            .await?;
        let (batches, view) = asked.ok_or_else(|| unknown_job(id))?;
        let view = view.ok_or_else(|| FrontError::Unknown(format!("frame {frame} in job {id}")))?;
        let logs = Arc::clone(&self.0.logs);
        let kept = off_thread(move || Ok(logs.of_frame(id, frame))).await?;
        let mut attempts: BTreeMap<BatchId, (String, String)> = kept
            .into_iter()
            .map(|(label, log)| (label.batch, (label.node_name, log)))
            .collect();
        let newest = batches.into_iter().max_by_key(|batch| batch.id);
        if let Some(batch) = newest.filter(|batch| !attempts.contains_key(&batch.id))
            && let Some(log) = self.log_on_node(&batch).await
        {
            attempts.insert(batch.id, (batch.node_name, log));
        }
        let mut text = String::new();
        for (batch, (node, log)) in attempts {
            // A batch that never came to the frame has nothing to tell of it.
            if let Some(part) = log_of_frame(&log, frame) {
                text = format!("{text}--- batch {batch} on {node} ---\n{part}");
            }
        }
        if !text.is_empty() {
            return Ok(text);
        }
        match view.failure {
            Some(failure) => {
                let lines = failure.log.iter().chain([&failure.message]);
                Ok(lines.fold(text, |text, line| text + line + "\n"))
            }
            None => Err(FrontError::NotThere(format!("no log of frame {frame} is kept"))),
        }
    }

    async fn log_on_node(&self, batch: &BatchView) -> Option<String> {
        let agent = self.0.links.agent_of(batch.node)?;
        let key = BatchKey {
            farm: self.0.farm,
            batch: batch.id,
        };
        match agent.log(key).await {
            Ok(log) => Some(log),
            Err(error) => {
                tracing::debug!(%error, "no log from the node");
                None
            }
        }
    }
}
