//! Which Blender renders a scene.

use farmhand_protocol::{BlenderVersion, Failure, FailureKind};

use super::Engine;

/// The engine for a scene: the very one that was asked for; else one of the scene's own series; else the
/// lowest newer one; an older one only where that is allowed.
///
/// `written_by` is the `(major, minor)` of the Blender that wrote the scene, where that is known.
///
/// # Errors
/// When none of them will do, in the words of who must act.
pub fn choose(
    engines: &[Engine],
    asked: Option<BlenderVersion>,
    written_by: Option<(u16, u16)>,
    allow_older: bool,
) -> Result<&Engine, Failure> {
    let unsupported = |message: String| Failure::new(FailureKind::UnsupportedVersion, message);
    let here = || {
        let versions: Vec<String> = engines
            .iter()
            .map(|engine| engine.info.version.to_string())
            .collect();
        versions.join(", ")
    };
    if let Some(asked) = asked {
        let found = engines.iter().find(|engine| engine.info.version == asked);
        return found
            .ok_or_else(|| unsupported(format!("this node has no Blender {asked} (it has {})", here())));
    }
    let Some(wanted) = written_by else {
        return engines
            .first()
            .ok_or_else(|| Failure::new(FailureKind::BlenderMissing, super::NO_ENGINE));
    };
    let series = |engine: &&Engine| engine.info.version.series();
    let newer = engines
        .iter()
        .filter(|engine| series(engine) >= wanted)
        .min_by_key(series);
    let older = || engines.iter().filter(|_| allow_older).max_by_key(series);
    newer.or_else(older).ok_or_else(|| {
        let (major, minor) = wanted;
        unsupported(format!(
            "the scene was written by Blender {major}.{minor} and this node has only older ones ({}); add that \
             Blender, or render all the same with --allow-older-blender",
            here()
        ))
    })
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::Device;
    use farmhand_protocol::agent::EngineInfo;

    use super::*;
    use crate::engines::EnginePath;

    fn engines(versions: &[&str]) -> Vec<Engine> {
        let engine = |version: &&str| Engine {
            path: EnginePath::Executable(version.into()),
            gpus: Vec::new(),
            info: EngineInfo {
                version: version.parse().unwrap(),
                path: (*version).to_owned(),
                devices: vec![Device::Cpu],
                denoiser: true,
            },
        };
        versions.iter().map(engine).collect()
    }

    fn chosen(versions: &[&str], written_by: (u16, u16), older: bool) -> Result<String, FailureKind> {
        choose(&engines(versions), None, Some(written_by), older)
            .map(|engine| engine.info.path.clone())
            .map_err(|failure| failure.kind)
    }

    #[test]
    fn a_scene_gets_its_own_series_or_the_lowest_newer_one_but_never_an_older_one_unasked() {
        let here = ["5.0.1", "3.4.1", "4.2.0"];
        assert_eq!(chosen(&here, (3, 4), false).unwrap(), "3.4.1");
        assert_eq!(chosen(&here, (4, 0), false).unwrap(), "4.2.0");
        assert_eq!(chosen(&here, (5, 1), false), Err(FailureKind::UnsupportedVersion));
        assert_eq!(chosen(&here, (5, 1), true).unwrap(), "5.0.1");
    }

    #[test]
    fn an_engine_that_was_asked_for_is_that_one_or_none() {
        let here = engines(&["3.4.1", "5.0.1"]);
        let asked = |version: &str| choose(&here, Some(version.parse().unwrap()), Some((3, 4)), true);
        assert_eq!(asked("5.0.1").unwrap().info.path, "5.0.1");
        assert_eq!(asked("5.0.0").unwrap_err().kind, FailureKind::UnsupportedVersion);
    }
}
