//! Starts a Blender and lets it load a scene. This must not know frames.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::{Device, Failure, FailureKind, RenderSettings};
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::message::{Command, Message};
use super::parked::{Parked, Ready};
use super::process::Process;
use super::spawner::Spawner;
use super::watch::{NoFrame, Sign, Watch, answer, ended, failure_with_log, unexpected};
use crate::engines::EnginePath;
use crate::store::LaidOut;

/// What a Blender has loaded. Another one of these needs another Blender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) engine: EnginePath,
    pub(crate) scene: LaidOut,
    pub(crate) settings: RenderSettings,
}

/// What every Blender of a node is started with.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    pub(crate) spawner: Spawner,
    /// The driver's file.
    pub(crate) driver: PathBuf,
    /// A Blender in there is taken before a new one is started.
    pub(crate) parked: Arc<Parked>,
}

impl Loader {
    /// A Blender that has this scene loaded and renders nothing yet.
    pub(super) async fn load(
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
        threads: 1,
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
