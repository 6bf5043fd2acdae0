//! Small things in the data folder that outlive the agent: each farm's highest epoch, and how many Blenders render each
//! scene best.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use farmhand_protocol::{Epoch, FarmId};

use crate::batches::Learnt;
use crate::durable;

/// How many Blenders render each scene best.
const LEARNT: &str = "slots.json";

/// The highest epoch of each farm.
pub(super) fn epochs(data: &Path) -> HashMap<FarmId, Epoch> {
    let files = data.join("epochs").read_dir().into_iter().flatten().flatten();
    files
        .filter_map(|file| {
            let farm = file.file_name().to_str()?.parse().ok()?;
            let epoch = fs::read_to_string(file.path()).ok()?.trim().parse().ok()?;
            Some((farm, Epoch(epoch)))
        })
        .collect()
}

/// Keeps a farm's highest epoch; durable when this returns.
pub(super) fn keep_epoch(data: &Path, farm: FarmId, epoch: Epoch) -> io::Result<()> {
    let folder = data.join("epochs");
    fs::create_dir_all(&folder)?;
    durable::write(&folder.join(farm.to_string()), epoch.to_string().as_bytes(), true)
}

/// What was learnt before, where that can be read.
pub(super) fn learnt(data: &Path) -> Option<Learnt> {
    let path = data.join(LEARNT);
    let read = match fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error),
    };
    read.inspect_err(|error| {
        tracing::warn!(%error, "cannot read {}: how many Blenders are best is measured again", path.display());
    })
    .ok()
}

/// Keeps what was learnt; where that cannot be written, the log says so.
pub(super) fn keep_learnt(data: &Path, learnt: &Learnt) {
    let written = serde_json::to_vec_pretty(learnt)
        .map_err(io::Error::from)
        .and_then(|json| durable::write(&data.join(LEARNT), &json, false));
    if let Err(error) = written {
        tracing::warn!(%error, "cannot write {LEARNT} to the data folder: after a restart it is measured again");
    }
}
