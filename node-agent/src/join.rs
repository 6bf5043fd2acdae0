//! Registering at an orchestrator: the agent says there where it can be reached, sees whether it has been, and
//! looks again and again, since farms lose nodes and addresses change.
//!
//! The only part of an agent that knows an orchestrator. Must not know batches or frames.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_http::{FarmAddress, TOKENS_HEADER, cause_of, client};
use farmhand_protocol::agent::Joining;
use farmhand_protocol::farm::{AddNode, NodeState, NodeView, Page};
use farmhand_protocol::{NodeId, Problem};
use farmhand_tls::{Role, Trust};
use reqwest::{RequestBuilder, Response, Url};

use crate::agent::Agent;

/// An agent that its orchestrator has reached looks so often whether it still is known there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// One that has not been reached looks so often.
const KNOCK: Duration = Duration::from_secs(2);

/// An orchestrator that was told of an agent has this long to reach it.
const TO_BE_REACHED: Duration = Duration::from_secs(6);

/// Time within which a call must be answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where others reach an agent: a host, and a port unless it is the one that the agent listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    host: String,
    port: Option<u16>,
}

/// A text that says of no place where an agent is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address of an agent: it is written http://HOST:PORT, or HOST where the port is the one listened on"
)]
pub struct AdvertisedError(String);

impl FromStr for Advertised {
    type Err = AdvertisedError;

    fn from_str(text: &str) -> Result<Self, AdvertisedError> {
        let error = || AdvertisedError(text.chars().take(120).collect());
        let place = text.trim();
        let place = ["http://", "https://"]
            .iter()
            .find_map(|scheme| place.strip_prefix(scheme))
            .unwrap_or(place);
        let place = place.strip_suffix('/').unwrap_or(place);
        // `Url` drops port 80, so that it is read here.
        let port = match place.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => Some(port.parse().map_err(|_| error())?),
            _ => None,
        };
        let url = Url::parse(&format!("http://{place}")).map_err(|_| error())?;
        let plain = url.path() == "/" && url.username().is_empty() && url.password().is_none();
        match url.host_str() {
            Some(host) if plain && url.query().is_none() && url.fragment().is_none() && port != Some(0) => {
                Ok(Self {
                    host: host.to_owned(),
                    port,
                })
            }
            _ => Err(error()),
        }
    }
}

impl Advertised {
    fn with_port(&self, scheme: &str, listened_on: u16) -> String {
        format!("{scheme}://{}:{}", self.host, self.port.unwrap_or(listened_on))
    }
}

/// Why an agent is not known to be joined.
#[derive(Debug, PartialEq, Eq)]
enum NotJoined {
    /// Whoever should be called does not answer.
    Unreachable(String),
    /// It wants another token, or none of us.
    Refused(String),
    /// No address to be reached at can be told.
    NoAddress(String),
    /// It was told, and will try.
    JustTold,
    /// It cannot reach us.
    NotReached { address: String, why: String },
    /// At our address it reaches someone else.
    AnotherThere { address: String, name: String },
}

impl fmt::Display for NotJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "no orchestrator answers there: {why}"),
            Self::Refused(why) => write!(f, "the orchestrator refuses this agent: {why}"),
            Self::NoAddress(why) => write!(
                f,
                "cannot tell by which address it could reach this agent ({why}): name one with --advertise http://HOST:PORT"
            ),
            Self::JustTold => f.write_str("the orchestrator was told and has not called yet"),
            Self::NotReached { address, why } => write!(
                f,
                "the orchestrator cannot reach this agent at {address}: {why}. Let it through there, or say with \
                 --advertise http://HOST:PORT where this agent can be reached"
            ),
            Self::AnotherThere { address, name } => write!(
                f,
                "at {address} the orchestrator reaches another agent, {name}: say with --advertise \
                 http://HOST:PORT where this one can be reached"
            ),
        }
    }
}

/// Registers the agent, and goes on seeing to it that it is, until the agent stops.
pub(crate) async fn keep_joined(agent: Arc<Agent>, farm: FarmAddress, listening: SocketAddr) {
    let mut task = Join {
        http: http_client(&agent.membership.trust(Role::Farm)),
        tokens_of_farm: None,
        complaint: None,
        id: agent.folder.id(),
        told: None,
        farm,
        listening,
        agent,
    };
    let stop = task.agent.stopping.clone();
    stop.run_until_cancelled(task.run()).await;
}

struct Join {
    http: reqwest::Client,
    agent: Arc<Agent>,
    id: NodeId,
    farm: FarmAddress,
    listening: SocketAddr,
    /// Since when the orchestrator has known this address and not reached us.
    told: Option<(String, Instant)>,
    /// Which tokens the farm has, as it said last.
    tokens_of_farm: Option<String>,
    /// Why no certificate could be had, so that it is said once.
    complaint: Option<String>,
}

impl Join {
    async fn run(&mut self) {
        loop {
            let looked = self.look().await;
            let pause = if looked.is_ok() { HEARTBEAT } else { KNOCK };
            self.tell(looked);
            self.stay_member().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Renews the certificate in time, and takes over tokens that the farm has changed.
    async fn stay_member(&mut self) {
        let membership = &self.agent.membership;
        if !membership.is_stale(self.tokens_of_farm.as_deref()) {
            return;
        }
        let name = &self.agent.config.name;
        let failed = membership.renew(&self.http, &self.farm, name).await.err();
        if let Some(reason) = failed.as_ref().filter(|_| failed != self.complaint) {
            tracing::error!(reason, "this agent's certificate and tokens cannot be renewed");
        }
        self.complaint = failed;
    }

    /// One look: are we known there and reached? If not, says where we are. The address where we are reached.
    async fn look(&mut self) -> Result<String, NotJoined> {
        let name = self.agent.config.name.clone();
        let known = self.nodes("name", &name).await?;
        let me = known.into_iter().find(|node| node.id == Some(self.id));
        let reached = me.filter(|me| !matches!(me.state, NodeState::Lost | NodeState::Connecting));
        if let Some(me) = reached {
            self.told = None;
            return Ok(me.address);
        }
        let address = self
            .own_address()
            .await
            .map_err(|error| NotJoined::NoAddress(error.to_string()))?;
        let body = AddNode {
            address: address.clone(),
        };
        self.answered(self.http.post(self.farm.join("/v1/nodes")).json(&body))
            .await?;
        let since = match &self.told {
            Some((told, since)) if *told == address => *since,
            _ => Instant::now(),
        };
        self.told = Some((address.clone(), since));
        if since.elapsed() < TO_BE_REACHED {
            return Err(NotJoined::JustTold);
        }
        let there = self.nodes("address", &address).await?;
        let there = there.into_iter().filter(|node| node.address == address);
        Err(match there.max_by_key(|node| node.id.is_some()) {
            Some(node) if node.id.is_some_and(|id| id != self.id) => NotJoined::AnotherThere {
                address,
                name: node.name,
            },
            node => {
                let why = node.and_then(|node| node.problem);
                NotJoined::NotReached {
                    address,
                    why: why.unwrap_or_else(|| "it has not said why".to_owned()),
                }
            }
        })
    }

    /// The nodes that have this in their name or address.
    async fn nodes(&mut self, field: &str, part: &str) -> Result<Vec<NodeView>, NotJoined> {
        let mut nodes = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = self.http.get(self.farm.join("/v1/nodes")).query(&[(field, part)]);
            let request = match &cursor {
                Some(cursor) => request.query(&[("cursor", cursor)]),
                None => request,
            };
            let page = self.answered(request).await?.json::<Page<NodeView>>().await;
            let page = page.map_err(|error| NotJoined::Unreachable(cause_of(&error)))?;
            nodes.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(nodes);
            }
        }
    }

    async fn answered(&mut self, request: RequestBuilder) -> Result<Response, NotJoined> {
        let request = match &self.agent.config.tokens {
            Some(tokens) => request.bearer_auth(tokens.first()),
            None => request,
        };
        let response = request
            .send()
            .await
            .map_err(|error| NotJoined::Unreachable(cause_of(&error)))?;
        let status = response.status();
        if status.is_success() {
            let mark = response.headers().get(TOKENS_HEADER);
            let mark = mark.and_then(|mark| mark.to_str().ok()).map(str::to_owned);
            self.tokens_of_farm = mark.or(self.tokens_of_farm.take());
            return Ok(response);
        }
        let problem = response.json::<Problem>().await;
        let why = problem.map_or_else(|_| status.to_string(), |problem| problem.detail);
        Err(if status.is_server_error() {
            NotJoined::Unreachable(why)
        } else {
            NotJoined::Refused(why)
        })
    }

    /// Where the orchestrator should reach this agent.
    async fn own_address(&self) -> io::Result<String> {
        let port = self.listening.port();
        if let Some(advertised) = &self.agent.config.advertise {
            return Ok(advertised.with_port(self.agent.membership.scheme(), port));
        }
        let ip = match self.listening.ip() {
            any if any.is_unspecified() => self.address_towards_farm(any).await?,
            ip => ip,
        };
        let scheme = self.agent.membership.scheme();
        Ok(format!("{scheme}://{}", SocketAddr::new(ip, port)))
    }

    /// The address of the interface by which this machine reaches the orchestrator.
    async fn address_towards_farm(&self, any: IpAddr) -> io::Result<IpAddr> {
        let url = Url::parse(&self.farm.to_string()).map_err(io::Error::other)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(FarmAddress::PORT);
        let mut failed = io::Error::other("its name has no address that this agent listens for");
        for target in tokio::net::lookup_host((host, port)).await? {
            let local: IpAddr = match target {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                // Who listens on 0.0.0.0 cannot be reached by IPv6.
                SocketAddr::V6(_) if any.is_ipv4() => continue,
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            // Sends nothing: the system only chooses the way.
            let chosen = async {
                let socket = tokio::net::UdpSocket::bind((local, 0)).await?;
                socket.connect(target).await?;
                socket.local_addr()
            };
            match chosen.await {
                Ok(address) => return Ok(address.ip()),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Makes it known how things stand, in the log once for each change.
    fn tell(&self, looked: Result<String, NotJoined>) {
        let now = match looked {
            Ok(address) => Joining {
                farm: self.farm.to_string(),
                address: Some(address),
                joined: true,
                problem: None,
            },
            Err(why) => Joining {
                farm: self.farm.to_string(),
                address: self.told.as_ref().map(|(address, _)| address.clone()),
                joined: false,
                problem: Some(why.to_string()),
            },
        };
        let mut before = self.agent.joining();
        if before.as_ref() == Some(&now) {
            return;
        }
        let address = now.address.as_deref().unwrap_or("-");
        match &now.problem {
            None => tracing::info!(farm = now.farm, address, "joined the farm"),
            Some(problem) if *problem == NotJoined::JustTold.to_string() => {
                tracing::info!(farm = now.farm, address, "told the farm where this agent is");
            }
            Some(problem) => tracing::warn!(farm = now.farm, "not joined: {problem}"),
        }
        *before = Some(now);
    }
}

fn http_client(trust: &Trust) -> reqwest::Client {
    client(trust)
        .connect_timeout(Duration::from_secs(3))
        .timeout(PATIENCE)
        .build()
        .expect("a client with fixed options can always be built")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_advertised_by_a_host_and_may_name_a_port() {
        for (text, address) in [
            ("http://render-3:3001/", "http://render-3:3001"),
            ("render-3", "http://render-3:3000"),
            ("10.0.0.3:80", "http://10.0.0.3:80"),
            ("[fd00::3]:3001", "http://[fd00::3]:3001"),
            ("[fd00::3]", "http://[fd00::3]:3000"),
        ] {
            assert_eq!(
                text.parse::<Advertised>().unwrap().with_port("http", 3000),
                address
            );
        }
        let encrypted: Advertised = "https://render-3:3001/".parse().unwrap();
        assert_eq!(encrypted.with_port("https", 3000), "https://render-3:3001");
        for text in [
            "", "http://", "https://", "a:0", "a:x", "a/b", "user@a", "a?b", "a b",
        ] {
            let error = text.parse::<Advertised>().unwrap_err().to_string();
            assert!(error.contains("http://HOST:PORT"), "{text:?}: {error}");
        }
    }
}
