//! A .blend on this machine's disk, looked at before anything is done with it: by `inspect`, by `submit` and by
//! the form.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use farmhand_blend::{InspectError, Inspection, Missing};
use farmhand_client::Reference;
use farmhand_protocol::{BlenderVersion, FrameSet};

use crate::words;

/// Why a scene is not taken: the person who named it must act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadScene {
    /// It is no .blend, or a broken one, or out of reach.
    #[error("{}", words::one_line(&.0.to_string_lossy()))]
    Unusable(PathBuf, #[source] InspectError),
    /// Blender could not open its libraries in any order.
    #[error("{}: its libraries link each other in a circle: {}; break the circle in Blender{}", words::one_line(&.file.to_string_lossy()), words::one_line(&.circle.join(" -> ")), hint(*.may_go_on))]
    Circle {
        file: PathBuf,
        circle: Vec<String>,
        /// Whether a switch lets it through.
        may_go_on: bool,
    },
    /// Files that it needs are not there.
    #[error("{}", listed(.0, .1))]
    Missing(PathBuf, Vec<Missing>),
    /// It has no scene of the name that was asked for.
    #[error("{} has no scene named {name}; it has {}", words::one_line(&.file.to_string_lossy()), words::one_line(&.known.join(", ")))]
    NoSuchScene {
        file: PathBuf,
        name: String,
        known: Vec<String>,
    },
    /// Without frames of its own, and nobody named any.
    #[error("{} does not tell its frames; give them: --frames 1-250", words::one_line(&.0.to_string_lossy()))]
    NoFrames(PathBuf),
}

/// The most missing files named in one message.
const MOST_NAMED: usize = 40;

fn hint(may_go_on: bool) -> &'static str {
    if may_go_on {
        ", or go on all the same with --allow-missing"
    } else {
        ""
    }
}

fn listed(file: &Path, missing: &[Missing]) -> String {
    let count = match missing.len() {
        1 => "a file that it needs is missing".to_owned(),
        count => format!("{count} files that it needs are missing"),
    };
    let name = words::one_line(&file.to_string_lossy());
    let mut text = format!("{name}: {count}; go on all the same with --allow-missing");
    for one in missing.iter().take(MOST_NAMED) {
        let _infallible = write!(text, "\n  {}", MissingLine(one));
    }
    if let Some(more) = missing.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        let _infallible = write!(text, "\n  and {more} more; see farmhand inspect");
    }
    text
}

/// A missing file and who needs it, in one line.
pub(crate) struct MissingLine<'m>(pub(crate) &'m Missing);

impl fmt::Display for MissingLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing {
            path,
            used_by,
            library,
        } = self.0;
        let of = library.as_ref().map(|library| format!(" of {library}"));
        let line = format!("{path} ({used_by}{})", of.unwrap_or_default());
        f.write_str(&words::one_line(&line))
    }
}

/// What the .blend at `file` says; off the async threads, because disks may be slow. `named` is what a person called
/// it.
pub(crate) async fn inspect(named: &Path, file: PathBuf) -> Result<Inspection, BadScene> {
    let looked_at = tokio::task::spawn_blocking(move || farmhand_blend::inspect(&file));
    let inspection = match looked_at.await {
        Ok(inspection) => inspection.map_err(|error| BadScene::Unusable(named.to_owned(), error))?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    Ok(Inspection {
        file: named.to_string_lossy().into_owned(),
        ..inspection
    })
}

/// Libraries that Blender cannot load.
pub(crate) fn has_no_circle(inspection: &Inspection, may_go_on: bool) -> Result<(), BadScene> {
    match inspection.library_cycles.first() {
        Some(circle) => Err(BadScene::Circle {
            file: inspection.file.clone().into(),
            circle: circle.clone(),
            may_go_on,
        }),
        None => Ok(()),
    }
}

/// Whether all of it is there, so that it renders as it would here.
pub(crate) fn is_whole(inspection: &Inspection) -> Result<(), BadScene> {
    has_no_circle(inspection, true)?;
    let missing = inspection.missing();
    if missing.is_empty() {
        return Ok(());
    }
    Err(BadScene::Missing(inspection.file.clone().into(), missing))
}

/// The frames of the scene `named`, or of the one that was open when the file was saved.
pub(crate) fn own_frames(inspection: &Inspection, named: Option<&str>) -> Result<FrameSet, BadScene> {
    let scene = match named {
        Some(name) => {
            let known = inspection.scenes.iter().find(|scene| scene.name == name);
            Some(known.ok_or_else(|| BadScene::NoSuchScene {
                file: inspection.file.clone().into(),
                name: name.to_owned(),
                known: inspection.scenes.iter().map(|scene| scene.name.clone()).collect(),
            })?)
        }
        None => inspection.active(),
    };
    let frames = scene.and_then(|scene| scene.frames().parse().ok());
    frames.ok_or_else(|| BadScene::NoFrames(inspection.file.clone().into()))
}

/// What the scene and its libraries refer to, for packing. `main` is the inspected file.
pub(crate) fn references(inspection: &Inspection, main: &Path) -> Vec<Reference> {
    let libraries = inspection
        .libraries
        .iter()
        .filter(|library| library.exists && !library.packed)
        .flat_map(|library| {
            library.links.iter().map(|link| Reference {
                blend: link.by.clone().into(),
                stored: link.path.clone(),
                resolved: library.resolved.clone().into(),
                files: vec![library.resolved.clone().into()],
            })
        });
    let assets = inspection.assets.iter().filter(|asset| !asset.packed);
    let assets = assets.map(|asset| Reference {
        blend: asset
            .library
            .as_ref()
            .map_or_else(|| main.to_owned(), PathBuf::from),
        stored: asset.path.clone(),
        resolved: asset.resolved.clone().into(),
        files: asset.files.iter().map(PathBuf::from).collect(),
    });
    libraries.chain(assets).collect()
}

/// The Blender that wrote it. Its patch release is not in the file.
pub(crate) fn written_by(inspection: &Inspection) -> BlenderVersion {
    let [major, minor, _] = inspection.version;
    BlenderVersion {
        major,
        minor,
        patch: 0,
    }
}
