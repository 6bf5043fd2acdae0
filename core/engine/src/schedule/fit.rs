//! Whether a node can render at all, and whether it can render a job.

use farmhand_protocol::agent::NodeInfo;
use farmhand_protocol::{BlenderVersion, Failure, NodeId};

use crate::farm::{Farm, Now};
use crate::job::Job;
use crate::node::{Presence, Unfit};

/// Why a node can take nothing at the moment, whatever the job.
pub(crate) fn unfit(farm: &Farm, now: Now, node: NodeId, presence: &Presence) -> Option<Unfit> {
    if farm.node(node).is_some_and(|node| node.drained) {
        return Some(Unfit::Drained);
    }
    if presence.silent {
        return Some(Unfit::Silent);
    }
    if !presence.info.probed {
        return Some(Unfit::Probing);
    }
    if let Some(problem) = &presence.info.problem {
        return Some(Unfit::Broken(problem.clone()));
    }
    match &presence.rests {
        Some((until, failure)) if *until > now.since_start => Some(Unfit::Rests(failure.message.clone())),
        _ => None,
    }
}

/// Why a node cannot render this job, even when it has room. `version` is the Blender that it must have.
pub(crate) fn unfit_for(
    farm: &Farm,
    now: Now,
    job: &Job,
    node: NodeId,
    version: Option<BlenderVersion>,
) -> Option<Unfit> {
    if let Some(Failure { message, .. }) = job.excluded.get(&node) {
        return Some(Unfit::Excluded(message.clone()));
    }
    if let Some(ban) = job.bans.get(&node).filter(|ban| ban.until > now.wall) {
        return Some(Unfit::Banned(ban.until, ban.failure.message.clone()));
    }
    let info = &farm.presence(node)?.info;
    let known_too_small = farm
        .node(node)
        .is_some_and(|node| node.too_small_for.contains(&job.spec.scene));
    if known_too_small {
        return Some(Unfit::TooSmall);
    }
    if let Some(tag) = lacked_tag(info, &job.spec.tags) {
        return Some(Unfit::LacksTag(tag.clone()));
    }
    let has = |version| info.engines.iter().any(|engine| engine.version == version);
    version
        .filter(|version| !has(*version))
        .map(|_| Unfit::LacksBlender)
}

/// The first of these tags that a node lacks.
pub(super) fn lacked_tag<'a>(info: &NodeInfo, tags: &'a [String]) -> Option<&'a String> {
    tags.iter().find(|tag| !info.tags.contains(tag))
}
