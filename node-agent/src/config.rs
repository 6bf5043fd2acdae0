//! What an agent is told at its start; read once, in `main`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use etcetera::BaseStrategy;
use farmhand_http::{FarmAddress, Limits, Tokens};
use farmhand_observe::Collector;
use farmhand_protocol::RenderSettings;
use farmhand_tls::JoinToken;

use crate::batches::Machine;
use crate::engines::EnginePath;
use crate::join::Advertised;
use crate::path_map::PathMap;

/// How many Blenders may run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// So many, at least 1.
    Fixed(u32),
    /// As many as render a scene fastest, which is measured.
    Auto,
}

/// It is neither a number of Blenders nor `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a number of Blenders is from 1 to {}; `auto` measures how many are fastest",
    Slots::MOST
)]
pub struct SlotsError;

impl Slots {
    /// Most that may be set.
    pub const MOST: u32 = 256;
}

impl FromStr for Slots {
    type Err = SlotsError;

    fn from_str(text: &str) -> Result<Self, SlotsError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=Self::MOST).contains(number));
        number.map(Self::Fixed).ok_or(SlotsError)
    }
}

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(number) => number.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// Everything that can be set. [`Config::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Blenders to use instead of those that are found.
    pub blenders: Vec<EnginePath>,
    /// Where `farmhand-agent setup` keeps Blenders.
    pub engines: Option<PathBuf>,
    /// Blenders that may run at a time.
    pub slots: Slots,
    /// Threads of each, or of all together where their number is measured; 0: the machine's, shared among the slots.
    pub threads: u32,
    /// Memory that each Blender may take, in bytes; without it nine tenths of the machine's, shared among the slots.
    pub memory_bytes: Option<u64>,
    /// Memory of disk that scenes' files may take, in bytes.
    pub cache_bytes: u64,
    /// Folders of shared storage, by the names that systems give them.
    pub path_maps: Vec<PathMap>,
    /// Memory of disk that finished frames may take until they are brought home, in bytes; the frame that goes
    /// beyond is the last one.
    pub spool_bytes: u64,
    /// The scene of `POST /job`, instead of the demo scene.
    pub scene: Option<PathBuf>,
    /// Where `POST /job` writes, instead of `output` in the data folder.
    pub output: Option<PathBuf>,
    /// The node's name.
    pub name: String,
    /// What it is tagged with.
    pub tags: Vec<String>,
    /// Tokens that callers must show; none on loopback only.
    pub tokens: Option<Tokens>,
    /// Tokens of callers who only look.
    pub read_tokens: Option<Tokens>,
    /// Whether the seed calls are open to everyone all the same.
    pub open_seed: bool,
    /// How often one address may call.
    pub limits: Limits,
    /// What lets this agent join a farm that speaks https for the first time.
    pub join_token: Option<JoinToken>,
    /// The certificate of the farm's authority, where it did not come with a join token.
    pub authority: Option<PathBuf>,
    /// Certificate and key to serve https with, where they did not come with a join token.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The orchestrator to register at.
    pub join: Option<FarmAddress>,
    /// Where that orchestrator reaches this agent, instead of the address from which this agent reaches it.
    pub advertise: Option<Advertised>,
    /// Whether to announce itself on the local network by multicast DNS.
    pub mdns: bool,
    /// What is told of the stages of frames whose caller keeps a trace of them.
    pub collector: Option<Collector>,
    /// How long a frame may go on without any sign of Blender where its job does not say.
    pub frame_timeout: Duration,
    /// How long a warm Blender may idle.
    pub idle: Duration,
    /// How long running frames may take to end when the agent is told to stop.
    pub grace: Duration,
}

impl Config {
    /// The defaults, with this data folder.
    pub fn new(data: PathBuf) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)),
            data,
            blenders: Vec::new(),
            engines: crate::engines::engines_folder(),
            slots: Slots::Fixed(1),
            threads: 0,
            memory_bytes: None,
            cache_bytes: 50_000_000_000,
            path_maps: Vec::new(),
            spool_bytes: 50_000_000_000,
            scene: None,
            output: None,
            name: crate::hardware::host_name(),
            tags: Vec::new(),
            tokens: None,
            read_tokens: None,
            open_seed: false,
            limits: Limits::default(),
            join_token: None,
            authority: None,
            certificate: None,
            join: None,
            advertise: None,
            mdns: false,
            collector: None,
            frame_timeout: Duration::from_mins(30),
            idle: Duration::from_mins(10),
            grace: Duration::from_secs(8),
        }
    }

    /// What the Blenders have together. Each is told how many threads to use: by itself it would take every core of
    /// the machine, whatever share of them this process may use.
    pub(crate) fn machine(&self) -> Machine {
        Machine {
            threads: match (self.threads, self.slots) {
                (0, _) => crate::hardware::threads(),
                (each, Slots::Fixed(slots)) => each.saturating_mul(slots),
                (all, Slots::Auto) => all,
            },
            // Where nobody tells how much there is, nothing is too much.
            memory_bytes: crate::hardware::memory_bytes().map_or(u64::MAX, |all| all / 10 * 9),
            memory_of_each: self.memory_bytes,
        }
    }

    /// How long a frame of a job may go on without any sign of Blender.
    pub(crate) fn timeout_of(&self, settings: &RenderSettings) -> Duration {
        let told = settings.frame_timeout_seconds;
        told.map_or(self.frame_timeout, |seconds| Duration::from_secs(seconds.into()))
    }
}

/// The data folder of an agent on this port: `farmhand/agent-<port>` in the user's data folder. Nothing where
/// the user has no home.
pub fn default_data_folder(port: u16) -> Option<PathBuf> {
    let dirs = etcetera::choose_base_strategy().ok()?;
    Some(dirs.data_dir().join(format!("farmhand/agent-{port}")))
}

/// What a node is called that has no name: as its host, and with the port where it listens on loopback, for only
/// there several agents share a host.
pub fn default_name(listen: SocketAddr) -> String {
    let host = crate::hardware::host_name();
    if listen.ip().is_loopback() {
        format!("{host}:{}", listen.port())
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_a_number_or_measured() {
        assert_eq!(
            ("3".parse(), "auto".parse()),
            (Ok(Slots::Fixed(3)), Ok(Slots::Auto))
        );
        for wrong in ["0", "257", "-1", "Auto", ""] {
            assert_eq!(wrong.parse::<Slots>(), Err(SlotsError), "{wrong}");
        }
    }
}
