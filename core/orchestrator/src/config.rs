//! What an orchestrator is started with. Read once by whoever starts it; nothing here is global.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use farmhand_engine::Policy;
use farmhand_http::{Limits, Tokens};
use farmhand_observe::Collector;

use crate::discovery::{Discover, Resolve};
use crate::notify::Notify;
use crate::retention::Bounds;
use crate::scene::SceneInTheMaking;

/// Settings of one orchestrator.
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder of the journal and of uploaded scenes; made where it is missing, held by one orchestrator.
    pub data: PathBuf,
    /// Folder below which pictures go; made where it is missing.
    pub output: PathBuf,
    /// Further folders below which a job may ask its pictures to go.
    pub allow_output: Vec<PathBuf>,
    /// Base addresses of agents, besides those that the farm remembers.
    pub nodes: Vec<String>,
    /// Where further agents are found.
    pub discover: Vec<Discover>,
    /// What resolves names for that, instead of the system.
    pub resolve: Option<Resolve>,
    /// A node that was found and has vanished is forgotten after so long.
    pub forget_after: Duration,
    /// When what is kept goes.
    pub bounds: Bounds,
    /// Bytes that uploaded scenes may take; further ones are refused.
    pub store_bytes: u64,
    /// What callers must present, and what agents are shown. Without it the orchestrator listens on loopback
    /// only.
    pub tokens: Option<Tokens>,
    /// What callers may present who only look.
    pub read_tokens: Option<Tokens>,
    /// Further names under which the orchestrator is reached, for its certificate. It has one where the data folder
    /// has a CA.
    pub tls_names: Vec<String>,
    /// Dials agents of other machines by plain http even where the farm has a CA.
    pub allow_plain_agents: bool,
    /// Lets anyone use the two seed calls without a token.
    pub open_seed: bool,
    /// How often one address may call.
    pub limits: Limits,
    /// What `POST /render` renders.
    pub scene: Option<SceneInTheMaking>,
    /// Who is told of what happens.
    pub notify: Notify,
    /// What is told of each frame's stages.
    pub collector: Option<Collector>,
    /// The farm's rules.
    pub policy: Policy,
}

impl Config {
    /// Settings with which nothing but a place is said: loopback, no nodes, no token, no default scene.
    pub fn new(listen: SocketAddr, data: PathBuf, output: PathBuf) -> Self {
        Self {
            listen,
            data,
            output,
            allow_output: Vec::new(),
            nodes: Vec::new(),
            discover: Vec::new(),
            resolve: None,
            forget_after: Duration::from_mins(10),
            bounds: Bounds::default(),
            store_bytes: 500_000_000_000,
            tokens: None,
            read_tokens: None,
            tls_names: Vec::new(),
            allow_plain_agents: false,
            open_seed: false,
            limits: Limits::default(),
            scene: None,
            notify: Notify::default(),
            collector: None,
            policy: Policy::default(),
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .field("output", &self.output)
            .field("allow_output", &self.allow_output)
            .field("nodes", &self.nodes)
            .field("bounds", &self.bounds)
            .field("store_bytes", &self.store_bytes)
            .field("discover", &self.discover)
            .field("forget_after", &self.forget_after)
            .field("tokens", &self.tokens)
            .field("read_tokens", &self.read_tokens)
            .field("tls_names", &self.tls_names)
            .field("allow_plain_agents", &self.allow_plain_agents)
            .field("open_seed", &self.open_seed)
            .field("limits", &self.limits)
            .field("resolve", &self.resolve.is_some())
            .field("scene", &self.scene.is_some())
            .field("notify", &self.notify)
            .field("collector", &self.collector)
            .field("policy", &self.policy)
            .finish()
    }
}
