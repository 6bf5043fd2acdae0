//! Decides when the scene of the batch that runs next is loaded, so that no slot waits for it. Must not know HTTP.

use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::BatchKey;
use farmhand_protocol::agent::BatchPhase;

use crate::agent::Agent;
use crate::batches::LoadAhead;
use crate::blender::{Conditions, Log, Sign};
use crate::prepare;

/// A scene is loaded so long before its slot is free.
const LEAD: Duration = Duration::from_secs(30);
/// While a scene waits, memory is looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// A Blender that was not measured is taken to need this much, in bytes.
const UNMEASURED: u64 = 1 << 30;
/// Memory that stays free whatever is loaded ahead, in bytes.
const RESERVE: u64 = 1 << 29;

/// Runs until the agent stops.
pub(crate) async fn run(agent: Arc<Agent>) {
    // The last batch whose scene was loaded ahead, or could not be: once is enough.
    let mut last: Option<BatchKey> = None;
    loop {
        let mut holds = last.is_some_and(|key| is_awaited(&agent, key));
        if !holds {
            agent.ahead.clear().await;
            if let Some((next, log)) = next(&agent)
                && last != Some(next.key)
                && fits(&agent, next.heaviest_bytes)
            {
                last = Some(next.key);
                holds = true;
                begin(&agent, next, log).await;
            }
        } else if agent.gauge.memory_free().is_some_and(|free| free < RESERVE) {
            tracing::info!("memory is short: the scene that was loaded ahead goes");
            agent.ahead.clear().await;
        }
        tokio::select! {
            () = agent.moved.notified() => {}
            () = tokio::time::sleep(LOOK), if holds => {}
            () = agent.stopping.cancelled() => break,
        }
    }
    agent.ahead.clear().await;
}

/// What to load, and where Blender prints meanwhile.
fn next(agent: &Agent) -> Option<(LoadAhead, Arc<Log>)> {
    let batches = agent.batches();
    let next = batches.to_load_ahead(LEAD)?;
    // While the batches cannot change: one that has ended would have a log for ever.
    let log = agent.live_of(next.key).log;
    Some((next, log))
}

/// Whether a slot may still take what was loaded for a batch.
fn is_awaited(agent: &Agent, key: BatchKey) -> bool {
    let phase = agent.batches().phase(key);
    matches!(phase, Some(BatchPhase::Queued | BatchPhase::Loading))
}

/// Whether there is memory for two Blenders as heavy as the heaviest: one that loads, and growth of those that render.
fn fits(agent: &Agent, heaviest: u64) -> bool {
    let wanted = heaviest.max(UNMEASURED).saturating_mul(2).saturating_add(RESERVE);
    agent.gauge.memory_free().is_none_or(|free| free >= wanted)
}

async fn begin(agent: &Arc<Agent>, next: LoadAhead, log: Arc<Log>) {
    let loaded = match prepare::prepare(agent, &next.request).await {
        Ok((loaded, _)) => loaded,
        // Its slot will find the same, and say so.
        Err(failure) => return tracing::debug!("cannot load ahead: {}", failure.message),
    };
    let conditions = Conditions {
        timeout: agent.config.timeout_of(&next.request.settings),
        memory_bytes: next.memory_bytes,
        kill: agent.killing.clone(),
        log,
    };
    tracing::info!(farm = %next.key.farm, batch = %next.key.batch, "loading the next scene ahead");
    let counting = Arc::clone(agent);
    agent
        .ahead
        .begin(agent.loader(), loaded, conditions, move |sign| match sign {
            Sign::StartingBlender => counting.metrics.blender_started(),
            Sign::LoadingScene => counting.metrics.scene_loaded(),
            Sign::AwaitingScene | Sign::Started | Sign::Samples(..) => {}
        });
}
