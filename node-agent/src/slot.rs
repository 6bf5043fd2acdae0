//! A slot: takes one batch after the other and renders its frames with a warm Blender. Must not know HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::agent::{AgentEvent, FailedFrame, FinishedFrame, FrameFile, Progress, StartBatch};
use farmhand_protocol::{BatchKey, BlobHash, Failure, FailureKind, FarmId, Frame, TreePath, frame_mark};
use tokio::time::Instant;
use tracing::Instrument;

use crate::agent::{Agent, Live};
use crate::blender::{Loaded, NoFrame, Rendered, Sign, Warm, Watch};
use crate::stages::Stages;
use crate::{hardware, picture, prepare};

/// Progress is told at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// A full spool is looked at so often.
const SPOOL_LOOK: Duration = Duration::from_millis(500);
/// A Blender in a slot that is not one at the moment idles so long: its memory is for the others.
const IDLE_BEYOND: Duration = Duration::from_secs(15);
/// With less free space than this, a broken picture is the disk's fault.
const FULL_DISK: u64 = 16 << 20;

/// Runs until the agent stops.
pub(crate) async fn run(agent: Arc<Agent>, slot: u32) {
    let mut warm = Warm::new(agent.loader(), Arc::clone(&agent.ahead));
    let mut idle_since = Instant::now();
    loop {
        let stays = if slot < agent.batches().slots() {
            agent.config.idle
        } else {
            agent.config.idle.min(IDLE_BEYOND)
        };
        if warm.is_running() && idle_since.elapsed() >= stays {
            tracing::info!(slot, scene = ?warm.scene(), "the Blender was idle and leaves");
            warm.leave().await;
        }
        // The number of slots may be another one before that.
        let look = Instant::now() + IDLE_BEYOND.min(stays);
        tokio::select! {
            request = next(&agent, slot) => {
                let span = tracing::info_span!("batch", farm = %request.farm, batch = %request.batch,
                    job = %request.job, slot);
                let mut slot = Slot { agent: &agent, number: slot, warm: &mut warm };
                slot.batch(&request).instrument(span).await;
                let slot = slot.number;
                agent.change(|batches| ((), batches.slot_free(slot)));
                idle_since = Instant::now();
            }
            () = agent.stopping.cancelled() => break,
            () = tokio::time::sleep_until(look.min(idle_since + stays)), if warm.is_running() => {}
        }
    }
    warm.leave().await;
}

async fn next(agent: &Agent, slot: u32) -> StartBatch {
    loop {
        let mut woken = std::pin::pin!(agent.work.notified());
        woken.as_mut().enable(); // From here on no wake is missed.
        if agent.engines().probed && !agent.stopping.is_cancelled() {
            let request = agent.change(|batches| match batches.next(slot) {
                Some((request, changes)) => (Some(request), changes),
                None => (None, Vec::new()),
            });
            if let Some(request) = request {
                return request;
            }
        }
        woken.await;
    }
}

struct Slot<'a> {
    agent: &'a Arc<Agent>,
    number: u32,
    warm: &'a mut Warm,
}

/// What the frames of a batch have in common.
struct Work<'a> {
    key: BatchKey,
    request: &'a StartBatch,
    live: Live,
}

impl Slot<'_> {
    async fn batch(&mut self, request: &StartBatch) {
        let key = BatchKey {
            farm: request.farm,
            batch: request.batch,
        };
        let live = self.agent.live_of(key);
        let work = Work { key, request, live };
        let traced = self.agent.traced(&work.live);
        let mut loaded = None;
        while !self.agent.stopping.is_cancelled()
            && let Some(frame) = self.take_frame()
        {
            work.live.log.push(&frame_mark(frame));
            let mut stages = Stages::new(traced, request, frame);
            if loaded.is_none() {
                stages.begin("prepare scene");
            }
            let found = tokio::select! {
                found = self.loaded(&work, &mut loaded) => found.map_err(NoFrame::Failed),
                () = work.live.stop.cancelled() => Err(NoFrame::Cancelled),
                () = self.agent.killing.cancelled() => Err(NoFrame::Cancelled),
            };
            let rendered = match found {
                Ok(wanted) => {
                    stages.end();
                    self.frame(&work, &wanted, frame, &mut stages).await
                }
                Err(no_frame) => Err(no_frame),
            };
            let rendered = match rendered {
                Ok((finished, took)) if key.farm == FarmId::LOCAL => {
                    let home = crate::local::bring_home(self.agent, key, &finished).await;
                    home.map(|()| (finished, took)).map_err(NoFrame::Failed)
                }
                other => other,
            };
            match rendered {
                Ok((finished, took)) => {
                    let seconds = Duration::from_millis(finished.render_ms).as_secs_f32();
                    let said = format!("--- frame {frame} is rendered, {seconds:.1} s ---");
                    work.live.log.push(&said);
                    self.agent
                        .change(|batches| ((), batches.frame_finished(self.number, finished, took)));
                    if key.farm == FarmId::LOCAL {
                        self.agent
                            .change(|batches| ((), batches.acknowledge(key, frame).unwrap_or_default()));
                    }
                }
                Err(NoFrame::Failed(failure)) => {
                    stages.fail(&failure);
                    tracing::warn!(frame = frame.get(), kind = ?failure.kind, "{}", failure.message);
                    let said = format!("--- frame {frame} failed: {} ---", failure.message);
                    work.live.log.push(&said);
                    let failed = FailedFrame { frame, failure };
                    self.agent
                        .change(|batches| ((), batches.frame_failed(self.number, failed)));
                }
                Err(NoFrame::Cancelled) => break,
            }
        }
    }

    fn take_frame(&self) -> Option<Frame> {
        self.agent.batches().take_frame(self.number)
    }

    /// What Blender must have loaded for this batch; found once.
    async fn loaded(&self, work: &Work<'_>, found: &mut Option<Loaded>) -> Result<Loaded, Failure> {
        if let Some(found) = found {
            return Ok(found.clone());
        }
        let (loaded, version) = prepare::prepare(self.agent, work.request).await?;
        self.agent.batches().renders_with(self.number, version);
        Ok(found.insert(loaded).clone())
    }

    /// A frame, and what it took where its scene had been loaded before.
    async fn frame(
        &mut self,
        work: &Work<'_>,
        wanted: &Loaded,
        frame: Frame,
        stages: &mut Stages<'_>,
    ) -> Result<(FinishedFrame, Option<Duration>), NoFrame> {
        let agent = Arc::clone(self.agent);
        self.has_space(work).await?;
        let share = agent.batches().share(self.number);
        let began = Instant::now();
        let folder = agent
            .spool
            .empty_folder(work.key, frame)
            .map_err(|error| NoFrame::Failed(disk_failure(&agent, &error)))?;
        let watch = Watch {
            timeout: agent.config.timeout_of(&work.request.settings),
            memory_bytes: share.memory_bytes,
            threads: share.threads,
            cancel: &work.live.stop,
            kill: &agent.killing,
            log: &work.live.log,
        };
        let mut teller = Teller::new(&agent, self.number, work.key, frame, stages);
        let rendered = self
            .warm
            .render(wanted, frame, &folder, &watch, |sign| teller.hear(sign))
            .await?;
        let is_warm = teller.is_warm;
        stages.begin("verify");
        let result = tokio::task::spawn_blocking(move || collect(&folder, &rendered)).await;
        let result = result
            .map_err(|error| Failure::new(FailureKind::DriverError, error.to_string()))
            .and_then(|collected| collected)
            .map_err(|failure| {
                let full = hardware::disk_free(agent.spool.path()) < FULL_DISK;
                let failure = if failure.kind == FailureKind::BadPicture && full {
                    let message = format!("no space is left on the node's disk ({})", failure.message);
                    Failure::new(FailureKind::DiskFull, message)
                } else {
                    failure
                };
                NoFrame::Failed(failure.with_log(work.live.log.end()))
            })?;
        stages.end();
        Ok((result, is_warm.then(|| began.elapsed())))
    }
}

impl Slot<'_> {
    /// Rendering onto a full disk would be for nothing. A spool over its quota is waited for: frames leave it as
    /// they are brought home.
    async fn has_space(&self, work: &Work<'_>) -> Result<(), NoFrame> {
        let agent = self.agent;
        let mut told = false;
        while agent.batches().spooled_bytes() >= agent.config.spool_bytes {
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(
                    slot = self.number,
                    "the spool is full: waiting until frames are brought home"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(SPOOL_LOOK) => {}
                () = work.live.stop.cancelled() => return Err(NoFrame::Cancelled),
                () = agent.stopping.cancelled() => return Err(NoFrame::Cancelled),
            }
        }
        let free = hardware::disk_free(agent.spool.path());
        if free < FULL_DISK {
            let said = format!("no space is left on the node's disk ({free} bytes)");
            return Err(NoFrame::Failed(Failure::new(FailureKind::DiskFull, said)));
        }
        Ok(())
    }
}

/// Tells a slot's progress to whoever reads the events.
struct Teller<'a, 's> {
    agent: &'a Agent,
    stages: &'a mut Stages<'s>,
    slot: u32,
    progress: Progress,
    began: Instant,
    /// No scene had to be loaded for the frame.
    is_warm: bool,
    told: Option<Instant>,
}

impl<'a, 's> Teller<'a, 's> {
    fn new(agent: &'a Agent, slot: u32, key: BatchKey, frame: Frame, stages: &'a mut Stages<'s>) -> Self {
        let progress = Progress {
            slot,
            key,
            frame: Some(frame),
            doing: String::new(),
            sample: None,
            samples: None,
            remaining_ms: None,
            elapsed_ms: 0,
            memory_bytes: 0,
        };
        Self {
            agent,
            stages,
            slot,
            progress,
            began: Instant::now(),
            is_warm: true,
            told: None,
        }
    }

    fn hear(&mut self, sign: Sign) {
        let doing = match sign {
            Sign::StartingBlender => "starting Blender",
            Sign::LoadingScene | Sign::AwaitingScene => "loading scene",
            Sign::Started | Sign::Samples(..) => "rendering",
        };
        let changed = self.progress.doing != doing;
        doing.clone_into(&mut self.progress.doing);
        match sign {
            Sign::StartingBlender => {
                self.stages.begin("start blender");
                self.agent.metrics.blender_started();
            }
            Sign::LoadingScene => {
                self.is_warm = false;
                self.stages.begin("load scene");
                self.agent.metrics.scene_loaded();
            }
            Sign::AwaitingScene => {
                self.is_warm = false;
                self.stages.begin("load scene");
            }
            Sign::Started => {
                self.stages.begin("render");
                self.agent.metrics.frame_began(self.is_warm);
                self.began = Instant::now();
                if let Some(frame) = self.progress.frame {
                    self.agent
                        .change(|batches| ((), batches.frame_started(self.slot, frame)));
                }
            }
            Sign::Samples(samples, memory) => {
                self.progress.sample = samples.done.or(self.progress.sample);
                self.progress.samples = samples.all.or(self.progress.samples);
                self.progress.remaining_ms = samples.remaining_ms;
                self.progress.memory_bytes = memory;
            }
        }
        let now = Instant::now();
        if changed || self.told.is_none_or(|told| now - told >= PROGRESS_INTERVAL) {
            self.told = Some(now);
            let elapsed = now - self.began;
            self.progress.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.agent
                .events
                .publish_passing(&AgentEvent::Progress(self.progress.clone()));
        }
    }
}

/// Proves the pictures whole, and hashes every file.
fn collect(folder: &Path, rendered: &Rendered) -> Result<FinishedFrame, Failure> {
    let mut files = Vec::new();
    for name in &rendered.files {
        let path: TreePath = name.parse().map_err(|error| {
            Failure::new(FailureKind::DriverError, format!("a file of the frame: {error}"))
        })?;
        let full = folder.join(name);
        let size = rendered
            .pictures
            .contains(name)
            .then_some(rendered.size)
            .flatten();
        let bad = |reason: String| Failure::new(FailureKind::BadPicture, reason);
        let proof = picture::check(&full, size).map_err(|error| bad(error.to_string()))?;
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(&full).and_then(|file| {
            let size = file.metadata()?.len();
            hasher.update_reader(file)?;
            Ok(size)
        });
        files.push(FrameFile {
            size: read.map_err(|error| bad(format!("cannot read {name}: {error}")))?,
            hash: BlobHash::from(hasher.finalize()),
            proof,
            path,
        });
    }
    if files.is_empty() {
        let said = "Blender called the frame finished and wrote no picture";
        return Err(Failure::new(FailureKind::NoPicture, said));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(FinishedFrame {
        frame: rendered.frame,
        files,
        render_ms: rendered.render_ms,
        peak_memory_bytes: rendered.peak_memory_bytes,
        device: rendered.device,
        film: rendered.film.clone(),
    })
}

fn disk_failure(agent: &Agent, error: &std::io::Error) -> Failure {
    let full = hardware::disk_free(agent.spool.path()) < FULL_DISK;
    let kind = if full {
        FailureKind::DiskFull
    } else {
        FailureKind::Other
    };
    Failure::new(kind, format!("cannot write to the node's spool: {error}"))
}
