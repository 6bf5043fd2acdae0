//! The scene that `POST /render` renders: the named one, else the demo scene, made at first use.

use std::path::{Path, PathBuf};

use color_eyre::eyre::{Result, WrapErr, eyre};
use farmhand_agent::engines::{self, EnginePath};
use farmhand_client::{absolute, pack_scene};
use farmhand_orchestrator::DefaultScene;

use crate::scene::{inspect, references, written_by};
use crate::words;

/// The scene `named`, or the demo scene in `folder`.
pub(crate) async fn make(named: Option<PathBuf>, folder: PathBuf) -> Result<DefaultScene, String> {
    let made = async {
        match named {
            Some(scene) => packed(scene, Vec::new()).await,
            None => packed(make_demo_scene(&folder).await?, vec![folder]).await,
        }
    };
    made.await.map_err(|error| words::error(&error))
}

async fn packed(scene: PathBuf, with: Vec<PathBuf>) -> Result<DefaultScene> {
    let main = absolute(&scene)?;
    let inspection = inspect(&scene, main.clone()).await?;
    let packed = pack_scene(main.clone(), with, references(&inspection, &main)).await?;
    let sources = packed.sources().iter();
    Ok(DefaultScene {
        manifest: packed.manifest().clone(),
        sources: sources.map(|(hash, (path, _))| (*hash, path.clone())).collect(),
        written_by: Some(written_by(&inspection)),
    })
}

/// The demo scene in `folder`, made by this machine's first Blender where it is not there yet. Everything in
/// the folder belongs to it.
pub(crate) async fn make_demo_scene(folder: &Path) -> Result<PathBuf> {
    let engine = engines::discover(&named_blenders(), engines::engines_folder().as_deref())
        .into_iter()
        .next()
        .ok_or_else(|| {
            eyre!(
                "this machine has no Blender to make the demo scene with: install one, or run \
                 `farmhand-agent setup`"
            )
        })?;
    farmhand_agent::make_demo_scene(&engine, folder)
        .await
        .wrap_err("no demo scene")
}

/// What `FARMHAND_BLENDER` names, as for the agent.
fn named_blenders() -> Vec<EnginePath> {
    let named = std::env::var("FARMHAND_BLENDER").unwrap_or_default();
    named.parse().into_iter().filter(|_| !named.is_empty()).collect()
}
