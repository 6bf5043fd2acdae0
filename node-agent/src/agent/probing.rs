//! What the node's Blenders are: each is asked once, at the start.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use farmhand_protocol::agent::AgentEvent;

use super::Agent;
use crate::engines::{self, NO_ENGINE};

/// How long the probed Blender waits for a first frame.
const KEPT_FOR_FIRST_FRAMES: Duration = Duration::from_mins(1);

/// Asks each Blender once, one after the other: on a small machine two at a time take longer.
pub(super) async fn probe_engines(agent: Arc<Agent>) {
    let paths = engines::discover(&agent.config.blenders, agent.config.engines.as_deref());
    let mut problems = Vec::new();
    for path in paths {
        let probed = engines::probe(&agent.spawner, &path, &agent.driver);
        let probed = tokio::select! {
            probed = probed => probed,
            () = agent.stopping.cancelled() => return,
        };
        match probed {
            Ok((engine, ready)) => {
                tracing::info!(engine = %path, version = %engine.info.version, denoiser = engine.info.denoiser,
                    devices = ?engine.info.devices, "found a Blender");
                let preferred = agent.engines().found.is_empty();
                agent
                    .engines
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .found
                    .push(engine);
                if preferred {
                    agent.parked.keep(ready);
                    tokio::spawn(leave_if_not_needed(Arc::clone(&agent)));
                } else {
                    ready.leave().await;
                }
            }
            Err(failure) => {
                tracing::warn!(engine = %path, problem = %failure.message, "a Blender does not answer");
                problems.push(failure.message);
            }
        }
    }
    {
        let mut engines = agent.engines.write().unwrap_or_else(PoisonError::into_inner);
        engines.probed = true;
        if engines.found.is_empty() {
            let mut problem = NO_ENGINE.to_owned();
            if !problems.is_empty() {
                problem = format!("{problem} (tried: {})", problems.join("; "));
            }
            tracing::warn!("{problem}");
            engines.problem = Some(problem);
        }
    }
    agent.events.publish(&AgentEvent::NodeChanged);
    agent.work.notify_waiters();
}

/// The probed Blender renders the first frames if they come soon; its memory is not held for longer.
async fn leave_if_not_needed(agent: Arc<Agent>) {
    tokio::select! {
        () = tokio::time::sleep(KEPT_FOR_FIRST_FRAMES) => {}
        () = agent.stopping.cancelled() => return, // The shutdown waits for its end.
    }
    if let Some(ready) = agent.parked.take() {
        ready.leave().await;
    }
}
