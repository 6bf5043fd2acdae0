//! Asking a Blender what it is and what it can do.

use std::path::Path;
use std::time::Duration;

use farmhand_protocol::agent::EngineInfo;
use farmhand_protocol::{Failure, FailureKind};

use super::EnginePath;
use crate::blender::{Command, Message, Ready, Spawner, ask, device};

/// The module alone is 800 MB; the first import from a cold disk takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// A Blender that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// How it is started.
    pub path: EnginePath,
    /// What it can do.
    pub info: EngineInfo,
    /// Names of the graphics devices that it can render with.
    pub gpus: Vec<String>,
}

/// Starts a Blender and asks it; it is given back running. `driver` is the file of the driver.
///
/// # Errors
/// When it cannot be started, ends, or does not answer within two minutes.
pub(crate) async fn probe(
    spawner: &Spawner,
    path: &EnginePath,
    driver: &Path,
) -> Result<(Engine, Ready), Failure> {
    let strange = |said: String| Failure::new(FailureKind::DriverError, said);
    let (answer, ready) = ask(spawner, path, driver, &Command::Probe, PATIENCE).await?;
    match answer {
        Message::Probed {
            version,
            devices,
            gpus,
            denoiser,
        } => Ok((
            Engine {
                path: path.clone(),
                gpus,
                info: EngineInfo {
                    version: version
                        .parse()
                        .map_err(|error| strange(format!("{path}: {error}")))?,
                    path: path.to_string(),
                    devices: devices.iter().filter_map(|name| device(name)).collect(),
                    denoiser,
                },
            },
            ready,
        )),
        Message::Failed { kind, message } => Err(Failure::new(kind, message)),
        other => Err(strange(format!("{path} answered {other:?}"))),
    }
}
