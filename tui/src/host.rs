//! An orchestrator in this process, on threads of its own: nothing that a terminal does can slow it.
//!
//! The one place that knows how an orchestrator is started.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use color_eyre::eyre::{Result, WrapErr, eyre};
use farmhand_client::FarmAddress;
use farmhand_http::{Limits, Tokens};
use farmhand_observe::{Collector, LogArgs};
use farmhand_orchestrator::{Bounds, Config, Discover, Notify, Secret, Webhook};
use farmhand_protocol::FarmId;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::oneshot;

use crate::cli::{Common, HostArgs};
use crate::default_scene;
use crate::place::{self, Place};

/// Port of an orchestrator where nobody says otherwise.
const PORT: u16 = 4000;

/// How an orchestrator is to run; enough to run the same one again in another process.
#[derive(Debug, Clone)]
pub(crate) struct HostPlan {
    pub(crate) listen: SocketAddr,
    /// Nobody asked for this very port: another one will do where it is taken.
    pub(crate) any_port: bool,
    pub(crate) data: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) allow_output: Vec<PathBuf>,
    /// In GB.
    pub(crate) store: Option<u64>,
    /// In GB.
    history: Option<u64>,
    pub(crate) nodes: Vec<String>,
    pub(crate) discover: Vec<Discover>,
    pub(crate) scene: Option<PathBuf>,
    pub(crate) open_seed: bool,
    pub(crate) limits: Limits,
    pub(crate) token: Option<Tokens>,
    tls_names: Vec<String>,
    allow_plain_agents: bool,
    read_token_file: Option<PathBuf>,
    webhooks: Vec<Webhook>,
    webhook_secret_file: Option<PathBuf>,
    on_event: Option<PathBuf>,
    collector: Option<Collector>,
    /// With an absolute folder, if any.
    logs: LogArgs,
    token_file: Option<PathBuf>,
}

impl HostPlan {
    pub(crate) fn new(common: &Common, place: &Place, args: HostArgs) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).wrap_err_with(|| format!("cannot use the folder {}", path.display()))
        };
        Ok(Self {
            listen: args.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, PORT).into()),
            any_port: false,
            data: place.data().to_owned(),
            output: absolute(&args.output.unwrap_or_else(|| place.output()))?,
            allow_output: args
                .allow_output
                .iter()
                .map(|path| absolute(path))
                .collect::<Result<_>>()?,
            store: args.store,
            history: args.history,
            nodes: args.nodes,
            discover: args.discover,
            scene: args.scene.as_deref().map(absolute).transpose()?,
            open_seed: args.open_seed,
            limits: Limits {
                seed: args.limit_seed.unwrap_or(Limits::SEED),
                api: args.limit_api.unwrap_or(Limits::API),
            },
            tls_names: args.tls_names,
            allow_plain_agents: args.allow_plain_agents,
            webhooks: args.webhooks,
            webhook_secret_file: args.webhook_secret_file.as_deref().map(absolute).transpose()?,
            on_event: args.on_event.as_deref().map(found_program).transpose()?,
            collector: args.traces.otlp,
            logs: LogArgs {
                log_dir: args.logs.log_dir.as_deref().map(absolute).transpose()?,
                ..args.logs
            },
            token: place::own_token(common, place)?,
            read_token_file: args.read_token_file.as_deref().map(absolute).transpose()?,
            token_file: common.token_file.as_deref().map(absolute).transpose()?,
        })
    }

    /// What follows `farmhand` to serve the same farm at `listen` from another process. A token in the
    /// environment is inherited, never written here.
    pub(crate) fn serve_arguments(&self, listen: SocketAddr) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        let mut add = |flag: &str, value: OsString| {
            arguments.push(flag.into());
            arguments.push(value);
        };
        add("--listen", listen.to_string().into());
        add("--data", self.data.clone().into());
        add("--output", self.output.clone().into());
        for root in &self.allow_output {
            add("--allow-output", root.clone().into());
        }
        if let Some(store) = self.store {
            add("--store", store.to_string().into());
        }
        if let Some(history) = self.history {
            add("--history", history.to_string().into());
        }
        for node in &self.nodes {
            add("--node", node.into());
        }
        for place in &self.discover {
            add("--discover", place.to_string().into());
        }
        add("--limit-seed", self.limits.seed.to_string().into());
        add("--limit-api", self.limits.api.to_string().into());
        if let Some(scene) = &self.scene {
            add("--scene", scene.clone().into());
        }
        if let Some(file) = &self.token_file {
            add("--token-file", file.clone().into());
        }
        if let Some(file) = &self.read_token_file {
            add("--read-token-file", file.clone().into());
        }
        for name in &self.tls_names {
            add("--tls-name", name.into());
        }
        for hook in &self.webhooks {
            add("--webhook", hook.to_string().into());
        }
        if let Some(file) = &self.webhook_secret_file {
            add("--webhook-secret-file", file.clone().into());
        }
        if let Some(program) = &self.on_event {
            add("--on-event", program.clone().into());
        }
        if let Some(collector) = &self.collector {
            add("--otlp", collector.to_string().into());
        }
        if let Some(folder) = &self.logs.log_dir {
            add("--log-dir", folder.clone().into());
        }
        if let Some(format) = self.logs.log_format {
            add("--log-format", format.name().into());
        }
        if let Some(levels) = &self.logs.levels {
            add("--log", levels.into());
        }
        if self.open_seed {
            arguments.push("--open-seed".into());
        }
        if self.allow_plain_agents {
            arguments.push("--allow-plain-agents".into());
        }
        arguments
    }
}

/// A running orchestrator. Dropping it without [`Host::stop`] stops it too, without waiting.
#[derive(Debug)]
pub(crate) struct Host {
    listening_on: SocketAddr,
    https: bool,
    farm: FarmId,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts an orchestrator and returns once it listens.
    ///
    /// # Errors
    /// When another one holds the data folder, the store is damaged, or the address is taken.
    pub(crate) async fn start(mut plan: HostPlan) -> Result<Self> {
        if plan.any_port && TcpListener::bind(plan.listen).is_err() {
            plan.listen.set_port(0);
        }
        let (started, starting) = oneshot::channel();
        let (stop, stopping) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("orchestrator".to_owned())
            .spawn(move || {
                let result = run(plan, started, stopping);
                let _nobody_waits = end.send(result);
            })
            .wrap_err("cannot start a thread")?;
        match starting.await {
            Ok(Started {
                listening_on,
                https,
                farm,
            }) => Ok(Self {
                listening_on,
                https,
                farm,
                stop: Some(stop),
                ended,
                thread: Some(thread),
            }),
            // It ended before it listened: its result says why.
            Err(_) => match ended.await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) | Err(_) => Err(eyre!("the orchestrator ended while it started")),
            },
        }
    }

    /// Where it listens.
    pub(crate) fn listening_on(&self) -> SocketAddr {
        self.listening_on
    }

    /// What it speaks there.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Where this machine's programs reach it.
    pub(crate) fn address(&self) -> Result<FarmAddress> {
        let mut address = self.listening_on;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Ok(format!("{}://{address}", self.scheme()).parse()?)
    }

    /// Which farm it runs.
    pub(crate) fn farm_id(&self) -> FarmId {
        self.farm
    }

    /// Resolves when it ends without having been asked to.
    pub(crate) async fn failed(&mut self) -> color_eyre::Report {
        let ended = (&mut self.ended).await;
        let error = ended.ok().and_then(Result::err);
        error.unwrap_or_else(|| eyre!("the orchestrator ended by itself"))
    }

    /// Stops it: what was decided is on disk, the data folder is free afterwards. Nodes render on.
    ///
    /// # Errors
    /// When it ended badly.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            let _already_ended = stop.send(());
        }
        let ended = (&mut self.ended).await.unwrap_or(Ok(()));
        if let Some(thread) = self.thread.take() {
            // It has sent its last word, so this takes no time.
            let _panicked = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        ended
    }
}

/// What is known of an orchestrator once it listens.
struct Started {
    listening_on: SocketAddr,
    https: bool,
    farm: FarmId,
}

/// The orchestrator's thread from its start to its end.
/// A shell's usual bound of 1,024 open files is too low for some hundred nodes.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the bound of open files stays as it is");
    }
}

fn run(plan: HostPlan, started: oneshot::Sender<Started>, stop: oneshot::Receiver<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("orchestrator")
        .enable_all()
        .build()
        .wrap_err("cannot start threads")?;
    raise_open_files();
    runtime.block_on(async {
        let running = farmhand_orchestrator::start(config(plan)?).await?;
        let _gave_up_waiting = started.send(Started {
            listening_on: running.address(),
            https: running.is_https(),
            farm: running.farm_id(),
        });
        // Resolves when asked to, and when whoever could ask is gone.
        let _asked = stop.await;
        running.shutdown().await;
        Ok(())
    })
}

/// A program as it can be started from any folder: one that is named alone is looked for on the PATH.
fn found_program(program: &Path) -> Result<PathBuf> {
    if program.components().count() == 1 && !program.exists() {
        return Ok(program.to_owned());
    }
    std::path::absolute(program).wrap_err_with(|| format!("cannot use the program {}", program.display()))
}

fn gigabytes(number: u64) -> u64 {
    number.saturating_mul(1_000_000_000)
}

fn config(plan: HostPlan) -> Result<Config> {
    let secret = plan
        .webhook_secret_file
        .as_deref()
        .map(Secret::from_file)
        .transpose()?;
    let read_tokens = plan
        .read_token_file
        .as_deref()
        .map(Tokens::from_file)
        .transpose()?;
    if read_tokens.is_some() && plan.token.is_none() {
        return Err(eyre!(
            "--read-token-file is for a farm that has a token too: make one with `farmhand token`"
        ));
    }
    let scene = default_scene::make(plan.scene, plan.data.join("default-scene"));
    let defaults = Config::new(plan.listen, plan.data, plan.output);
    Ok(Config {
        notify: Notify {
            webhooks: plan.webhooks,
            secret,
            command: plan.on_event,
            ..Notify::default()
        },
        store_bytes: plan.store.map_or(defaults.store_bytes, gigabytes),
        bounds: Bounds {
            history_bytes: plan.history.map_or(defaults.bounds.history_bytes, gigabytes),
            ..defaults.bounds
        },
        allow_output: plan.allow_output,
        collector: plan.collector,
        nodes: plan.nodes,
        discover: plan.discover,
        tokens: plan.token,
        read_tokens,
        tls_names: plan.tls_names,
        allow_plain_agents: plan.allow_plain_agents,
        open_seed: plan.open_seed,
        limits: plan.limits,
        scene: Some(Box::pin(scene)),
        ..defaults
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farm_that_is_handed_over_sends_its_spans_to_the_same_collector() {
        let folder = PathBuf::from("/nowhere/farmhand");
        let place = Place::new(Some(folder.clone())).unwrap();
        let common = Common {
            farm: None,
            data: Some(folder),
            token_file: None,
            ca: None,
        };
        let args = HostArgs {
            traces: farmhand_observe::TraceArgs {
                otlp: Some("http://tempo:4318/otlp".parse().unwrap()),
            },
            ..HostArgs::default()
        };
        let plan = HostPlan::new(&common, &place, args).unwrap();
        let arguments = plan.serve_arguments(plan.listen);
        let flag = arguments
            .iter()
            .position(|argument| argument == "--otlp")
            .unwrap();
        assert_eq!(arguments[flag + 1], "http://tempo:4318/otlp");
    }
}
