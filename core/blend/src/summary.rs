//! What people ask of an inspection: the scene that renders, in a line, and what is missing.

use crate::inspection::{AssetKind, Inspection, Scene};

/// A file that a scene names and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Where it should be on this disk.
    pub path: String,
    /// What names it: `image wood`, `library`.
    pub used_by: String,
    /// The library that names it, resolved; nothing for the inspected file itself.
    pub library: Option<String>,
}

impl Inspection {
    /// The scene that was open when the file was saved: the one that renders.
    pub fn active(&self) -> Option<&Scene> {
        let name = self.active_scene.as_ref()?;
        self.scenes.iter().find(|scene| scene.name == *name)
    }

    /// Everything that rendering reads and that is not there: libraries first.
    pub fn missing(&self) -> Vec<Missing> {
        let libraries = self
            .libraries
            .iter()
            .filter(|library| !library.exists && !library.packed)
            .map(|library| Missing {
                path: library.resolved.clone(),
                used_by: "library".to_owned(),
                library: library.linked_by.first().filter(|_| library.indirect).cloned(),
            });
        let assets = self.assets.iter().filter(|asset| asset.is_missing());
        let assets = assets.flat_map(|asset| {
            let named = if asset.missing.is_empty() {
                std::slice::from_ref(&asset.resolved)
            } else {
                &asset.missing[..]
            };
            named.iter().map(|path| Missing {
                path: path.clone(),
                used_by: format!("{} {}", asset.kind.word(), asset.name),
                library: asset.library.clone(),
            })
        });
        libraries.chain(assets).collect()
    }
}

impl AssetKind {
    /// What it is called in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Sequence => "image sequence",
            Self::Udim => "tiled image",
            Self::Sound => "sound",
            Self::Movie => "movie",
            Self::Font => "font",
            Self::Volume => "volume",
            Self::Cache => "cache",
            Self::ShaderScript => "shader script",
            Self::LightProfile => "light profile",
        }
    }
}

impl Scene {
    /// The scene's frames as a person writes them: `1-250`, `1-100x2`.
    pub fn frames(&self) -> String {
        match self.frame_step {
            ..=1 => format!("{}-{}", self.frame_start, self.frame_end),
            step => format!("{}-{}x{step}", self.frame_start, self.frame_end),
        }
    }

    /// The scene in one line: frames, size, engine, device and samples, camera.
    pub fn summary(&self) -> String {
        let [x, y, percentage] = self.resolution;
        let mut engine = vec![self.engine.clone()];
        engine.extend(self.device.as_ref().map(|device| format!("on {device}")));
        engine.extend(self.samples.map(|samples| format!("{samples} samples")));
        engine.extend(
            self.denoising
                .map(|on| if on { "denoised" } else { "not denoised" }.to_owned()),
        );
        let camera = self.camera.as_ref();
        let camera = camera.map_or_else(|| "no camera".to_owned(), |name| format!("camera {name}"));
        format!(
            "frames {} at {} fps, {x} x {y} at {percentage} %, {}, {camera}",
            self.frames(),
            self.frames_per_second(),
            engine.join(" "),
        )
    }

    /// `24`, `29.97`.
    #[expect(clippy::cast_precision_loss, reason = "Blender's own rates are below 32768")]
    fn frames_per_second(&self) -> String {
        let rate = self.fps as f64 / self.fps_base;
        let text = format!("{rate:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_told_in_one_line() {
        let scene = Scene {
            frame_start: 1,
            frame_end: 99,
            frame_step: 2,
            fps: 30,
            fps_base: f64::from(1.001_f32),
            resolution: [1920, 1080, 50],
            engine: "CYCLES".to_owned(),
            device: Some("GPU".to_owned()),
            samples: Some(64),
            denoising: Some(true),
            ..Scene::default()
        };
        assert_eq!(
            scene.summary(),
            "frames 1-99x2 at 29.97 fps, 1920 x 1080 at 50 %, CYCLES on GPU 64 samples denoised, no camera"
        );
    }
}
