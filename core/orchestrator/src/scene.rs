//! The default scene: what the seed call renders. Made when the first such call comes: a farm that gets none pays
//! nothing for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use farmhand_http::Part;
use farmhand_protocol::{BlenderVersion, BlobHash, Manifest, SceneHash};
use tokio::fs::File;
use tokio::sync::{Notify, watch};
use tokio_util::io::ReaderStream;

use crate::blobs::Blobs;

/// A scene on this machine, packed.
#[derive(Debug, Clone)]
pub struct DefaultScene {
    /// Which files.
    pub manifest: Manifest,
    /// Where each content that the manifest names lies.
    pub sources: BTreeMap<BlobHash, PathBuf>,
    /// The Blender that wrote it, where that is known.
    pub written_by: Option<BlenderVersion>,
}

/// A default scene in the making; the error says in words why there is none.
pub type SceneInTheMaking = Pin<Box<dyn Future<Output = Result<DefaultScene, String>> + Send>>;

/// What a seed call renders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) scene: SceneHash,
    pub(crate) written_by: Option<BlenderVersion>,
}

/// How far the default scene is.
#[derive(Debug, Clone)]
enum Stage {
    Making,
    Ready(Ready),
    Failed(String),
}

/// The default scene of one orchestrator.
#[derive(Debug, Clone)]
pub(crate) struct Stock {
    wanted: Arc<Notify>,
    stage: watch::Receiver<Stage>,
}

/// A seed call waits so long for a scene in the making.
const PATIENCE: Duration = Duration::from_mins(1);

impl Stock {
    /// Makes the scene in the background once it is wanted, and takes its files into the blob store.
    pub(crate) fn fill(scene: Option<SceneInTheMaking>, blobs: Blobs) -> Self {
        let none = || Stage::Failed("this farm has no default scene: start it with --scene FILE".to_owned());
        let (stage, seen) = watch::channel(if scene.is_some() { Stage::Making } else { none() });
        let wanted = Arc::new(Notify::new());
        if let Some(scene) = scene {
            let wanted = wanted.clone();
            tokio::spawn(async move {
                wanted.notified().await;
                let taken = match scene.await {
                    Ok(scene) => take_in(scene, &blobs).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = &taken {
                    tracing::warn!(error, "no default scene");
                }
                stage.send_replace(taken.map_or_else(Stage::Failed, Stage::Ready));
            });
        }
        Self { wanted, stage: seen }
    }

    /// The scene, where it has been made.
    pub(crate) fn made(&self) -> Option<SceneHash> {
        match &*self.stage.borrow() {
            Stage::Ready(ready) => Some(ready.scene),
            Stage::Making | Stage::Failed(_) => None,
        }
    }

    /// The scene, made if it is not yet, and waited for.
    pub(crate) async fn scene(&self) -> Result<Ready, String> {
        self.wanted.notify_one();
        let mut seen = self.stage.clone();
        let made = seen.wait_for(|stage| !matches!(stage, Stage::Making));
        match tokio::time::timeout(PATIENCE, made).await {
            Ok(Ok(stage)) => match &*stage {
                Stage::Ready(ready) => Ok(*ready),
                Stage::Failed(reason) => Err(reason.clone()),
                Stage::Making => Err("the default scene is still being made".to_owned()),
            },
            Ok(Err(_)) => Err("the default scene could not be made".to_owned()),
            Err(_) => Err("the default scene is still being made".to_owned()),
        }
    }
}

async fn take_in(scene: DefaultScene, blobs: &Blobs) -> Result<Ready, String> {
    for (hash, source) in &scene.sources {
        if blobs.has(*hash).await {
            continue;
        }
        let file = File::open(source)
            .await
            .map_err(|error| format!("cannot read {}: {error}", source.display()))?;
        let chunks = ReaderStream::with_capacity(file, 256 << 10);
        blobs
            .put(*hash, Part::default(), chunks)
            .await
            .map_err(|error| format!("{}: {error}", source.display()))?;
    }
    let hash = scene.manifest.hash();
    let manifest = bytes::Bytes::from(scene.manifest.encode());
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(manifest)]);
    blobs
        .put(hash.into(), Part::default(), whole)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Ready {
        scene: hash,
        written_by: scene.written_by,
    })
}
