//! What a Blender must have loaded before it can render a batch. Must not know slots.

use std::path::Path;
use std::sync::Arc;

use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{BlenderVersion, Failure, FailureKind, FarmId};

use crate::agent::Agent;
use crate::blender::Loaded;
use crate::engines;
use crate::store::LaidOut;

/// Lays the scene out on disk and chooses a Blender for it.
///
/// # Errors
/// As the failure of each of the batch's frames.
pub(crate) async fn prepare(
    agent: &Arc<Agent>,
    request: &StartBatch,
) -> Result<(Loaded, BlenderVersion), Failure> {
    let scene = if request.farm == FarmId::LOCAL {
        LaidOut::as_it_is(crate::local::scene(agent).await?)
    } else {
        let (scenes, scene) = (Arc::clone(&agent.scenes), request.scene);
        let laid_out = tokio::task::spawn_blocking(move || scenes.lay_out(scene)).await;
        laid_out
            .map_err(|error| Failure::new(FailureKind::DriverError, error.to_string()))?
            .map_err(|error| Failure::new(error.failure_kind(), error.to_string()))?
    };
    let engines = agent.engines();
    let older = request.settings.allow_older_blender;
    let engine = engines::choose(&engines.found, request.blender, written_by(&scene.main), older)?;
    let loaded = Loaded {
        engine: engine.path.clone(),
        scene,
        settings: request.settings.clone(),
    };
    Ok((loaded, engine.info.version))
}

/// Who wrote a scene; nothing where its head does not tell, and Blender will say why.
fn written_by(scene: &Path) -> Option<(u16, u16)> {
    let file = std::fs::File::open(scene).ok()?;
    farmhand_blend::read_head(std::io::BufReader::new(file))
        .ok()
        .map(|head| head.version)
}
