//! All links, and carrying effects out through them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use farmhand_engine::{Effect, Farm, FilmsMade, Report};
use farmhand_http::Tokens;
use farmhand_protocol::{BatchId, BatchKey, NodeId};
use farmhand_tls::Trust;
use tokio::sync::Semaphore;

use crate::agent::AgentLink;
use crate::delivery::Parcel;
use crate::films::{self, Reel};
use crate::kept_logs::LogLabel;
use crate::link::{Link, Means};

/// The links to all agents.
pub(crate) struct Links {
    means: Arc<Means>,
    http: reqwest::Client,
    tokens: Option<Tokens>,
    open: Mutex<BTreeMap<String, Arc<Link>>>,
    /// Addresses that were named at the start.
    named: BTreeSet<String>,
    /// Addresses that are found at the moment.
    discovered: Mutex<BTreeSet<String>>,
    projector: Arc<Semaphore>,
    /// Whether agents of other machines may be dialled without encryption.
    plain: bool,
}

/// Why an agent is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this farm has a CA, and {0} would get its token without encryption: start that agent with --join and \
     --join-token-file and name it by https://, or allow such agents with --allow-plain-agents"
)]
pub struct PlainAgent(String);

/// How agents are dialled.
pub(crate) struct Dialling {
    pub(crate) tokens: Option<Tokens>,
    pub(crate) trust: Trust,
    /// Whether agents of other machines may be dialled without encryption.
    pub(crate) plain: bool,
}

impl Links {
    pub(crate) fn new(means: Means, dialling: Dialling, named: BTreeSet<String>) -> Self {
        Self {
            means: Arc::new(means),
            http: crate::agent::http_client(&dialling.trust),
            tokens: dialling.tokens,
            plain: dialling.plain,
            open: Mutex::default(),
            named,
            discovered: Mutex::default(),
            projector: Arc::new(Semaphore::new(1)),
        }
    }

    /// Keeps a link to an address from now on.
    pub(crate) fn connect(&self, address: &str) {
        if let Err(refused) = self.may_dial(address) {
            // One that the farm remembers from before it had a CA.
            tracing::warn!(address, "{refused}");
            self.means
                .telemetry
                .note(address, |signs| signs.problem = Some(refused.to_string()));
            return;
        }
        self.open().entry(address.to_owned()).or_insert_with(|| {
            let agent = AgentLink::new(self.http.clone(), address.to_owned(), self.tokens.clone());
            Link::open(agent, Arc::clone(&self.means))
        });
    }

    /// Whether an address may be dialled: the token is not sent to another machine in the clear where there is a way
    /// to encrypt it.
    pub(crate) fn may_dial(&self, address: &str) -> Result<(), PlainAgent> {
        let host = address.strip_prefix("http://").filter(|_| !self.plain);
        match host.map(is_this_machine) {
            Some(false) => Err(PlainAgent(address.to_owned())),
            Some(true) | None => Ok(()),
        }
    }

    /// Lets a link go. Says whether there was one.
    pub(crate) fn disconnect(&self, address: &str) -> bool {
        let link = self.open().remove(address);
        if let Some(link) = &link {
            link.close_gently();
        }
        link.is_some()
    }

    /// Lets a link go unless somebody names its address.
    pub(crate) fn release(&self, address: &str) {
        let is_found = self.discovered_now().contains(address);
        if !is_found && !self.is_named(address) {
            self.disconnect(address);
        }
    }

    /// Whether an address was named at the start.
    pub(crate) fn is_named(&self, address: &str) -> bool {
        self.named.contains(address)
    }

    /// These are the addresses that are found at the moment.
    pub(crate) fn discovered(&self, addresses: &BTreeSet<String>) {
        self.discovered_now().clone_from(addresses);
    }

    pub(crate) fn close_all(&self) {
        for link in std::mem::take(&mut *self.open()).into_values() {
            link.close();
        }
    }

    /// Asks every agent anew: what was known of them is lost.
    pub(crate) fn greet_all(&self) {
        self.open().values().for_each(|link| link.greet());
    }

    /// Every address that there is a link to.
    pub(crate) fn addresses(&self) -> BTreeSet<String> {
        self.open().keys().cloned().collect()
    }

    /// The way to a node, if there is one.
    pub(crate) fn agent_of(&self, node: NodeId) -> Option<AgentLink> {
        let address = self.routes().get(&node)?.clone();
        self.open().get(&address).map(|link| link.agent().clone())
    }

    /// Nothing of a batch is wanted any more.
    pub(crate) fn forget(&self, farm: &Farm, node: NodeId, batch: BatchId) {
        if let Some(link) = self.link(farm, node) {
            link.forget(batch);
        }
    }

    /// Carries an effect out, or begins to. Never waits.
    pub(crate) fn carry_out(&self, farm: &Farm, effect: Effect) {
        match effect {
            Effect::Connect { address } => self.connect(&address),
            Effect::Disconnect { address } => {
                self.disconnect(&address);
            }
            Effect::Release { address } => self.release(&address),
            Effect::Dispatch { node, start } => self.through(farm, node, |link| link.dispatch(*start)),
            Effect::Revoke { node, batch, frames } => {
                self.through(farm, node, |link| link.revoke(batch, frames));
            }
            Effect::Drop { node, batch } => {
                self.through(farm, node, |link| link.drop_batch(batch, label_of(farm, batch)));
            }
            Effect::List { node } => self.through(farm, node, |link| link.list()),
            Effect::Acknowledge { node, batch, frame } => {
                self.through(farm, node, |link| link.acknowledge(batch, frame));
            }
            Effect::MakeFilms {
                job,
                folder,
                stem,
                frames,
                film,
                preview,
            } => self.make_films(Reel {
                job,
                folder: folder.into(),
                stem,
                frames,
                film,
                preview,
            }),
            Effect::Fetch {
                node,
                batch,
                job,
                folder,
                stem,
                finished,
            } => {
                let key = BatchKey {
                    farm: farm.id(),
                    batch,
                };
                let parcel = Box::new(Parcel {
                    node,
                    key,
                    folder: folder.into(),
                    stem,
                    finished: *finished,
                });
                self.through(farm, node, |link| link.fetch(parcel, job));
            }
        }
    }

    /// One job's at a time: encoding takes every processor there is.
    fn make_films(&self, reel: Reel) {
        let (inbox, scratch) = (self.means.inbox.clone(), self.means.scratch.clone());
        let projector = Arc::clone(&self.projector);
        tokio::spawn(async move {
            let Ok(_alone) = projector.acquire().await else {
                return;
            };
            let mute = films::is_mute(&reel.film).then(|| "without the scene's sound".to_owned());
            let films = match films::make(&reel, &scratch).await {
                Ok(files) => FilmsMade { files, problem: mute },
                Err(error) => FilmsMade {
                    files: Vec::new(),
                    problem: Some(error.to_string()),
                },
            };
            let job = reel.job;
            inbox.report(Report::FilmsMade { job, films }).await;
        });
    }

    fn through(&self, farm: &Farm, node: NodeId, act: impl FnOnce(&Arc<Link>)) {
        // Whoever is removed or was never reached needs nothing; its list mends the rest if it comes back.
        if let Some(link) = self.link(farm, node) {
            act(&link);
        }
    }

    fn link(&self, farm: &Farm, node: NodeId) -> Option<Arc<Link>> {
        let reached = self.routes().get(&node).cloned();
        let address = reached.or_else(|| farm.node(node).map(|node| node.address.clone()))?;
        self.open().get(&address).cloned()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discovered_now(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, std::collections::HashMap<NodeId, String>> {
        self.means.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `host:port` is loopback.
fn is_this_machine(place: &str) -> bool {
    let host = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => place,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = host.parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// What the log of a batch is kept under; nothing for one that is not of this farm's making.
fn label_of(farm: &Farm, batch: BatchId) -> Option<LogLabel> {
    let held = farm.batch(batch)?;
    Some(LogLabel {
        job: held.job,
        batch,
        node_name: farm
            .node(held.node)
            .map(|node| node.name.clone())
            .unwrap_or_default(),
        frames: held.frames.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for place in [
            "127.0.0.1:3001",
            "127.8.0.1",
            "[::1]:3001",
            "localhost:3000",
            "localhost",
        ] {
            assert!(is_this_machine(place), "{place}");
        }
        for place in [
            "10.0.0.1:3001",
            "render-04:3001",
            "localhost.example:3000",
            "[fd00::1]:3001",
            "[::2]",
        ] {
            assert!(!is_this_machine(place), "{place}");
        }
    }
}
