//! Finding agents: a name that stands for many addresses is resolved again and again, or neighbours are heard
//! announcing themselves; new addresses are linked, vanished ones let go. An address that was found is no fact: only nodes that were reached are
//! remembered. Must not know what a link does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_engine::{AbsentNode, Command};
use farmhand_protocol::NodeId;
use futures_util::future::BoxFuture;

use crate::inbox::Inbox;
use crate::links::Links;
use crate::neighbours::Neighbours;

/// Places are looked at so often.
const EVERY: Duration = Duration::from_secs(2);

/// A resolver that does not answer is given up after so long, until the next time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where agents are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discover {
    /// `dns://HOST:PORT` stands for every address of HOST.
    Dns {
        /// The name.
        host: String,
        /// The agents' port, the same for all.
        port: u16,
    },
    /// `mdns`: agents of the local network that announce themselves.
    Mdns,
}

/// A text that says of no place where agents are found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no place to find agents: it is written dns://HOST:PORT, for example dns://agent:3000, or mdns for \
     those of the local network that announce themselves"
)]
pub struct DiscoverError(String);

impl FromStr for Discover {
    type Err = DiscoverError;

    fn from_str(text: &str) -> Result<Self, DiscoverError> {
        let error = || DiscoverError(text.chars().take(120).collect());
        if text.trim() == "mdns" {
            return Ok(Self::Mdns);
        }
        let place = text.trim().strip_prefix("dns://").ok_or_else(error)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = place.rsplit_once(':').ok_or_else(error)?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        let is_host = (1..=253).contains(&host.len()) && (is_name || host.parse::<IpAddr>().is_ok());
        match port.parse() {
            Ok(port) if port > 0 && is_host => Ok(Self::Dns {
                host: host.to_owned(),
                port,
            }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Discover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { host, port } if host.contains(':') => write!(f, "dns://[{host}]:{port}"),
            Self::Dns { host, port } => write!(f, "dns://{host}:{port}"),
            Self::Mdns => f.write_str("mdns"),
        }
    }
}

/// Turns a host and a port into every address that stands behind them.
pub type Resolve = Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's resolver.
pub(crate) fn system_resolver() -> Resolve {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }))
}

/// The task that looks.
pub(crate) struct Discovery {
    pub(crate) places: Vec<Discover>,
    pub(crate) resolve: Resolve,
    /// A node that vanished is forgotten after so long.
    pub(crate) forget_after: Duration,
    pub(crate) links: Arc<Links>,
    pub(crate) inbox: Inbox,
    /// What agents speak: `http` or `https`.
    pub(crate) scheme: &'static str,
}

/// What one place has led to so far.
#[derive(Default)]
struct Found {
    addresses: BTreeSet<String>,
    /// Those that were heard of on the local network, whenever.
    heard_of: BTreeSet<String>,
    neighbours: Option<Neighbours>,
    /// When the place could last be resolved.
    resolved: Option<Instant>,
    /// The last complaint, so that it is made once.
    complaint: Option<String>,
}

impl Discovery {
    /// Looks until it is dropped.
    pub(crate) async fn run(self) {
        let mut all: Vec<Found> = self.places.iter().map(|_| Found::default()).collect();
        let mut absent: BTreeMap<NodeId, Instant> = BTreeMap::new();
        let begun = Instant::now();
        loop {
            let before = union(&all);
            for (place, found) in self.places.iter().zip(&mut all) {
                let looked = match place {
                    Discover::Dns { host, port } => self.ask(host, *port).await,
                    Discover::Mdns => found.listen(self.scheme).await,
                };
                let looked = looked.map(|found| addresses(self.scheme, &found));
                found.take(place, looked, begun, self.forget_after);
            }
            let now = union(&all);
            self.links.discovered(&now);
            // One that a person removed is not brought back until it has been away.
            for address in now.difference(&before) {
                self.links.connect(address);
            }
            self.let_go(&before, &now).await;
            self.forget(&all, &now, &mut absent).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn ask(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let resolving = (self.resolve)(host.to_owned(), port);
        match tokio::time::timeout(PATIENCE, resolving).await {
            Ok(resolved) => resolved,
            Err(_) => Err(io::Error::other("no answer from the resolver")),
        }
    }

    /// Lets addresses go that have vanished. One at which a node was reached stays until the node is met
    /// elsewhere or forgotten: it may only be cut off, and is shown as lost.
    async fn let_go(&self, before: &BTreeSet<String>, now: &BTreeSet<String>) {
        let gone: Vec<String> = before.difference(now).cloned().collect();
        if gone.is_empty() {
            return;
        }
        let asked = self.inbox.ask(|farm, _| farm.addresses()).await;
        let Ok(kept) = asked else { return };
        for address in gone.iter().filter(|address| !kept.contains(*address)) {
            self.links.release(address);
        }
    }

    /// Forgets nodes with which nothing would be lost and that have been away for long, as far as they can
    /// have come from here.
    async fn forget(&self, all: &[Found], now: &BTreeSet<String>, absent: &mut BTreeMap<NodeId, Instant>) {
        let asked = self.inbox.ask(|farm, _| farm.absent_nodes()).await;
        let Ok(nodes) = asked else { return };
        let ours = |node: &&AbsentNode| {
            let is_here = now.contains(&node.address) && !node.is_replaced;
            !is_here && self.may_be_ours(all, &node.address) && !self.links.is_named(&node.address)
        };
        let nodes: Vec<NodeId> = nodes.iter().filter(ours).map(|node| node.node).collect();
        absent.retain(|node, _| nodes.contains(node));
        for node in nodes {
            let since = *absent.entry(node).or_insert_with(Instant::now);
            if since.elapsed() >= self.forget_after {
                tracing::info!(%node, "forgetting a node that has been away");
                let _gone_already = self.inbox.command(Command::RemoveNode(node)).await;
            }
        }
    }

    /// Addresses that names stand for are numbers with the port of their place: a node that was found by an
    /// earlier process is known by that. Neighbours are known by having been heard of.
    fn may_be_ours(&self, all: &[Found], address: &str) -> bool {
        let at = address.split_once("://").map_or(address, |(_, at)| at);
        let at = at.parse::<SocketAddr>();
        self.places.iter().zip(all).any(|(place, found)| match place {
            Discover::Dns { port, .. } => at.as_ref().is_ok_and(|at| at.port() == *port),
            Discover::Mdns => found.heard_of.contains(address),
        })
    }
}

impl Found {
    async fn listen(&mut self, scheme: &str) -> io::Result<Vec<SocketAddr>> {
        let neighbours = match &mut self.neighbours {
            Some(neighbours) => neighbours,
            None => self.neighbours.insert(Neighbours::listen()?),
        };
        let heard = neighbours.present().await;
        match &heard {
            Ok(heard) => self.heard_of.extend(addresses(scheme, heard)),
            Err(_) => self.neighbours = None, // The next time from the start.
        }
        heard
    }

    fn take(
        &mut self,
        place: &Discover,
        looked: io::Result<BTreeSet<String>>,
        begun: Instant,
        forget_after: Duration,
    ) {
        let complaint = match looked {
            Ok(found) => {
                self.addresses = found;
                self.resolved = Some(Instant::now());
                self.addresses
                    .is_empty()
                    .then(|| "it has no addresses at present".to_owned())
            }
            Err(error) => {
                // A resolver that fails for a moment must not cost a link. One that fails for long means that
                // the name is gone.
                if self.resolved.unwrap_or(begun).elapsed() >= forget_after {
                    self.addresses.clear();
                }
                Some(error.to_string())
            }
        };
        if self.complaint != complaint {
            if let Some(complaint) = &complaint {
                tracing::warn!(%place, complaint, "finds no agents");
            } else {
                tracing::info!(%place, addresses = self.addresses.len(), "finds agents");
            }
            self.complaint = complaint;
        }
    }
}

fn addresses(scheme: &str, found: &[SocketAddr]) -> BTreeSet<String> {
    found.iter().map(|at| format!("{scheme}://{at}")).collect()
}

fn union(all: &[Found]) -> BTreeSet<String> {
    all.iter()
        .flat_map(|found| found.addresses.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for (text, written) in [
            ("dns://agent:3000", "dns://agent:3000"),
            (" dns://farm.example.org:3001/ ", "dns://farm.example.org:3001"),
            ("dns://[::1]:3000", "dns://[::1]:3000"),
            ("mdns", "mdns"),
        ] {
            assert_eq!(text.parse::<Discover>().unwrap().to_string(), written);
        }
        for text in [
            "",
            "agent:3000",
            "dns://agent",
            "dns://:3000",
            "dns://agent:0",
            "dns://agent:x",
            "http://agent:3000",
            "dns://a b:3000",
            "dns://agent:3000/x",
            "dns://agent:70000",
        ] {
            let error = text.parse::<Discover>().unwrap_err();
            assert!(error.to_string().contains("dns://HOST:PORT"), "{text:?}: {error}");
        }
    }
}
