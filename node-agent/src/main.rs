//! `farmhand-agent`: reads what it is told, starts an [`Agent`], and stops it on a signal.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use color_eyre::eyre::{Result, WrapErr, eyre};
use farmhand_agent::engines::{self, EnginePath};
use farmhand_agent::{Advertised, Agent, Config, PathMap, Slots, default_data_folder, default_name};
use farmhand_http::{FarmAddress, Limits, Tokens};
use farmhand_observe::{LogArgs, TraceArgs, without_empty_variables};
use farmhand_tls::JoinToken;
use tokio::signal::unix::{SignalKind, signal};

/// Lets a Farmhand orchestrator render with this machine's Blender.
///
/// Start one on each machine of the farm, then name them to the orchestrator, `farmhand serve --node
/// http://this-machine:3001`, or name the orchestrator to each with --join. It needs a Blender: one that is installed, one that you name, or the one that
/// `farmhand-agent setup` gets. It serves this machine alone unless --listen names another address, which
/// needs a token: a .blend is code, so who may submit, may run code here.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

const EXAMPLES: &str = "\
Examples:
  farmhand-agent                                     this machine only, port 3001
  farmhand-agent --listen 0.0.0.0:3001 --token-file /etc/farmhand/token
  farmhand-agent --listen 0.0.0.0:3001 --token-file /etc/farmhand/token --join http://10.0.0.1:4000
  farmhand-agent --listen 0.0.0.0:3001 --join https://10.0.0.1:4000 --join-token-file join-token
  farmhand-agent --blender /opt/blender-4.2/blender --blender python:/opt/bpy/bin/python
  farmhand-agent --slots auto                        one Blender or several: what is faster for each scene
  farmhand-agent setup                               gets an official Blender from PyPI (Python 3.11)
  curl -d '{\"from\": 1, \"to\": 5}' http://127.0.0.1:3001/job     renders without an orchestrator";

#[derive(Debug, Subcommand)]
enum Command {
    /// Get a Blender: a Python environment with the official bpy from the Python package index
    ///
    /// Needs Python 3.11 with its venv module, 1 GB of disk, and the network. Run again, it only checks.
    Setup,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands to a folder
    Man {
        /// Write farmhand-agent.1 and so on there
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Address and port to listen on; any address but a loopback one needs a token
    #[arg(
        long,
        env = "FARMHAND_LISTEN",
        default_value = "127.0.0.1:3001",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,

    /// Data folder: the node's id, scenes, and frames not yet fetched; one agent each
    /// [default: farmhand/agent-<PORT> in the user's data folder]
    #[arg(long, env = "FARMHAND_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// A Blender to use: an executable, or `python:` and a Python with the `bpy` module; may be repeated, the
    /// preferred first [default: `blender` on PATH, then what `setup` got]
    #[arg(long, env = "FARMHAND_BLENDER", value_name = "PATH")]
    blender: Vec<EnginePath>,

    /// Blenders that may run at a time: a number, or `auto` for as many as render a scene fastest
    ///
    /// With `auto` the agent renders the first frames of a scene with one Blender on all threads, the next ones with two
    /// on half of them each, then four and eight, as long as that many render at least a tenth more frames in the same
    /// time and their memory is enough. It remembers the best for each scene and settings.
    #[arg(long, env = "FARMHAND_SLOTS", default_value = "1", value_name = "N|auto")]
    slots: Slots,

    /// Threads of each Blender, with `--slots auto` of all together; 0: the machine's, shared among the slots
    #[arg(long, env = "FARMHAND_THREADS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1024), value_name = "N")]
    threads: u32,

    /// The scene that `POST /job` renders [default: the demo scene, made at first use]
    #[arg(long, env = "FARMHAND_SCENE", value_name = "FILE")]
    scene: Option<PathBuf>,

    /// Where `POST /job` writes, in a folder for each job [default: `output` in the data folder]
    #[arg(long, env = "FARMHAND_OUTPUT", value_name = "DIR")]
    output: Option<PathBuf>,

    /// The node's name [default: the host's; with the port where it listens on loopback]
    #[arg(long, env = "FARMHAND_NAME", value_name = "NAME")]
    name: Option<String>,

    /// A tag that jobs may ask for; may be repeated
    #[arg(long, env = "FARMHAND_TAG", value_delimiter = ',', value_name = "TAG")]
    tag: Vec<String>,

    /// File with the farm's token, which callers must show
    ///
    /// Without one, the variable `FARMHAND_TOKEN` may hold the token itself.
    #[arg(long, env = "FARMHAND_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with tokens of callers who may only look, as a Prometheus
    #[arg(long, value_name = "FILE", env = "FARMHAND_READ_TOKEN_FILE")]
    read_token_file: Option<PathBuf>,

    /// Let anyone use `POST /job` and `GET /job/<pid>` without the token
    #[arg(long, env = "FARMHAND_OPEN_SEED", value_parser = clap::builder::FalseyValueParser::new())]
    open_seed: bool,

    /// The orchestrator to register at, and to register at again whenever it has lost this agent
    #[arg(long, env = "FARMHAND_JOIN", value_name = "URL")]
    join: Option<FarmAddress>,

    /// File with a join token, as `farmhand ca token` prints it: with it alone an agent joins a farm that speaks https
    ///
    /// It is used once. The certificate and the farm's token that come for it are kept in the data folder, and renewed
    /// from there.
    #[arg(
        long,
        env = "FARMHAND_JOIN_TOKEN_FILE",
        value_name = "FILE",
        requires = "join"
    )]
    join_token_file: Option<PathBuf>,

    /// The farm's CA certificate, for an agent that did not join by a join token
    #[arg(long, env = "FARMHAND_CA", value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Certificate to serve https with, as `farmhand ca issue` makes it, for an agent that did not join by a join token
    #[arg(long, env = "FARMHAND_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Key of that certificate
    #[arg(long, env = "FARMHAND_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Where that orchestrator reaches this agent: `http://host:3001`, or a host alone
    /// [default: the address from which this machine reaches it, and the port listened on]
    #[arg(long, env = "FARMHAND_ADVERTISE", value_name = "URL", requires = "join")]
    advertise: Option<Advertised>,

    /// Announce this agent on the local network, for `farmhand serve --discover mdns`
    #[arg(long, env = "FARMHAND_MDNS", value_parser = clap::builder::FalseyValueParser::new())]
    mdns: bool,

    /// `POST /job` and `GET /job/<pid>` that one address may call at once; a tenth come back each second, 0 sets
    /// no limit
    #[arg(long, env = "FARMHAND_LIMIT_SEED", default_value_t = Limits::SEED, value_name = "CALLS")]
    limit_seed: u32,

    /// Other calls that one address may make at once; a tenth come back each second, 0 sets no limit
    #[arg(long, env = "FARMHAND_LIMIT_API", default_value_t = Limits::API, value_name = "CALLS")]
    limit_api: u32,

    /// Seconds without any sign of Blender after which a frame has failed
    #[arg(long, env = "FARMHAND_FRAME_TIMEOUT", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..), value_name = "SECONDS")]
    frame_timeout: u64,

    /// Memory that each Blender may take, in GB; one that takes more is ended and its frame has failed
    /// [default: nine tenths of the machine's, shared among the slots]
    #[arg(long, env = "FARMHAND_MEMORY", value_parser = gigabytes, value_name = "GB")]
    memory: Option<u64>,

    /// Disk space for scenes' files, in GB; the least recently used go first
    #[arg(long, env = "FARMHAND_CACHE", default_value_t = 50, value_name = "GB")]
    cache: u64,

    /// Names of one folder of shared storage on different systems, this one's among them, for scenes that are
    /// submitted with --shared; may be repeated
    #[arg(long, env = "FARMHAND_PATH_MAP", value_delimiter = ',', value_name = "A=B=C")]
    path_map: Vec<PathMap>,

    /// Disk space for finished frames that wait to be brought home, in GB; then no further one is rendered
    #[arg(long, env = "FARMHAND_SPOOL", default_value_t = 50, value_name = "GB")]
    spool: u64,

    /// Seconds that running frames get to end when the agent is told to stop
    #[arg(long, env = "FARMHAND_GRACE", default_value_t = 8, value_name = "SECONDS")]
    grace: u64,

    #[command(flatten)]
    traces: TraceArgs,

    #[command(flatten)]
    logs: LogArgs,
}

fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match begin(cli) {
        Ok(code) => code,
        Err(error) => {
            // What went wrong and what to do; where in the code is nobody's business.
            let _closed = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn begin(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Some(Command::Setup) => setup(),
        Some(Command::Completions { shell }) => Ok(completions(shell)),
        Some(Command::Man { dir }) => man(dir.as_deref()),
        None => {
            let logs = cli.run.logs.clone();
            let config = config(cli.run)?;
            let runtime = tokio::runtime::Runtime::new()?;
            let code = runtime.block_on(run(config, &logs));
            // What still runs on blocking threads is of no use to anyone any more.
            runtime.shutdown_timeout(Duration::from_millis(200));
            code
        }
    }
}

/// `1.5` GB in bytes.
fn gigabytes(text: &str) -> Result<u64, String> {
    let gigabytes: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    let bytes = Duration::try_from_secs_f64(gigabytes).map_err(|_| "it is not a size".to_owned())?;
    // A duration's nanoseconds are a whole number of bytes of as many GB.
    match u64::try_from(bytes.as_nanos()) {
        Ok(bytes @ 1..) => Ok(bytes),
        _ => Err("it is not a size".to_owned()),
    }
}

fn config(run: Run) -> Result<Config> {
    let data = match run.data {
        Some(data) => data,
        None => default_data_folder(run.listen.port())
            .ok_or_else(|| eyre!("this user has no home folder: name a data folder with --data DIR"))?,
    };
    let tokens = match (run.token_file, std::env::var("FARMHAND_TOKEN")) {
        (Some(file), _) => Some(Tokens::from_file(&file)?),
        (None, Ok(value)) => Some(Tokens::from_value("FARMHAND_TOKEN", &value)?),
        (None, Err(_)) => None,
    };
    let read_tokens = run
        .read_token_file
        .as_deref()
        .map(Tokens::from_file)
        .transpose()?;
    if read_tokens.is_some() && tokens.is_none() {
        return Err(eyre!(
            "--read-token-file is for an agent that has a token too: name it with --token-file"
        ));
    }
    let join_token = run.join_token_file.as_deref().map(join_token).transpose()?;
    let defaults = Config::new(data);
    Ok(Config {
        listen: run.listen,
        blenders: run.blender,
        slots: run.slots,
        threads: run.threads,
        path_maps: run.path_map,
        scene: run.scene,
        output: run.output,
        name: run.name.unwrap_or_else(|| default_name(run.listen)),
        tags: run.tag,
        tokens,
        read_tokens,
        open_seed: run.open_seed,
        join_token,
        authority: run.ca,
        certificate: run.tls_cert.zip(run.tls_key),
        join: run.join,
        advertise: run.advertise,
        mdns: run.mdns,
        collector: run.traces.otlp,
        limits: Limits {
            seed: run.limit_seed,
            api: run.limit_api,
        },
        frame_timeout: Duration::from_secs(run.frame_timeout),
        memory_bytes: run.memory,
        cache_bytes: run.cache.saturating_mul(1_000_000_000),
        spool_bytes: run.spool.saturating_mul(1_000_000_000),
        grace: Duration::from_secs(run.grace),
        ..defaults
    })
}

fn join_token(file: &Path) -> Result<JoinToken> {
    let text = std::fs::read_to_string(file)
        .wrap_err_with(|| format!("cannot read the join token {}", file.display()))?;
    text.parse()
        .map_err(|error| eyre!("{} holds {error}", file.display()))
}

async fn run(config: Config, logs: &LogArgs) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let logs = farmhand_observe::start(logs, &config.data.join("logs"), "agent", true)?;
    let data = config.data.clone();
    let running = tokio::select! {
        running = Agent::start(config) => running?,
        // It may wait for its farm.
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    logs.every_line("node", &running.node_id().to_string());
    tracing::info!(
        "listening on {}://{}, data in {}",
        running.scheme,
        running.address,
        data.display()
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: running frames may end; a second signal stops at once");
    tokio::select! {
        () = running.shutdown() => Ok(ExitCode::SUCCESS),
        // Blenders die with us, see their parent-death signal.
        _ = terminate.recv() => Ok(ExitCode::FAILURE),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "farmhand-agent", &mut script);
    let _closed = io::stdout().write_all(&script);
    ExitCode::SUCCESS
}

fn man(folder: Option<&Path>) -> Result<ExitCode> {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
        clap_mangen::generate_to(Cli::command(), folder)
            .wrap_err_with(|| format!("cannot write pages to {}", folder.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    let _closed = io::stdout().write_all(&page);
    Ok(ExitCode::SUCCESS)
}

fn setup() -> Result<ExitCode> {
    let folder = engines::engines_folder().ok_or_else(|| eyre!("this user has no home folder"))?;
    let mut stdout = io::stdout();
    let engine = engines::setup(&folder, |line| {
        let _closed = writeln!(stdout, "{line}");
    })?;
    writeln!(io::stdout(), "ready: {engine}\nAgents find it by themselves.")?;
    Ok(ExitCode::SUCCESS)
}
