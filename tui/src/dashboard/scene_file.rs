//! What the submit form shows of a .blend, and its draft on disk. Blocks on the disk.

use std::fs;
use std::io;
use std::path::Path;

use farmhand_blend::{Inspection, Scene, inspect};

use crate::app::{Draft, SceneFile};
use crate::new_job::{default_frames, head_of};
use crate::words;

/// Its range, from the first bytes.
pub(crate) fn quick(path: &Path) -> Result<SceneFile, String> {
    let head = head_of(path).map_err(|error| words::error(&error))?;
    let (major, minor) = head.version;
    Ok(SceneFile {
        range: default_frames(&head),
        facts: vec![("blender", format!("{major}.{minor}"))],
        ..SceneFile::default()
    })
}

/// Everything, with the libraries behind it.
pub(crate) fn whole(path: &Path) -> Result<SceneFile, String> {
    let mut file = quick(path)?;
    let inspection = match inspect(path) {
        Ok(inspection) => inspection,
        // Its head was good: the nodes' Blender decides.
        Err(error) => {
            file.warnings.push(error.to_string());
            return Ok(file);
        }
    };
    let active = inspection.active_scene.as_deref();
    let scene = inspection
        .scenes
        .iter()
        .find(|scene| Some(scene.name.as_str()) == active);
    if let Some(scene) = scene {
        file.range = range_of(scene).or(file.range);
        file.facts.extend(facts_of(scene));
    }
    file.facts.push(("needs", needs(&inspection)));
    let libraries = inspection
        .libraries
        .iter()
        .filter(|one| !one.exists && !one.packed);
    file.missing.extend(libraries.map(|one| one.resolved.clone()));
    for asset in inspection
        .assets
        .iter()
        .filter(|one| !one.packed && !one.optional)
    {
        if asset.missing.is_empty() && !asset.exists {
            file.missing.push(asset.resolved.clone());
        }
        file.missing.extend(asset.missing.iter().cloned());
    }
    file.missing.sort();
    file.missing.dedup();
    if scene.is_some_and(|scene| scene.camera.is_none()) {
        file.warnings
            .push("it has no camera: nothing can be rendered".to_owned());
    }
    // What is missing stands in a list of its own.
    let told = |warning: &String| !file.missing.iter().any(|path| warning.contains(path.as_str()));
    file.warnings.extend(inspection.warnings.into_iter().filter(told));
    Ok(file)
}

fn range_of(scene: &Scene) -> Option<farmhand_protocol::FrameSet> {
    let step = if scene.frame_step > 1 {
        format!("x{}", scene.frame_step)
    } else {
        String::new()
    };
    format!("{}-{}{step}", scene.frame_start, scene.frame_end)
        .parse()
        .ok()
}

fn facts_of(scene: &Scene) -> Vec<(&'static str, String)> {
    let [width, height, percent] = scene.resolution;
    let samples = scene
        .samples
        .map(|samples| format!(", {samples} samples"))
        .unwrap_or_default();
    let device = scene
        .device
        .as_ref()
        .map(|device| format!(", {device}"))
        .unwrap_or_default();
    let scaled = if percent == 100 {
        String::new()
    } else {
        format!(" at {percent} %")
    };
    let movie = if scene.movie {
        " (a movie: rendered as pictures)"
    } else {
        ""
    };
    let mut facts = vec![
        ("scene", scene.name.clone()),
        ("size", format!("{width}x{height}{scaled}")),
        (
            "engine",
            format!("{}{samples}{device}", scene.engine.to_lowercase()),
        ),
        ("format", format!("{}{movie}", scene.file_format)),
    ];
    if let Some(camera) = &scene.camera {
        facts.push(("camera", camera.clone()));
    }
    let layers: Vec<&str> = scene
        .view_layers
        .iter()
        .filter(|layer| layer.enabled)
        .map(|layer| layer.name.as_str())
        .collect();
    if layers.len() > 1 {
        facts.push(("layers", layers.join(", ")));
    }
    facts
}

fn needs(inspection: &Inspection) -> String {
    let count = |count: usize, thing: &str, things: &str| match count {
        0 => None,
        1 => Some(format!("1 {thing}")),
        count => Some(format!("{count} {things}")),
    };
    let outside = inspection.assets.iter().filter(|asset| !asset.packed).count();
    let parts: Vec<String> = [
        count(inspection.libraries.len(), "library", "libraries"),
        count(outside, "file", "files"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        "no other file".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Writes a draft down, or removes it.
pub(crate) fn keep_draft(path: &Path, draft: Option<&Draft>) -> io::Result<()> {
    let Some(draft) = draft else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    fs::write(&part, serde_json::to_vec(draft)?)?;
    fs::rename(part, path)
}

/// The draft that was kept, if there is one that this version can read.
pub(crate) fn kept_draft(path: &Path) -> Option<Draft> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Field, SubmitForm};

    #[test]
    fn a_draft_outlives_the_program_and_goes_when_its_job_is_submitted() {
        let folder = std::env::temp_dir().join(format!("farmhand-draft-{}", uuid::Uuid::new_v4()));
        let path = folder.join("draft.json");
        assert_eq!(kept_draft(&path), None);
        let mut form = SubmitForm::default();
        form.set(Field::Scene, "/scenes/intro.blend".to_owned());
        keep_draft(&path, Some(&form.draft())).unwrap();
        let again = SubmitForm::of_draft(&kept_draft(&path).unwrap());
        assert_eq!(again.text(Field::Scene), "/scenes/intro.blend");
        keep_draft(&path, None).unwrap();
        keep_draft(&path, None).unwrap();
        assert_eq!(kept_draft(&path), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
