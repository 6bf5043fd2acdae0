//! A job as a person asks for it, from the command line or the form, and its way to the farm.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use color_eyre::eyre::{Context, Result, bail, eyre};
use farmhand_blend::{BlendHead, HeadError, read_head};
use farmhand_client::{FarmClient, Upload, absolute, pack_scene, share_scene};
use farmhand_protocol::farm::{Existing, JobView, SubmitJob};
use farmhand_protocol::{Frame, FrameSet, JobId, RenderSettings};

use crate::{place, scene};

/// A job as a person asks for it, before its scene is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewJob {
    /// The .blend.
    pub(crate) scene: PathBuf,
    /// Further files and folders.
    pub(crate) with: Vec<PathBuf>,
    /// It lies on storage that all nodes see: nothing is sent.
    pub(crate) shared: bool,
    /// Without them the file's own range.
    pub(crate) frames: Option<FrameSet>,
    /// Without it the file's.
    pub(crate) name: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) existing: Existing,
    pub(crate) priority: i32,
    pub(crate) settings: RenderSettings,
    pub(crate) tags: Vec<String>,
    pub(crate) batch_size: Option<u32>,
    pub(crate) after: Option<JobId>,
    pub(crate) max_nodes: Option<u32>,
    pub(crate) preview: Option<u32>,
    /// Make a film for looking.
    pub(crate) video: bool,
}

impl NewJob {
    /// The scene with what every other field is when nobody says anything.
    pub(crate) fn of(scene: PathBuf) -> Self {
        Self {
            scene,
            with: Vec::new(),
            shared: false,
            frames: None,
            name: None,
            output: None,
            existing: Existing::default(),
            priority: 0,
            settings: RenderSettings::default(),
            tags: Vec::new(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        }
    }

    /// Packs and uploads the scene and submits the job. `progress` is told how far the upload is.
    pub(crate) async fn submit(self, farm: &FarmClient, progress: impl Fn(Upload) + Sync) -> Result<JobView> {
        let main = absolute(&self.scene).unwrap_or_else(|_| self.scene.clone());
        let inspection = scene::inspect(&self.scene, main.clone()).await?;
        if !self.settings.allow_missing {
            scene::is_whole(&inspection)?;
        }
        let frames = match self.frames {
            Some(frames) => frames,
            None => scene::own_frames(&inspection, self.settings.scene.as_deref())?,
        };
        let name = self.name.unwrap_or_else(|| name_of(&self.scene));
        let packed = if self.shared {
            share_scene(main).await?
        } else {
            let references = scene::references(&inspection, &main);
            pack_scene(main, self.with, references).await?
        };
        farm.upload(&packed, progress).await?;
        let job = SubmitJob {
            name,
            scene: packed.hash(),
            frames,
            settings: self.settings,
            priority: self.priority,
            output: self.output,
            existing: self.existing,
            written_by: Some(scene::written_by(&inspection)),
            tags: self.tags,
            batch_size: self.batch_size,
            after: self.after,
            max_nodes: self.max_nodes,
            preview: self.preview,
            video: self.video,
            user: place::user(),
        };
        let key = uuid::Uuid::new_v4().to_string();
        let mut tries = 0;
        loop {
            match farm.submit(&job, &key).await {
                Err(error) if tries < 3 && error.is_passing() => {
                    tries += 1; // The key keeps this from becoming two jobs.
                    tokio::time::sleep(Duration::from_millis(500 << tries)).await;
                }
                submitted => return Ok(submitted?),
            }
        }
    }
}

/// What the .blend itself says.
pub(crate) fn head_of(scene: &Path) -> Result<BlendHead> {
    let name = scene.display();
    if scene.is_dir() {
        bail!("{name} is a folder; name a .blend");
    }
    let file = File::open(scene).wrap_err_with(|| format!("cannot read {name}"))?;
    read_head(file).map_err(|error| match error {
        HeadError::NotBlend => eyre!("{name} is no .blend file"),
        HeadError::Damaged => eyre!("{name} is cut off or damaged; save it again in Blender"),
        HeadError::Io(error) => eyre!("cannot read {name}: {error}"),
    })
}

/// The range of the scene that was open when the file was saved.
pub(crate) fn default_frames(head: &BlendHead) -> Option<FrameSet> {
    let scene = head.scenes.first()?;
    let frame = |number: i32| Frame::try_from(i64::from(number)).ok();
    FrameSet::range(frame(scene.start)?, frame(scene.end)?).ok()
}

fn name_of(scene: &Path) -> String {
    let stem = scene.file_stem().unwrap_or_default().to_string_lossy();
    if stem.is_empty() {
        "job".to_owned()
    } else {
        stem.into_owned()
    }
}
