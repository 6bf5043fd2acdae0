//! How to run a farm in this process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use farmhand_observe::{LogArgs, TraceArgs};
use farmhand_orchestrator::{Discover, Webhook};

/// How to run a farm in this process.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Running a farm")]
pub(crate) struct HostArgs {
    /// Address to listen on [default: 127.0.0.1:4000]; any other than this machine's own needs a token.
    #[arg(long, value_name = "ADDRESS", env = "FARMHAND_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// A node's agent, as http://host:3000; may repeat. Nodes once named are remembered.
    #[arg(
        long = "node",
        value_name = "URL",
        env = "FARMHAND_NODES",
        value_delimiter = ','
    )]
    pub(crate) nodes: Vec<String>,
    /// Find agents as they come and go: every address of HOST for dns://HOST:PORT, those of the local network that
    /// announce themselves for mdns; may repeat.
    #[arg(long, value_name = "URL", env = "FARMHAND_DISCOVER", value_delimiter = ',')]
    pub(crate) discover: Vec<Discover>,
    /// Folder below which pictures go [default: output in the data folder].
    #[arg(long, value_name = "ROOT", env = "FARMHAND_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
    /// A further folder that jobs may name as their output; may repeat.
    #[arg(long = "allow-output", value_name = "ROOT")]
    pub(crate) allow_output: Vec<PathBuf>,
    /// Disk space for scenes that are sent here, in GB; what goes beyond is refused [default: 500].
    #[arg(long, value_name = "GB", env = "FARMHAND_STORE")]
    pub(crate) store: Option<u64>,
    /// Disk space for the history of jobs, in GB; beyond, the oldest ended jobs are forgotten, not their pictures
    /// [default: 10].
    #[arg(long, value_name = "GB", env = "FARMHAND_HISTORY")]
    pub(crate) history: Option<u64>,
    /// The scene that `POST /render` renders [default: the demo scene].
    #[arg(long, value_name = "FILE")]
    pub(crate) scene: Option<PathBuf>,
    /// Answer `/render` and `/status` without a token.
    #[arg(long, env = "FARMHAND_OPEN_SEED", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) open_seed: bool,
    /// Calls of `/render` and `/status` that one address may make at once [default: 200]; a tenth come back each
    /// second, 0 sets no limit.
    #[arg(long, value_name = "CALLS", env = "FARMHAND_LIMIT_SEED")]
    pub(crate) limit_seed: Option<u32>,
    /// Other calls that one address may make at once [default: 50000]; a tenth come back each second, 0 sets no limit.
    #[arg(long, value_name = "CALLS", env = "FARMHAND_LIMIT_API")]
    pub(crate) limit_api: Option<u32>,
    /// Post a notice to this address when a job ends or a node is lost or back; may repeat. For https:// this machine's own CA certificates count.
    #[arg(
        long = "webhook",
        value_name = "URL",
        env = "FARMHAND_WEBHOOKS",
        value_delimiter = ','
    )]
    pub(crate) webhooks: Vec<Webhook>,
    /// File with the secret that posted notices are signed with.
    #[arg(long, value_name = "FILE", env = "FARMHAND_WEBHOOK_SECRET_FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Run this program for each notice, without a shell; it reads the notice as JSON.
    #[arg(long, value_name = "PROGRAM", env = "FARMHAND_ON_EVENT")]
    pub(crate) on_event: Option<PathBuf>,
    /// File with tokens of those who may only look: dashboards on a wall, Prometheus. Made as the token's.
    #[arg(long, value_name = "FILE", env = "FARMHAND_READ_TOKEN_FILE")]
    pub(crate) read_token_file: Option<PathBuf>,
    /// A further name of this machine for its certificate, where the farm has a CA; may repeat. Farmhand's own programs
    /// need none, others such as browsers ask for it.
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        env = "FARMHAND_TLS_NAMES",
        value_delimiter = ','
    )]
    pub(crate) tls_names: Vec<String>,
    /// Send the token to agents of other machines without encryption even though the farm has a CA.
    #[arg(long, env = "FARMHAND_ALLOW_PLAIN_AGENTS", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) allow_plain_agents: bool,
    #[command(flatten)]
    pub(crate) traces: TraceArgs,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}
