//! A running agent: what its parts share, how it starts, and how it stops.

mod kept;
mod probing;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use farmhand_http::{Access, EventLog, ListenError, Open, bind, serve};
use farmhand_observe::{Exporter, Program, Spans};
use farmhand_protocol::agent::{AgentEvent, BatchPhase, Joining, NodeInfo};
use farmhand_protocol::{BatchKey, BootId, NodeId, PROTOCOL, SpanContext};
use farmhand_tls::Role;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::batches::{Batches, Change, Sharing};
use crate::blender::{Ahead, Loader, Log, Parked, Spawner};
use crate::data_folder::{DataFolder, DataFolderError};
use crate::durable;
use crate::engines::Engine;
use crate::hardware::Gauge;
use crate::local::LocalJobs;
use crate::membership::{JoinFarmError, Membership};
use crate::metrics::Metrics;
use crate::stages::Traced;
use crate::store::{Blobs, Scenes, Spool};
use crate::{Config, Slots, announce, http, join, load_ahead, slot};

const DRIVER: &str = include_str!("../../assets/driver.py");

/// Events that a reader may miss before it has to read the lists.
const KEPT_EVENTS: usize = 4096;
/// A node agent.
#[derive(Debug)]
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) folder: DataFolder,
    pub(crate) membership: Membership,
    pub(crate) driver: PathBuf,
    pub(crate) spawner: Spawner,
    /// The preferred Blender, asked what it is and not needed yet.
    pub(crate) parked: Arc<Parked>,
    /// The next scene, loaded while another one still renders.
    pub(crate) ahead: Arc<Ahead>,
    pub(crate) events: EventLog,
    pub(crate) work: Notify,
    /// Something happened to the batches.
    pub(crate) moved: Notify,
    pub(crate) engines: RwLock<Engines>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) scenes: Arc<Scenes>,
    pub(crate) spool: Spool,
    pub(crate) gauge: Gauge,
    pub(crate) local: LocalJobs,
    /// What other nodes are asked through.
    pub(crate) peers: reqwest::Client,
    /// Takes no new frames once cancelled.
    pub(crate) stopping: CancellationToken,
    /// Lets no frame go on once cancelled.
    pub(crate) killing: CancellationToken,
    pub(crate) metrics: Metrics,
    spans: Spans,
    batches: Mutex<Batches>,
    live: Mutex<HashMap<BatchKey, Live>>,
    joining: Mutex<Option<Joining>>,
}

/// What a batch that has not ended needs besides its state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    pub(crate) log: Arc<Log>,
    pub(crate) stop: CancellationToken,
    /// Its span, where its caller keeps a trace.
    trace: Option<SpanContext>,
}

/// The Blenders of the node, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    pub(crate) probed: bool,
    pub(crate) found: Vec<Engine>,
    /// Why there is none.
    pub(crate) problem: Option<String>,
}

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartAgentError {
    /// Its data folder cannot be used.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// It belongs to no farm.
    #[error(transparent)]
    Join(#[from] JoinFarmError),
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Something in its data folder cannot be used.
    #[error("cannot set up {what} in the data folder")]
    Store {
        /// What.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(String),
}

/// An agent that listens and renders until it is told to stop.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it speaks there: `http` or `https`.
    pub scheme: &'static str,
    agent: Arc<Agent>,
    /// The slots, and what loads scenes for them.
    renderers: Vec<JoinHandle<()>>,
    server: JoinHandle<io::Result<()>>,
    server_stop: CancellationToken,
    exporter: Exporter,
}

impl Agent {
    /// Starts an agent on the current Tokio runtime. It listens when this returns; its Blenders are probed
    /// behind that. With a join token that it has not used it joins first, and waits for the farm if need be.
    ///
    /// # Errors
    /// When the data folder or the address cannot be used.
    pub async fn start(mut config: Config) -> Result<Running, StartAgentError> {
        if config.slots == Slots::Fixed(0) {
            return Err(StartAgentError::Setting("a node has at least 1 slot".to_owned()));
        }
        if let Some(scene) = config.scene.as_ref().filter(|scene| !scene.is_file()) {
            let said = format!("the scene {} is not there", scene.display());
            return Err(StartAgentError::Setting(said));
        }
        let folder = DataFolder::open(&config.data)?;
        let membership = Membership::establish(&config, folder.path()).await?;
        config.tokens.clone_from(&membership.tokens);
        let (scheme, identity) = (membership.scheme(), membership.presented.clone());
        let listener = bind(config.listen, config.tokens.is_some()).await?;
        let address = listener.local_addr().map_err(|source| ListenError::Bind {
            address: config.listen,
            source,
        })?;
        let metrics = Metrics::default();
        let program = Program {
            name: "farmhand-agent",
            version: env!("CARGO_PKG_VERSION"),
            instance: folder.id().to_string(),
        };
        let exporter = Exporter::start(config.collector.as_ref(), program, metrics.count_spans());
        let agent = Arc::new(Self::open(config, folder, membership, metrics, exporter.spans())?);
        let settings = &agent.config;
        let open = Open {
            seed: settings.open_seed,
            join: false,
        };
        let (own, looking) = (settings.tokens.clone(), settings.read_tokens.clone());
        let access = Access::new(own, looking, open, settings.limits);
        let router = http::router(Arc::clone(&agent), access);
        let server_stop = CancellationToken::new();
        let stop = server_stop.clone();
        // Event streams never end by themselves, so the grace for calls is short.
        let server = tokio::spawn(async move {
            serve(
                listener,
                identity,
                router,
                stop.cancelled_owned(),
                Duration::from_millis(300),
            )
            .await
        });
        tokio::spawn(probing::probe_engines(Arc::clone(&agent)));
        tokio::spawn(beat(Arc::clone(&agent)));
        for tokens in [&settings.tokens, &settings.read_tokens].into_iter().flatten() {
            let stop = server_stop.clone();
            tokio::spawn(stop.run_until_cancelled_owned(tokens.clone().keep_fresh()));
        }
        if let Some(farm) = agent.config.join.clone() {
            tokio::spawn(join::keep_joined(Arc::clone(&agent), farm, address));
        }
        if agent.config.mdns {
            tokio::spawn(announce::keep_announced(Arc::clone(&agent), address));
        }
        let most_slots = agent.batches().most_slots();
        let mut renderers: Vec<_> = (0..most_slots)
            .map(|number| tokio::spawn(slot::run(Arc::clone(&agent), number)))
            .collect();
        renderers.push(tokio::spawn(load_ahead::run(Arc::clone(&agent))));
        Ok(Running {
            address,
            scheme,
            agent,
            renderers,
            server,
            server_stop,
            exporter,
        })
    }

    fn open(
        config: Config,
        folder: DataFolder,
        membership: Membership,
        metrics: Metrics,
        spans: Spans,
    ) -> Result<Self, StartAgentError> {
        let store = |what| move |source| StartAgentError::Store { what, source };
        let data = folder.path().to_owned();
        let driver = data.join("driver.py");
        durable::write(&driver, DRIVER.as_bytes(), false).map_err(store("the driver"))?;
        let blobs = Blobs::open(&data.join("cache/blobs"), config.cache_bytes).map_err(store("the cache"))?;
        let blobs = Arc::new(blobs);
        let scenes = Scenes::open(
            &data.join("cache/scenes"),
            Arc::clone(&blobs),
            config.path_maps.clone(),
        )
        .map_err(store("the scenes"))?;
        let spool = Spool::open(&data.join("spool")).map_err(store("the spool"))?;
        let local = LocalJobs::open(&data, config.output.as_deref()).map_err(store("the jobs of its own"))?;
        let sharing = Sharing::new(config.slots, config.machine(), kept::learnt(&data));
        let mut batches = Batches::new(sharing, kept::epochs(&data));
        for recovered in spool.recover().map_err(store("the spool"))? {
            batches.recover(recovered);
        }
        let boot = BootId(uuid::Uuid::new_v4().as_u64_pair().0);
        Ok(Self {
            events: EventLog::new(boot, KEPT_EVENTS, &AgentEvent::Reset),
            spawner: Spawner::start().map_err(store("a thread"))?,
            parked: Arc::default(),
            ahead: Arc::default(),
            work: Notify::new(),
            moved: Notify::new(),
            engines: RwLock::default(),
            gauge: Gauge::new(&data),
            batches: Mutex::new(batches),
            live: Mutex::default(),
            joining: Mutex::default(),
            stopping: CancellationToken::new(),
            killing: CancellationToken::new(),
            metrics,
            spans,
            peers: crate::pull::client(&membership.trust(Role::Node)),
            membership,
            scenes: Arc::new(scenes),
            config,
            folder,
            driver,
            blobs,
            spool,
            local,
        })
    }

    /// What the agent says of itself.
    pub(crate) fn node(&self) -> NodeInfo {
        let engines = self.engines();
        let gpus = engines.found.iter().flat_map(|engine| engine.gpus.clone());
        let mut gpus: Vec<String> = gpus.collect();
        gpus.sort();
        gpus.dedup();
        let (slots, share) = {
            let batches = self.batches();
            (batches.slots(), batches.share_of_each())
        };
        NodeInfo {
            id: self.folder.id(),
            name: self.config.name.clone(),
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            last_event: self.events.last(),
            slots,
            threads: share.threads,
            tags: self.config.tags.clone(),
            probed: engines.probed,
            engines: engines.found.iter().map(|engine| engine.info.clone()).collect(),
            problem: engines.problem.clone(),
            joining: self.joining().clone(),
            hardware: self.gauge.hardware(gpus),
            load: self.gauge.measure(),
        }
    }

    /// What its Blenders are started with.
    pub(crate) fn loader(&self) -> Loader {
        Loader {
            spawner: self.spawner.clone(),
            driver: self.driver.clone(),
            parked: Arc::clone(&self.parked),
        }
    }

    pub(crate) fn engines(&self) -> std::sync::RwLockReadGuard<'_, Engines> {
        self.engines.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands with the orchestrator that it was told to join.
    pub(crate) fn joining(&self) -> MutexGuard<'_, Option<Joining>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the batches.
    pub(crate) fn batches(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the batches, and carries out what follows before anyone sees them again: so events come in the
    /// order in which things happened, and what is told is remembered.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Batches) -> (T, Vec<Change>)) -> T {
        let mut batches = self.batches();
        let (answer, changes) = change(&mut batches);
        if !changes.is_empty() {
            self.moved.notify_one();
        }
        for change in changes {
            self.carry_out(change);
        }
        answer
    }

    fn carry_out(&self, change: Change) {
        let (done, event) = match change {
            Change::Epoch(farm, epoch) => (kept::keep_epoch(self.folder.path(), farm, epoch), None),
            Change::Accepted(request) => {
                let key = BatchKey {
                    farm: request.farm,
                    batch: request.batch,
                };
                tracing::info!(farm = %key.farm, batch = %key.batch, job = %request.job,
                    frames = %request.frames, "batch accepted");
                (self.spool.accept(key, &request), None)
            }
            Change::Phase(key, phase) => (Ok(()), Some(AgentEvent::BatchPhase { key, phase })),
            Change::Started(key, frame) => (Ok(()), Some(AgentEvent::FrameStarted { key, frame })),
            Change::Finished(key, finished) => {
                self.metrics.finished(&finished);
                tracing::info!(farm = %key.farm, batch = %key.batch, frame = finished.frame.get(),
                    render_ms = finished.render_ms, "frame finished");
                let done = self.spool.finished(key, &finished);
                (done, Some(AgentEvent::FrameFinished { key, finished }))
            }
            Change::Failed(key, failed) => {
                self.metrics.failed();
                let done = self.spool.failed(key, &failed);
                (done, Some(AgentEvent::FrameFailed { key, failed }))
            }
            Change::Revoked(key, frames) => (self.spool.revoked(key, &frames), None),
            Change::Acknowledged(key, frame) => (self.spool.acknowledged(key, frame), None),
            Change::Stop(key) => {
                if let Some(live) = self.live().get(&key) {
                    live.stop.cancel();
                }
                (Ok(()), None)
            }
            Change::Ended(key, phase) => {
                let live = self.live().remove(&key);
                let log = live.map(|live| live.log.tail(usize::MAX)).unwrap_or_default();
                let mut done = self.spool.ended(key, phase, &log);
                if phase == BatchPhase::Cancelled {
                    done = done.and_then(|()| self.spool.remove_frames(key));
                }
                tracing::info!(farm = %key.farm, batch = %key.batch, ?phase, "batch ended");
                (done, Some(AgentEvent::BatchEnded { key, phase }))
            }
            Change::Forgotten(key) => (self.spool.remove(key), None),
            Change::Slots(slots) => {
                tracing::info!(slots, "the number of slots has changed");
                (Ok(()), Some(AgentEvent::NodeChanged))
            }
            Change::Learnt(lesson) => {
                tracing::info!("{lesson}");
                if let Some(learnt) = &lesson.remember {
                    kept::keep_learnt(self.folder.path(), learnt);
                }
                (Ok(()), None)
            }
            Change::Wake => {
                self.work.notify_waiters();
                (Ok(()), None)
            }
        };
        if let Err(error) = done {
            // The state in memory stays true; only a restart would know less.
            tracing::error!(%error, "cannot write to the spool");
        }
        if let Some(event) = event {
            self.events.publish(&event);
        }
    }

    /// What a batch that has not ended needs; made when it is first asked for.
    pub(crate) fn live_of(&self, key: BatchKey) -> Live {
        self.live().entry(key).or_default().clone()
    }

    /// A batch that has just been accepted is part of its caller's trace.
    pub(crate) fn trace(&self, key: BatchKey, span: SpanContext) {
        if self.spans.are_wanted() {
            self.live().entry(key).or_default().trace = Some(span);
        }
    }

    /// What a batch's frames are part of.
    pub(crate) fn traced(&self, live: &Live) -> Traced<'_> {
        Traced {
            spans: &self.spans,
            batch: live.trace,
            node: self.folder.id(),
        }
    }

    /// The log of a batch that has not ended.
    pub(crate) fn live_log(&self, key: BatchKey) -> Option<Arc<Log>> {
        self.live().get(&key).map(|live| Arc::clone(&live.log))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<BatchKey, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room in the cache for so much more, where it lacks that.
    pub(crate) fn make_room(&self, more: u64) {
        if !self.blobs.lacks_room_for(more) {
            return;
        }
        let in_use = self.batches().scenes_in_use();
        let freed = self
            .scenes
            .clear(&in_use)
            .and_then(|blobs| self.blobs.evict(&blobs, more));
        match freed {
            Ok(bytes) => tracing::info!(bytes, "made room in the cache"),
            Err(error) => tracing::warn!(%error, "cannot make room in the cache"),
        }
    }
}

async fn beat(agent: Arc<Agent>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(2));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = agent.killing.cancelled() => return,
        }
        agent.events.publish_passing(&AgentEvent::Beat {
            load: agent.gauge.measure(),
        });
    }
}

impl Running {
    /// Which node it is.
    pub fn node_id(&self) -> NodeId {
        self.agent.folder.id()
    }

    /// Takes no new frames, lets running ones end within the grace time, ends and reaps every Blender, then
    /// stops listening.
    pub async fn shutdown(self) {
        self.agent.stopping.cancel();
        if let Some(ready) = self.agent.parked.take() {
            ready.leave().await;
        }
        let grace = self.agent.config.grace;
        let renderers = futures_util::future::join_all(self.renderers);
        tokio::pin!(renderers);
        if tokio::time::timeout(grace, &mut renderers).await.is_err() {
            self.agent.killing.cancel();
            renderers.await;
        }
        self.agent.killing.cancel();
        self.server_stop.cancel();
        let _ended = self.server.await;
        self.exporter.end().await;
    }
}
