//! Starting an orchestrator and stopping it. Starting is recovery: replay, connect, ask.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use farmhand_engine::{Now, Policy};
use farmhand_http::{Access, ListenError, Open};
use farmhand_observe::{Collector, Exporter, Program};
use farmhand_protocol::{BootId, FarmId, JobId};
use farmhand_tls::{AuthorityError, NoSystemRoots, Trust};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::address::{AddressError, agent_address};
use crate::audit::AuditLog;
use crate::blobs::Blobs;
use crate::board::Painter;
use crate::certificates::Certificates;
use crate::config::Config;
use crate::delivery::clear_parts;
use crate::discovery::{Discovery, system_resolver};
use crate::front::{Front, Records};
use crate::hold::{Hold, HoldError};
use crate::inbox::{Inbox, Message};
use crate::journal::{Journal, JournalError, UsedKey};
use crate::kept_logs::KeptLogs;
use crate::link::Means;
use crate::links::{Dialling, Links, PlainAgent};
use crate::memory::{Recalled, recall};
use crate::metrics::Metrics;
use crate::notify::{Notices, Notify, Posts};
use crate::output::OutputRoots;
use crate::owner::Owner;
use crate::retention::Retention;
use crate::scene::Stock;
use crate::spans::{Lives, Tracer};
use crate::sqlite::{Deliveries, SqliteJournal, inspect};
use crate::submissions::Submissions;
use crate::telemetry::Telemetry;
use crate::touched::Touched;

/// Messages that may wait for the loop before senders wait.
const INBOX: usize = 8192;

/// Time is told to the loop so often.
const TICK: Duration = Duration::from_millis(100);

/// Running calls get so long to end at a stop.
const GRACE: Duration = Duration::from_secs(1);

/// Why an orchestrator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder is another's, or of no use.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The journal is of no use.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It may not or cannot listen there.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A named agent has no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A named agent would be dialled in the clear.
    #[error(transparent)]
    Plain(#[from] PlainAgent),
    /// The farm's authority is of no use.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A webhook cannot be posted to.
    #[error("cannot post to an https webhook")]
    Webhook(#[from] NoSystemRoots),
    /// The output folder is of no use.
    #[error("{0}")]
    Output(String),
    /// The folder of uploaded scenes is of no use.
    #[error("cannot use {path}: {source}")]
    Blobs {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The log of who changed what is of no use.
    #[error("cannot use the audit log in {path}: {source}")]
    Audit {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no thread.
    #[error("cannot start the orchestrator's thread")]
    Thread(#[source] std::io::Error),
}

/// An orchestrator at work. Dropping it stops it too, without waiting for its end.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    https: bool,
    farm: FarmId,
    inbox: Inbox,
    stop: CancellationToken,
    owner: Option<JoinHandle<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
    retention: Option<tokio::task::JoinHandle<Option<()>>>,
    exporter: Option<Exporter>,
}

/// Starts an orchestrator on the current runtime. Returns once it listens.
///
/// # Errors
/// When the data folder is held or damaged, or it cannot listen.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let nodes = config.nodes.iter().map(|node| agent_address(node));
    let nodes = nodes.collect::<Result<Vec<String>, AddressError>>()?;
    let posts = Posts::for_webhooks(&config.notify.webhooks)?;
    let (data, output) = (config.data.clone(), config.output.clone());
    let allowed = config.allow_output.clone();
    let opened = blocking(move || open(&data, &output, &allowed)).await?;
    let listener = farmhand_http::bind(config.listen, config.tokens.is_some()).await?;
    let address = listener.local_addr().map_err(|source| ListenError::Bind {
        address: config.listen,
        source,
    })?;
    let mut names = names_of(address);
    names.extend(config.tls_names);
    let certificates = Certificates::open(&config.data, names, config.tokens.clone())?.map(Arc::new);
    let https = certificates.is_some();
    opened.hold.note(address, https)?;
    let path = config.data.join("blobs");
    let blobs = Blobs::open(path.clone(), config.store_bytes)
        .await
        .map_err(|source| StartError::Blobs { path, source })?;
    let stock = Stock::fill(config.scene, blobs.clone());
    let farm = opened.recalled.farm.id();
    let stop = CancellationToken::new();
    let farm_wide = FarmWide {
        policy: config.policy,
        dialling: Dialling {
            tokens: config.tokens.clone(),
            trust: trust_in_agents(certificates.as_deref()),
            plain: !https || config.allow_plain_agents,
        },
        certificates: certificates.clone(),
        nodes,
        notify: config.notify,
        posts,
        collector: config.collector,
        scratch: config.data.join("scratch"),
        stop: stop.clone(),
    };
    let assembled = assemble(opened, blobs, stock, farm_wide)?;
    let (inbox, front) = (assembled.inbox, assembled.front);
    let retention = Retention {
        front: front.clone(),
        stock: assembled.stock,
        bounds: config.bounds,
    };
    let retention = tokio::spawn(stop.clone().run_until_cancelled_owned(retention.run()));
    let owner = run_owner(assembled.owner, assembled.waiting, assembled.hold, stop.clone())?;
    for tokens in [&config.tokens, &config.read_tokens].into_iter().flatten() {
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(tokens.clone().keep_fresh()),
        );
    }
    let access = Access::new(
        config.tokens,
        config.read_tokens,
        Open {
            seed: config.open_seed,
            join: https,
        },
        config.limits,
    );
    let router = crate::http::router(front, access);
    let stopping = stop.clone();
    let identity = certificates.as_ref().map(|certificates| certificates.presented());
    if let Some(certificates) = certificates {
        tokio::spawn(stop.clone().run_until_cancelled_owned(certificates.keep_fresh()));
    }
    let server = tokio::spawn(async move {
        let stopped = async move { stopping.cancelled().await };
        if let Err(error) = farmhand_http::serve(listener, identity, router, stopped, GRACE).await {
            tracing::error!(%error, "the orchestrator no longer listens");
        }
    });
    tokio::spawn(stop.clone().run_until_cancelled_owned(tell_time(inbox.clone())));
    if !config.discover.is_empty() {
        let discovery = Discovery {
            places: config.discover,
            resolve: config.resolve.unwrap_or_else(system_resolver),
            forget_after: config.forget_after,
            links: assembled.links,
            inbox: inbox.clone(),
            scheme: if https { "https" } else { "http" },
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(discovery.run()));
    }
    tracing::info!(%address, https, %farm, "orchestrator listens");
    Ok(Running {
        address,
        https,
        farm,
        inbox,
        stop,
        owner: Some(owner),
        server: Some(server),
        retention: Some(retention),
        exporter: Some(assembled.exporter),
    })
}

/// The parts, wired together, before anything runs but the links.
struct Assembled {
    inbox: Inbox,
    links: Arc<Links>,
    waiting: mpsc::Receiver<Message>,
    front: Front,
    stock: Stock,
    owner: Owner,
    hold: Hold,
    exporter: Exporter,
}

/// Settings that reach into every part.
struct FarmWide {
    policy: Policy,
    dialling: Dialling,
    certificates: Option<Arc<Certificates>>,
    nodes: Vec<String>,
    notify: Notify,
    posts: Posts,
    collector: Option<Collector>,
    scratch: PathBuf,
    stop: CancellationToken,
}

fn assemble(
    opened: Opened,
    blobs: Blobs,
    stock: Stock,
    farm_wide: FarmWide,
) -> Result<Assembled, StartError> {
    let policy = farm_wide.policy;
    let Recalled { mut farm, notes } = opened.recalled;
    farm.open(opened.journal.epoch(), policy);
    let (inbox, waiting) = Inbox::new(INBOX);
    let telemetry = Arc::new(Telemetry::default());
    let started = Instant::now();
    let metrics = Arc::new(Metrics::new(started));
    let (boot, _) = Uuid::new_v4().as_u64_pair();
    let (mut painter, board) = Painter::new(BootId(boot), Arc::clone(&telemetry));
    let logs = Arc::new(opened.logs);
    let exporter = export(farm_wide.collector.as_ref(), farm.id(), &metrics);
    let tracer = Tracer::new(farm.id(), exporter.spans());
    let means = Means {
        farm: farm.id(),
        inbox: inbox.clone(),
        blobs: blobs.clone(),
        homes: crate::upload::Homes::default(),
        scratch: farm_wide.scratch,
        telemetry,
        metrics: Arc::clone(&metrics),
        tracer: tracer.clone(),
        logs: Arc::clone(&logs),
        routes: Mutex::default(),
    };
    let named = farm_wide.nodes.iter().cloned().collect();
    let links = Arc::new(Links::new(means, farm_wide.dialling, named));
    let now = Now {
        since_start: Duration::ZERO,
        wall: jiff::Timestamp::now(),
    };
    for address in &farm_wide.nodes {
        links.may_dial(address)?;
    }
    for address in farm.addresses().iter().chain(&farm_wide.nodes) {
        links.connect(address);
    }
    let addresses = || links.addresses();
    painter.draw_all(&farm, now, addresses);
    painter.draw(&farm, now, addresses, Touched::default(), notes);
    let notices = Notices::start(
        &farm_wide.notify,
        &farm_wide.posts,
        farm.id(),
        board.clone(),
        &metrics,
        &farm_wide.stop,
    );
    let submissions = Submissions::new(
        inbox.clone(),
        board,
        blobs,
        opened.roots,
        stock.clone(),
        opened.keys,
    );
    let front = Front::new(
        farm.id(),
        submissions,
        Arc::clone(&links),
        Records {
            deliveries: opened.deliveries,
            logs,
            audit: opened.audit,
            certificates: farm_wide.certificates,
        },
        Arc::clone(&metrics),
        farm_wide.stop,
    );
    let owner = Owner {
        farm,
        policy,
        journal: Box::new(opened.journal),
        painter,
        links,
        metrics,
        notices,
        lives: Lives::new(tracer),
        started,
        ticked: started,
        turned: started,
        leaving: opened.leaving,
    };
    Ok(Assembled {
        inbox,
        links: Arc::clone(&owner.links),
        waiting,
        front,
        stock,
        owner,
        hold: opened.hold,
        exporter,
    })
}

fn export(collector: Option<&Collector>, farm: FarmId, metrics: &Arc<Metrics>) -> Exporter {
    let program = Program {
        name: "farmhand",
        version: env!("CARGO_PKG_VERSION"),
        instance: farm.to_string(),
    };
    let metrics = Arc::clone(metrics);
    Exporter::start(collector, program, move |what, number| {
        metrics.spans(what, number);
    })
}

fn run_owner(
    owner: Owner,
    waiting: mpsc::Receiver<Message>,
    hold: Hold,
    stop: CancellationToken,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        let _listens_no_longer_than_the_loop_runs = stop.drop_guard();
        let _spawns_tasks = runtime.enter();
        owner.run(waiting);
        drop(hold); // Now the next orchestrator may open the folder.
    };
    let thread = std::thread::Builder::new().name("farm".to_owned());
    thread.spawn(run).map_err(StartError::Thread)
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks https there.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Which farm it runs.
    pub fn farm_id(&self) -> FarmId {
        self.farm
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Resolves when it has stopped by itself, which only a fault makes it do: whoever started it should say
    /// so and start it again.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Commits what has been decided and stops, within a few seconds. Agents render on; whoever opens the data
    /// folder next finds them.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let patience = Duration::from_secs(5);
        // Who reads the journal goes before who writes it: only then is nothing left of it but its one file.
        if let Some(server) = self.server.take() {
            let _killed_with_the_process = tokio::time::timeout(patience, server).await;
        }
        if let Some(retention) = self.retention.take() {
            let _killed_with_the_process = tokio::time::timeout(patience, retention).await;
        }
        let _nobody_waits = tokio::time::timeout(patience, self.inbox.stop()).await;
        if let Some(owner) = self.owner.take() {
            let ended = tokio::task::spawn_blocking(move || drop(owner.join()));
            let _killed_with_the_process = tokio::time::timeout(patience, ended).await;
        }
        if let Some(exporter) = self.exporter.take() {
            exporter.end().await; // What the loop told last is sent too.
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.inbox.stop_soon();
    }
}

fn trust_in_agents(certificates: Option<&Certificates>) -> Trust {
    certificates.map_or(Trust::Nobody, Certificates::trust_in_agents)
}

/// Names and addresses under which whoever listens here can be reached.
fn names_of(listens: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if listens.ip().is_unspecified() {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        names.extend(interfaces.iter().map(|interface| interface.ip().to_string()));
    } else {
        names.push(listens.ip().to_string());
    }
    names.extend(
        nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok()),
    );
    names.sort();
    names.dedup();
    names
}

async fn tell_time(inbox: Inbox) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        inbox.tick();
    }
}

/// What lies on disk, opened.
struct Opened {
    hold: Hold,
    journal: SqliteJournal,
    deliveries: Deliveries,
    logs: KeptLogs,
    audit: AuditLog,
    recalled: Recalled,
    keys: Vec<UsedKey>,
    /// Forgotten jobs of which the journal still holds files.
    leaving: Vec<JobId>,
    roots: OutputRoots,
}

fn open(data: &Path, output: &Path, allowed: &[PathBuf]) -> Result<Opened, StartError> {
    let hold = Hold::take(data)?;
    let path = data.join("farm.db");
    // Looked at before it is written to, so that a damaged or newer file stays as it is.
    let remembered = inspect(&path)?;
    let recalled = remembered.as_ref().map(recall).transpose();
    let recalled = recalled.map_err(|reason| JournalError::Damaged {
        path: path.clone(),
        reason,
    })?;
    let _what_a_crash_left = std::fs::remove_dir_all(data.join("scratch"));
    let roots = OutputRoots::open(output, allowed).map_err(|error| StartError::Output(error.to_string()))?;
    let new_farm = FarmId(Uuid::new_v4());
    let mut journal = SqliteJournal::open(&path, new_farm)?;
    let (recalled, keys) = match recalled.zip(remembered) {
        Some((recalled, remembered)) => (recalled, remembered.keys),
        // A farm that begins has no facts; the journal has settled its id.
        None => (Recalled::nothing(journal.load()?.farm), Vec::new()),
    };
    for job in recalled.farm.job_ids() {
        if let Some(job) = recalled.farm.job(job) {
            clear_parts(job.spec.output.as_ref());
        }
    }
    let deliveries = Deliveries::open(&path)?;
    let kept = deliveries.jobs()?.into_iter();
    let leaving = kept.filter(|job| recalled.farm.job(*job).is_none()).collect();
    let audit = AuditLog::open(data).map_err(|source| StartError::Audit {
        path: data.to_owned(),
        source,
    })?;
    Ok(Opened {
        hold,
        journal,
        deliveries,
        logs: KeptLogs::open(data.join("frame-logs")),
        audit,
        recalled,
        keys,
        leaving,
        roots,
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}
