//! Jobs that the agent was given directly (`POST /job`): a batch of the local farm each, whose frames go to a
//! folder of this machine. Must not know HTTP.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use farmhand_http::seed::Outcome;
use farmhand_protocol::agent::{BatchPhase, FinishedFrame, StartBatch};
use farmhand_protocol::{
    BatchId, BatchKey, Epoch, Failure, FailureKind, FarmId, FrameSet, JobId, RenderSettings, SceneHash,
};

use crate::agent::Agent;
use crate::batches::{Batches, StartError};
use crate::demo::make_demo_scene;
use crate::durable;

/// Numbers and folders of local jobs.
#[derive(Debug)]
pub(crate) struct LocalJobs {
    /// Holds the last number that was given out.
    file: PathBuf,
    last: Mutex<u64>,
    output: PathBuf,
    making_demo: tokio::sync::Mutex<()>,
}

/// Why a local job was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartJobError {
    #[error("the node still looks for its Blenders; try again soon")]
    StillProbing,
    #[error("{0}")]
    NoEngine(String),
    #[error("no slot is free; try again when the running job has ended")]
    NoFreeSlot,
    #[error("the node is shutting down")]
    Stopping,
    #[error("cannot write to the node's data folder: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Refused(StartError),
}

impl LocalJobs {
    pub(crate) fn open(data: &Path, output: Option<&Path>) -> io::Result<Self> {
        let file = data.join("last-job");
        let last = match fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let output = output.map_or_else(|| data.join("output"), Path::to_owned);
        fs::create_dir_all(&output)?;
        Ok(Self {
            file,
            last: Mutex::new(last),
            output: output.canonicalize()?,
            making_demo: tokio::sync::Mutex::default(),
        })
    }

    /// A number that no job had in this data folder, and whose folder is not taken either.
    fn next_number(&self) -> io::Result<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = *last + 1;
        while self.folder(number).exists() {
            number += 1;
        }
        durable::write(&self.file, number.to_string().as_bytes(), true)?;
        *last = number;
        Ok(number)
    }

    fn folder(&self, number: u64) -> PathBuf {
        self.output.join(format!("job-{number}"))
    }
}

/// Starts a job where a slot is free; its number.
pub(crate) fn start(agent: &Agent, frames: FrameSet) -> Result<u64, StartJobError> {
    if agent.stopping.is_cancelled() {
        return Err(StartJobError::Stopping);
    }
    {
        let engines = agent.engines();
        if !engines.probed {
            return Err(StartJobError::StillProbing);
        }
        if let Some(problem) = &engines.problem {
            return Err(StartJobError::NoEngine(problem.clone()));
        }
    }
    if !agent.batches().has_free_slot() {
        return Err(StartJobError::NoFreeSlot);
    }
    let number = agent.local.next_number()?;
    let name = agent
        .config
        .scene
        .as_ref()
        .map(|scene| scene.display().to_string());
    let request = StartBatch {
        farm: FarmId::LOCAL,
        epoch: Epoch(0),
        batch: BatchId(number),
        job: JobId(number),
        scene: SceneHash::of(name.unwrap_or_default().as_bytes()),
        frames,
        settings: RenderSettings::default(),
        blender: None,
        before: None,
        sources: Vec::new(),
    };
    let started = agent.change(|batches| match batches.start_at_once(request) {
        Ok(changes) => (Ok(()), changes),
        Err(error) => (Err(error), Vec::new()),
    });
    match started {
        Ok(()) => Ok(number),
        Err(StartError::NoFreeSlot) => Err(StartJobError::NoFreeSlot),
        Err(error) => Err(StartJobError::Refused(error)),
    }
}

/// How a job stands; nothing if there is none of this number.
pub(crate) fn outcome(batches: &Batches, number: u64) -> Option<Outcome> {
    let key = BatchKey {
        farm: FarmId::LOCAL,
        batch: BatchId(number),
    };
    let failure = || {
        let failed = batches.first_failure(key)?;
        Some(Outcome::Failed(format!(
            "frame {}: {}",
            failed.frame, failed.failure.message
        )))
    };
    Some(match batches.phase(key)? {
        BatchPhase::Queued | BatchPhase::Loading | BatchPhase::Rendering => Outcome::Running,
        BatchPhase::Completed => failure().unwrap_or(Outcome::Completed),
        BatchPhase::Cancelled => Outcome::Cancelled,
        BatchPhase::Failed => {
            failure().unwrap_or_else(|| Outcome::Failed("for an unknown reason".to_owned()))
        }
        BatchPhase::Interrupted => Outcome::Failed("the agent was stopped while it ran".to_owned()),
    })
}

/// The scene of local jobs.
pub(crate) async fn scene(agent: &Agent) -> Result<PathBuf, Failure> {
    if let Some(scene) = &agent.config.scene {
        return std::path::absolute(scene)
            .map_err(|error| Failure::new(FailureKind::SceneUnreadable, error.to_string()));
    }
    let engine = agent.engines().found.first().map(|engine| engine.path.clone());
    let engine =
        engine.ok_or_else(|| Failure::new(FailureKind::BlenderMissing, crate::engines::NO_ENGINE))?;
    let _one_at_a_time = agent.local.making_demo.lock().await;
    make_demo_scene(&engine, &agent.folder.path().join("demo"))
        .await
        .map_err(|error| Failure::new(FailureKind::SceneUnreadable, error.to_string()))
}

/// Brings a frame of a local job to the job's folder: `<scene>_0007.png` for the picture, and what else
/// Blender wrote under its own path.
pub(crate) async fn bring_home(
    agent: &Agent,
    key: BatchKey,
    finished: &FinishedFrame,
) -> Result<(), Failure> {
    let stem = match &agent.config.scene {
        Some(scene) => scene
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        None => "farmhand_demo".to_owned(),
    };
    let from = agent.spool.files(key, finished.frame);
    let to = agent.local.folder(key.batch.0);
    let names: Vec<String> = finished.files.iter().map(|file| file.path.to_string()).collect();
    let moved = tokio::task::spawn_blocking(move || {
        names.iter().try_for_each(|name| {
            let target = if name.contains('/') {
                name.clone()
            } else {
                format!("{stem}_{name}")
            };
            bring(&from.join(name), &to.join(target))
        })
    });
    let failed = |reason: String| Failure::new(FailureKind::NotDelivered, reason);
    moved
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("cannot write the frame to the output folder: {error}")))
}

/// Copies, so that a death in the middle leaves the frame in the spool; under a name that is no picture's
/// until it is whole.
fn bring(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut part = to.to_owned().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let copied = fs::copy(from, &part).and_then(|_| fs::rename(&part, to));
    if copied.is_err() {
        let _nothing_to_remove = fs::remove_file(&part);
    }
    copied
}
