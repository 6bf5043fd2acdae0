//! Why something failed or waits, as a person needs it: what it is, the line that shows it, what to do. Made
//! here from a failure and its log alone; who knows the farm adds which nodes could do better.

use serde::{Deserialize, Serialize};

use crate::{Failure, FailureKind, FrameSet};

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cause {
    /// What it is, in one line without a trailing stop.
    pub title: String,
    /// Frames that it concerns; empty where it concerns the whole.
    #[serde(default, skip_serializing_if = "FrameSet::is_empty")]
    pub frames: FrameSet,
    /// Names of the nodes that it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// What shows it, word for word: a line of Blender's log, or what was said by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What to do, the most promising first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

impl Cause {
    /// A cause that concerns the whole and is shown by nothing.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            frames: FrameSet::default(),
            nodes: Vec::new(),
            evidence: None,
            advice: Vec::new(),
        }
    }

    /// The same with what shows it.
    #[must_use]
    pub fn shown_by(self, evidence: impl Into<String>) -> Self {
        Self {
            evidence: Some(evidence.into()),
            ..self
        }
    }

    /// The same with one more thing to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Why an attempt failed. What the kind leaves open is looked for in the log.
    pub fn of(failure: &Failure) -> Self {
        let said = |title: &str| Self::new(title).shown_by(failure.message.clone());
        let lines = failure.log.iter().map(String::as_str);
        let found = Self::in_log(lines).map(|(_, cause)| cause);
        match failure.kind {
            FailureKind::SceneUnreadable => said("the scene cannot be read")
                .advise("open it in the Blender that wrote it, save it again, and submit the new file")
                .advise("check that the file was copied whole"),
            FailureKind::NoCamera => found.unwrap_or_else(no_camera),
            FailureKind::MissingFiles => missing_files(&failure.message),
            FailureKind::SharedPathMissing => said("the scene's shared path is not on this node")
                .advise("mount it there as it is on the other nodes, or map it when the agent is started")
                .advise("or send the files along: farmhand submit SCENE without --shared"),
            FailureKind::BlockedScripts => {
                said("scripts of the scene were not run, so its pixels would be wrong")
                    .advise("bake what the scripts compute, or remove them, and submit again")
                    .advise("render without them: farmhand submit --allow-blocked-scripts")
            }
            FailureKind::UnknownRenderEngine => said("the scene's render engine is not in this Blender")
                .advise(
                    "choose Cycles, EEVEE or Workbench in the scene, or install the engine on every node",
                ),
            FailureKind::UnsupportedOutput => said("the output format cannot be written frame by frame")
                .advise("choose an image format in the scene (Output properties), such as PNG or OpenEXR")
                .advise("make the movie from the frames afterwards"),
            FailureKind::SettingsUnfit => said("the job's settings do not fit the scene")
                .advise("see what the file has: farmhand inspect SCENE")
                .advise("submit again with a scene, view layer, engine or samples that it has"),
            FailureKind::BatchNotUnderstood => {
                said("the node's agent is of another version and does not understand what the job asks")
                    .advise(
                        "bring farmhand-agent there to the version of the farm, which `farmhand info` prints",
                    )
            }
            FailureKind::UnsupportedVersion => said("the node has no Blender that can read this scene")
                .advise("add that Blender to a node")
                .advise("render with an older one all the same: farmhand submit --allow-older-blender"),
            FailureKind::DeviceMissing => said("the device that was asked for is not on this node").advise(
                "render on the CPU: farmhand submit --device cpu, or --allow-cpu where a GPU is missing",
            ),
            FailureKind::DenoiserMissing => said("the scene denoises, and this Blender has no denoiser")
                .advise("use a Blender with one: `farmhand-agent setup` on the node gets the official one")
                .advise("render without denoising: farmhand submit --no-denoise"),
            FailureKind::BlenderMissing => said("the node has no Blender that starts")
                .advise("on the node: farmhand-agent setup, or farmhand-agent --blender PATH"),
            FailureKind::OutOfMemory => {
                found.unwrap_or_else(|| out_of_memory().shown_by(failure.message.clone()))
            }
            FailureKind::DiskFull => found.unwrap_or_else(|| disk_full().shown_by(failure.message.clone())),
            FailureKind::TimedOut => found.unwrap_or_else(|| {
                said("Blender gave no sign for longer than the frame timeout")
                    .advise("allow a frame more time: farmhand submit --frame-timeout SECONDS")
                    .advise("see what its last line waits for: the log's end is on the log page")
            }),
            FailureKind::BlenderKilled => found.unwrap_or_else(|| killed(failure)),
            FailureKind::BlenderExited
            | FailureKind::RenderError
            | FailureKind::DriverError
            | FailureKind::Other => found.unwrap_or_else(|| {
                Self::new(failure.message.clone())
                    .shown_by(last_line(failure))
                    .advise("read the log's end; render the frame in Blender on that node by hand")
            }),
            FailureKind::NoPicture => found.unwrap_or_else(|| {
                said("Blender called the frame finished and wrote no picture")
                    .advise("render the frame in Blender by hand and see what it writes")
            }),
            FailureKind::BadPicture => found.unwrap_or_else(|| {
                said("the picture that Blender wrote is not whole")
                    .advise("see whether the node's disk is full or failing")
                    .advise("retry the frame: another node gets it first")
            }),
            FailureKind::NotDelivered => said("the finished frame could not be brought to the orchestrator")
                .advise("see that both disks have space and the network holds, then retry the frame"),
            FailureKind::NodeLost => said("the frame's nodes were lost while they had it")
                .advise("see whether this frame takes the machines down: memory, heat, power")
                .advise("retry the frame once the nodes stay up"),
        }
    }

    /// The newest line of a log that tells a cause by itself, counted from 0, and the cause.
    pub fn in_log<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<(usize, Self)> {
        let told = lines.into_iter().enumerate().filter_map(|(number, line)| {
            let lower = line.to_lowercase();
            let (_, cause) = SIGNS.iter().find(|(sign, _)| sign(&lower))?;
            Some((number, cause().shown_by(line.trim())))
        });
        told.last()
    }
}

type Sign = (fn(&str) -> bool, fn() -> Cause);

/// What lines of a log, in small letters, tell. The first that fits counts.
const SIGNS: &[Sign] = &[
    (
        |line| line.contains("out of memory") && on_gpu(line),
        || {
            Cause::new("the GPU is out of memory")
                .advise("give it less to hold: smaller textures, fewer subdivisions, simplify in the scene")
                .advise("render on a node with more GPU memory, or with --device cpu")
        },
    ),
    (
        |line| {
            [
                "out of memory",
                "malloc returns null",
                "calloc array",
                "std::bad_alloc",
                "cannot allocate memory",
            ]
            .iter()
            .any(|words| line.contains(words))
        },
        out_of_memory,
    ),
    (|line| line.contains("no space left on device"), disk_full),
    (|line| line.contains("no camera"), no_camera),
    (
        |line| {
            line.contains("cannot find lib") || line.contains("unable to open '") && line.contains(".blend")
        },
        || {
            Cause::new("a library that the scene links is missing")
                .advise("put it where the scene looks for it, or name it: farmhand submit SCENE --with PATH")
        },
    ),
    (
        |line| {
            on_gpu(line)
                && ["error", "illegal address", "failed"]
                    .iter()
                    .any(|word| line.contains(word))
        },
        || {
            Cause::new("the GPU or its driver failed")
                .advise("retry the frame: another node gets it first")
                .advise("update the GPU's driver on that node, or render with --device cpu")
        },
    ),
    (
        |line| line.contains("openimagedenoise"),
        || {
            Cause::new("this Blender has no denoiser")
                .advise("use a Blender with one: `farmhand-agent setup` on the node gets the official one")
                .advise("render without denoising: farmhand submit --no-denoise")
        },
    ),
    (
        |line| line.contains("engine not found"),
        || {
            Cause::new("the scene's render engine is not in this Blender")
                .advise("choose Cycles, EEVEE or Workbench in the scene, or install the engine on every node")
        },
    ),
    (
        |line| line.contains("segmentation fault") || line.contains("exception_access_violation"),
        || {
            Cause::new("Blender crashed")
                .advise("retry the frame: another node gets it first")
                .advise("render the scene with the Blender that wrote it, or a newer one")
        },
    ),
];

/// Whether a line speaks of a GPU.
fn on_gpu(line: &str) -> bool {
    [
        "cuda",
        "optix",
        "hip error",
        "hiprt",
        "metal",
        "oneapi",
        "gpu",
        "vram",
    ]
    .iter()
    .any(|word| line.contains(word))
}

fn no_camera() -> Cause {
    Cause::new("the scene has no camera to render through")
        .advise("choose one in the scene (Scene properties, Camera), save, and submit again")
}

fn out_of_memory() -> Cause {
    Cause::new("the node is out of memory")
        .advise("give fewer frames to the machine at a time: farmhand-agent --slots 1")
        .advise("give Blender less to hold: smaller textures, fewer subdivisions")
        .advise("render on a node with more memory: tag it and submit with --tag")
}

fn disk_full() -> Cause {
    Cause::new("a disk is full")
        .advise("make space on the disk that the message names, then retry")
        .advise("give the scene cache less: farmhand-agent --cache GB")
}

fn killed(failure: &Failure) -> Cause {
    if failure.message.contains("SIGKILL") {
        return Cause::new("something killed Blender, most likely the system for want of memory")
            .shown_by(failure.message.clone())
            .advise("look for `Out of memory` in the node's kernel log (dmesg)")
            .advise("give fewer frames to the machine at a time: farmhand-agent --slots 1");
    }
    Cause::new("Blender crashed")
        .shown_by(failure.message.clone())
        .advise("retry the frame: another node gets it first")
        .advise("render the scene with the Blender that wrote it, or a newer one")
}

/// Names the files that a driver's message names between its colon and its bracket.
fn missing_files(message: &str) -> Cause {
    let named = message.split_once(": ").map_or(message, |(_, named)| named);
    let named = named.split(" (").next().unwrap_or(named);
    Cause::new(format!("files that the scene names are missing: {named}"))
        .shown_by(message)
        .advise(
            "put them where the scene looks for them and send them along: farmhand submit SCENE --with PATH",
        )
        .advise("or pack them into the .blend (File, External Data, Pack Resources) and submit again")
        .advise("or render without them: farmhand submit --allow-missing")
}

fn last_line(failure: &Failure) -> String {
    let mut lines = failure.log.iter().rev().map(|line| line.trim());
    let line = lines.find(|line| !line.is_empty());
    line.map_or_else(|| failure.message.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(kind: FailureKind, message: &str, log: &[&str]) -> Cause {
        let log = log.iter().map(|line| (*line).to_owned()).collect();
        Cause::of(&Failure::new(kind, message).with_log(log))
    }

    #[test]
    fn a_missing_texture_is_named_with_its_path() {
        let message = "files that the scene names are missing: //textures/wood.png (add them, or render all the \
                       same with --allow-missing)";
        let cause = logged(FailureKind::MissingFiles, message, &[]);
        assert_eq!(
            cause.title,
            "files that the scene names are missing: //textures/wood.png"
        );
        assert_eq!(cause.evidence.as_deref(), Some(message));
        assert!(cause.advice[0].contains("--with"), "{cause:?}");
    }

    #[test]
    fn the_line_that_tells_the_cause_is_the_evidence_whatever_came_after_it() {
        let log = [
            "Fra:142 Mem:9.10G | Sample 432/512",
            "CUDA error: Out of memory in cuMemAlloc(&device_pointer, size)",
            "",
            "Blender quit",
        ];
        let cause = logged(
            FailureKind::BlenderExited,
            "Blender ended with exit code 1 in the frame",
            &log,
        );
        assert_eq!(cause.title, "the GPU is out of memory");
        assert_eq!(cause.evidence.as_deref(), Some(log[1]));
    }

    #[test]
    fn a_process_that_was_killed_points_at_the_systems_memory() {
        let message = "Blender was ended by SIGKILL in the frame; the machine may be out of memory";
        let cause = logged(FailureKind::BlenderKilled, message, &["Fra:1 Mem:9.10G"]);
        assert!(cause.title.contains("memory"), "{cause:?}");
        assert_eq!(cause.evidence.as_deref(), Some(message));
    }

    #[test]
    fn what_nobody_knows_shows_the_last_line_of_the_log() {
        let cause = logged(
            FailureKind::Other,
            "a new kind of trouble",
            &["first", "last words", " "],
        );
        assert_eq!(cause.title, "a new kind of trouble");
        assert_eq!(cause.evidence.as_deref(), Some("last words"));
    }

    #[test]
    fn every_kind_has_a_cause_that_says_what_to_do() {
        for kind in FailureKind::ALL {
            let cause = logged(kind, "said so", &[]);
            assert!(!cause.title.is_empty() && !cause.advice.is_empty(), "{kind:?}");
            assert!(!cause.title.ends_with('.'), "{cause:?}");
        }
    }

    #[test]
    fn lines_of_a_healthy_render_tell_no_cause() {
        let healthy = [
            "Read blend: /scenes/a.blend",
            "Fra:1 Mem:20.11M (Peak 20.24M) | Time:00:00.30 | Remaining:00:00.87 | Sample 1/16",
            "Saved: '/out/0001.png'",
            " Time: 00:01.80 (Saving: 00:00.54)",
        ];
        assert_eq!(Cause::in_log(healthy), None);
        let lines = ["Error: Cannot render, no camera", "Blender quit"];
        let (number, cause) = Cause::in_log(lines).unwrap();
        assert_eq!((number, cause.evidence.as_deref()), (0, Some(lines[0])));
    }

    #[test]
    fn a_cause_keeps_its_wire_form() {
        let text = r#"{"title":"t","frames":"1-3","nodes":["a"],"evidence":"e","advice":["do"]}"#;
        let cause: Cause = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&cause).unwrap(), text);
        assert_eq!(
            serde_json::from_str::<Cause>(r#"{"title":"t","new":1}"#).unwrap(),
            Cause::new("t")
        );
    }
}
