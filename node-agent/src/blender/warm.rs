//! A Blender that stays: started once, its scene loaded once, its frames fed one by one. The one type behind
//! which a slot renders; nobody else knows that there is a driver.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::{Device, Failure, FailureKind, Frame, RenderSettings};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::message::{Command, Message, Rendered, Samples};
use super::parked::{Parked, Ready};
use super::process::{Heard, Process};
use super::spawner::Spawner;
use crate::engines::EnginePath;
use crate::store::LaidOut;

/// How long a Blender may take to stop a frame by itself before its group is killed.
const SOFT_CANCEL: Duration = Duration::from_millis(1500);
/// How long one that was told to leave, or closed its line, may take to be gone.
const LEAVING: Duration = Duration::from_secs(2);
/// A Blender's memory is looked at so often.
const WEIGHED_EVERY: Duration = Duration::from_secs(1);

/// What a Blender has loaded. Another one of these needs another Blender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) engine: EnginePath,
    pub(crate) scene: LaidOut,
    pub(crate) settings: RenderSettings,
}

/// How one frame is watched while it renders.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    /// Without any progress for so long it has failed. What it prints is none: a program that only prints would
    /// never end.
    pub(crate) timeout: Duration,
    /// With more memory than this, in bytes, it has failed: before the system ends something else instead.
    pub(crate) memory_bytes: u64,
    /// Cancelled when the frame is not wanted any more.
    pub(crate) cancel: &'a CancellationToken,
    /// Cancelled when there is no time to be gentle.
    pub(crate) kill: &'a CancellationToken,
    /// Where Blender prints.
    pub(crate) log: &'a Arc<Log>,
}

/// What a slot hears while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    StartingBlender,
    LoadingScene,
    /// The frame began.
    Started,
    /// Where it stands, and the memory that Blender holds.
    Samples(Samples, u64),
}

/// Why a frame did not come.
#[derive(Debug)]
pub(crate) enum NoFrame {
    Cancelled,
    Failed(Failure),
}

/// At most one running Blender.
#[derive(Debug)]
pub(crate) struct Warm {
    spawner: Spawner,
    driver: PathBuf,
    parked: Arc<Parked>,
    threads: u32,
    running: Option<(Loaded, Process)>,
}

impl Warm {
    /// No Blender yet. `driver` is the driver's file, `threads` 0 for all of the machine; one that is `parked`
    /// is taken before a new one is started.
    pub(crate) fn new(spawner: Spawner, driver: PathBuf, parked: Arc<Parked>, threads: u32) -> Self {
        Self {
            spawner,
            driver,
            parked,
            threads,
            running: None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The scene that is loaded.
    pub(crate) fn scene(&self) -> Option<&Path> {
        self.running
            .as_ref()
            .map(|(loaded, _)| loaded.scene.main.as_path())
    }

    /// Renders a frame into an empty folder, after loading the scene where another one or none is loaded.
    pub(crate) async fn render(
        &mut self,
        wanted: &Loaded,
        frame: Frame,
        folder: &Path,
        watch: &Watch<'_>,
        mut sign: impl FnMut(Sign),
    ) -> Result<Rendered, NoFrame> {
        let fits = |(loaded, process): &mut (Loaded, Process)| loaded == wanted && !process.has_gone();
        if !self.running.as_mut().is_some_and(fits) {
            self.leave().await;
            let process = self.load(wanted, watch, &mut sign).await?;
            self.running = Some((wanted.clone(), process));
        }
        // Put back only when it can render on: every other way out drops, and so kills, it.
        let Some((loaded, mut process)) = self.running.take() else {
            return Err(driver_error("no Blender is running"));
        };
        process.print_to(Arc::clone(watch.log));
        let told = process.send(&Command::Render { frame, folder }).await;
        if told.is_err() {
            return Err(NoFrame::Failed(
                ended(&mut process, watch, "while it waited for a frame").await,
            ));
        }
        let mut kill_at = None;
        loop {
            match listen(&mut process, watch, &mut kill_at, "in the frame").await? {
                Message::Started { .. } => sign(Sign::Started),
                Message::Progress(samples) => sign(Sign::Samples(samples, process.memory_bytes())),
                Message::Finished(rendered) if rendered.frame == frame => {
                    self.running = Some((loaded, process));
                    return Ok(rendered);
                }
                Message::Failed { kind, message } => {
                    let failure = failure_with_log(kind, message, watch).await;
                    self.running = Some((loaded, process));
                    return Err(NoFrame::Failed(failure));
                }
                Message::Cancelled { restart } => {
                    if !restart {
                        self.running = Some((loaded, process));
                    }
                    return Err(if watch.cancel.is_cancelled() {
                        NoFrame::Cancelled
                    } else {
                        driver_error("someone else stopped the frame")
                    });
                }
                other => return Err(unexpected(other, watch).await),
            }
        }
    }

    /// Ends the Blender, if there is one, and reaps it.
    pub(crate) async fn leave(&mut self) {
        if let Some((_, mut process)) = self.running.take() {
            if process.send(&Command::Quit).await.is_ok() {
                process.ended(LEAVING).await;
            } else {
                process.kill().await;
            }
        }
    }

    async fn load(
        &self,
        wanted: &Loaded,
        watch: &Watch<'_>,
        sign: &mut impl FnMut(Sign),
    ) -> Result<Process, NoFrame> {
        let mut process = self.ready(wanted, watch, sign).await?;
        let open = Command::Open {
            scene: &wanted.scene.main,
            paths: &wanted.scene.paths,
            shared_folders: &wanted.scene.shared_folders,
            settings: &wanted.settings,
            threads: self.threads,
        };
        sign(Sign::LoadingScene);
        if process.send(&open).await.is_err() {
            return Err(NoFrame::Failed(
                ended(&mut process, watch, "while it started").await,
            ));
        }
        match answer(&mut process, watch, "while it loaded the scene").await? {
            Message::Opened { device } => {
                tracing::debug!(engine = %wanted.engine, ?device, scene = %wanted.scene.main.display(), "scene loaded");
                Ok(process)
            }
            Message::Failed { kind, message } => {
                Err(NoFrame::Failed(failure_with_log(kind, message, watch).await))
            }
            other => Err(unexpected(other, watch).await),
        }
    }

    /// A Blender with nothing loaded.
    async fn ready(
        &self,
        wanted: &Loaded,
        watch: &Watch<'_>,
        sign: &mut impl FnMut(Sign),
    ) -> Result<Process, NoFrame> {
        if let Some(process) = self.parked.take_as(&wanted.engine) {
            process.print_to(Arc::clone(watch.log));
            return Ok(process);
        }
        sign(Sign::StartingBlender);
        let log = Arc::clone(watch.log);
        let mut process = Process::start(&self.spawner, &wanted.engine, &self.driver, log)
            .await
            .map_err(|error| {
                let message = format!("cannot start Blender at {}: {error}", wanted.engine);
                NoFrame::Failed(Failure::new(FailureKind::BlenderMissing, message))
            })?;
        match answer(&mut process, watch, "while it started").await? {
            Message::Ready { .. } => Ok(process),
            other => Err(unexpected(other, watch).await),
        }
    }
}

/// The answer to a command that is no frame.
async fn answer(process: &mut Process, watch: &Watch<'_>, when: &str) -> Result<Message, NoFrame> {
    let mut kill_at = None;
    loop {
        match listen(process, watch, &mut kill_at, when).await? {
            Message::Progress(_) => {}
            message => return Ok(message),
        }
    }
}

/// The next message; watches for silence, for a cancel, and for Blender's end on the way. `kill_at` is when a
/// Blender that was told to stop its frame is killed; it must be told once only.
async fn listen(
    process: &mut Process,
    watch: &Watch<'_>,
    kill_at: &mut Option<Instant>,
    when: &str,
) -> Result<Message, NoFrame> {
    let quiet_until = Instant::now() + watch.timeout;
    let mut weigh_at = Instant::now() + WEIGHED_EVERY;
    loop {
        let stop = async {
            match *kill_at {
                Some(at) => sleep_until(at).await,
                None => watch.cancel.cancelled().await,
            }
        };
        tokio::select! {
            heard = process.hear() => match heard {
                Heard::Driver(message) => return Ok(message),
                Heard::Print(None) => {}
                Heard::Print(Some(samples)) => return Ok(Message::Progress(samples)),
                Heard::Gone if kill_at.is_some() => {
                    process.ended(LEAVING).await;
                    return Err(NoFrame::Cancelled);
                }
                Heard::Gone => return Err(NoFrame::Failed(ended(process, watch, when).await)),
            },
            () = stop => {
                let soft = kill_at.is_none() && process.send(&Command::Cancel).await.is_ok();
                if !soft {
                    process.kill().await;
                    return Err(NoFrame::Cancelled);
                }
                *kill_at = Some(Instant::now() + SOFT_CANCEL);
            }
            () = watch.kill.cancelled() => {
                process.kill().await;
                return Err(NoFrame::Cancelled);
            }
            () = sleep_until(weigh_at) => {
                weigh_at = Instant::now() + WEIGHED_EVERY;
                let weight = process.group_memory_bytes();
                if weight > watch.memory_bytes {
                    process.kill().await;
                    return Err(NoFrame::Failed(too_heavy(weight, watch, when)));
                }
            }
            () = sleep_until(quiet_until) => {
                process.kill().await;
                let message = format!("no progress of Blender for {} s {when}", watch.timeout.as_secs());
                let failure = Failure::new(FailureKind::TimedOut, message).with_log(watch.log.end());
                return Err(NoFrame::Failed(failure));
            }
        }
    }
}

fn too_heavy(weight: u64, watch: &Watch<'_>, when: &str) -> Failure {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let message = format!(
        "Blender took {} MB of memory {when}, more than the {} MB that this node allows it",
        megabytes(weight),
        megabytes(watch.memory_bytes)
    );
    Failure::new(FailureKind::OutOfMemory, message).with_log(watch.log.end())
}

/// How a Blender that closed its line ended.
async fn ended(process: &mut Process, watch: &Watch<'_>, when: &str) -> Failure {
    let status = process.ended(LEAVING).await;
    death(status, when).with_log(watch.log.end())
}

fn death(status: Option<ExitStatus>, when: &str) -> Failure {
    match status.map(|status| (status.code(), status.signal())) {
        Some((_, Some(signal))) => {
            let name = nix::sys::signal::Signal::try_from(signal)
                .map_or_else(|_| signal.to_string(), |signal| signal.as_str().to_owned());
            let hint = match name.as_str() {
                "SIGKILL" => "; the machine may be out of memory",
                "SIGSEGV" => "; a scene of a newer Blender can do that",
                _ => "",
            };
            let message = format!("Blender was ended by {name} {when}{hint}");
            Failure::new(FailureKind::BlenderKilled, message)
        }
        Some((Some(code), _)) => {
            let message = format!("Blender ended with exit code {code} {when}");
            Failure::new(FailureKind::BlenderExited, message)
        }
        _ => Failure::new(FailureKind::BlenderExited, format!("Blender ended {when}")),
    }
}

/// Blender prints through other pipes than the driver: what explains a failure may still be on its way.
async fn failure_with_log(kind: FailureKind, message: String, watch: &Watch<'_>) -> Failure {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Failure::new(kind, message).with_log(watch.log.end())
}

async fn unexpected(message: Message, watch: &Watch<'_>) -> NoFrame {
    let said = match message {
        Message::Broken { message } => message,
        other => format!("the driver said what it must not: {other:?}"),
    };
    NoFrame::Failed(failure_with_log(FailureKind::DriverError, said, watch).await)
}

fn driver_error(message: &str) -> NoFrame {
    NoFrame::Failed(Failure::new(FailureKind::DriverError, message))
}

/// What a fresh Blender answers to a question, and that Blender.
pub(crate) async fn ask(
    spawner: &Spawner,
    engine: &EnginePath,
    driver: &Path,
    command: &Command<'_>,
    patience: Duration,
) -> Result<(Message, Ready), Failure> {
    let log = Arc::new(Log::default());
    let never = CancellationToken::new();
    let watch = Watch {
        timeout: patience,
        memory_bytes: u64::MAX,
        cancel: &never,
        kill: &never,
        log: &log,
    };
    let mut process = Process::start(spawner, engine, driver, Arc::clone(&log))
        .await
        .map_err(|error| {
            Failure::new(
                FailureKind::BlenderMissing,
                format!("cannot start {engine}: {error}"),
            )
        })?;
    let failed = |no_frame| match no_frame {
        NoFrame::Failed(failure) => failure,
        NoFrame::Cancelled => Failure::new(FailureKind::DriverError, "the question was taken back"),
    };
    match answer(&mut process, &watch, "while it started")
        .await
        .map_err(failed)?
    {
        Message::Ready { .. } => {}
        other => return Err(failed(unexpected(other, &watch).await)),
    }
    if process.send(command).await.is_err() {
        return Err(ended(&mut process, &watch, "while it started").await);
    }
    let said = answer(&mut process, &watch, "while it answered")
        .await
        .map_err(failed)?;
    let engine = engine.clone();
    Ok((said, Ready { engine, process }))
}

/// The device, if a driver's text names one.
pub(crate) fn device(name: &str) -> Option<Device> {
    name.parse().ok()
}
