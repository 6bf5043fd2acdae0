//! The two Blenders that the tests use, and scenes made by them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Blender of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blender {
    /// The executable, `FARMHAND_BLENDER` or `blender` on the PATH.
    Executable,
    /// Python with the `bpy` module, `FARMHAND_BPY` or where `make setup` puts it.
    Module,
}

impl Blender {
    /// As `--blender` of an agent takes it.
    ///
    /// # Panics
    /// When it is not installed: these tests need both.
    pub fn argument(self) -> String {
        match self {
            Self::Executable => program("FARMHAND_BLENDER", "blender").display().to_string(),
            Self::Module => format!("python:{}", python().display()),
        }
    }

    /// Runs a Python script inside it, in a fresh process.
    ///
    /// # Panics
    /// When the script fails; with what it said.
    pub fn run(self, script: &Path, args: &[&OsStr]) {
        let mut command = match self {
            Self::Executable => {
                let mut command = Command::new(program("FARMHAND_BLENDER", "blender"));
                command
                    .args(["-b", "--factory-startup", "--python-exit-code", "7", "--python"])
                    .arg(script)
                    .arg("--");
                command
            }
            Self::Module => {
                let mut command = Command::new(python());
                command.arg(script).arg("--");
                command
            }
        };
        must_succeed(command.args(args));
    }

    /// Renders frames as Blender alone does: `-s FIRST -e LAST -a` in a fresh process.
    ///
    /// # Panics
    /// When it fails.
    pub fn render_alone(self, scene: &Path, first: i32, last: i32, folder: &Path, name: &str) {
        let stem = folder.join(format!("{name}_####"));
        match self {
            Self::Executable => {
                assert!(first >= 0, "a negative -s is relative to the file's range");
                let mut command = Command::new(program("FARMHAND_BLENDER", "blender"));
                command
                    .args(["-b", "--factory-startup"])
                    .arg(scene)
                    .arg("-o")
                    .arg(&stem);
                must_succeed(command.args(["-s", &first.to_string(), "-e", &last.to_string(), "-a"]));
            }
            Self::Module => self.render_by_script("range", scene, first, last, &stem),
        }
    }

    /// Renders frames one by one through `frame_set`, the only way to negative ones, in a fresh process.
    ///
    /// # Panics
    /// When it fails.
    pub fn render_by_frame_set(self, scene: &Path, first: i32, last: i32, folder: &Path, name: &str) {
        self.render_by_script("each", scene, first, last, &folder.join(format!("{name}_####")));
    }

    fn render_by_script(self, how: &str, scene: &Path, first: i32, last: i32, stem: &Path) {
        let (first, last) = (first.to_string(), last.to_string());
        let args: [&OsStr; 5] = [
            how.as_ref(),
            scene.as_ref(),
            first.as_ref(),
            last.as_ref(),
            stem.as_ref(),
        ];
        self.run(&script("reference.py"), &args);
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes").join(name)
}

fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("there is no {name} on the PATH: run `make setup`"))
}

fn python() -> PathBuf {
    let home = std::env::var_os("FARMHAND_BPY").map_or_else(
        || {
            let data = std::env::var_os("XDG_DATA_HOME").map_or_else(
                || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".local/share"),
                PathBuf::from,
            );
            data.join("farmhand/engines/bpy-5.0.1")
        },
        PathBuf::from,
    );
    let python = home.join("bin/python");
    assert!(
        python.is_file(),
        "there is no Python with bpy at {}: run `make setup`, or name its environment in FARMHAND_BPY",
        python.display()
    );
    python
}

fn must_succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes the project of 200 files that `scenes/project.py` describes; the scene that renders them.
///
/// # Panics
/// When the script fails.
pub fn make_project(by: Blender, folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder in a temporary one can be made");
    by.run(&script("project.py"), &[folder.as_ref()]);
    folder.join("show/shots/shot.blend")
}

/// A kind of scene that `scenes/make.py` makes.
#[derive(Debug, Clone, Copy)]
pub struct Scene(&'static str);

impl Scene {
    /// A cube that moves: 96x64, 12 frames.
    pub const BASIC: Self = Self("basic");
    /// 320x180, 16 samples, 60 frames: the benchmark's.
    pub const LIGHT: Self = Self("light");
    /// 265,000 vertices with pictures on them, 320x180, 8 samples, 40 frames: the benchmark's, persistent data off.
    pub const HEAVY: Self = Self("heavy");
    /// About half a second a frame, 40 frames.
    pub const STEADY: Self = Self("steady");
    /// Frame 3 takes very long, the others no time.
    pub const SLOW_THIRD: Self = Self("slow_third");
    /// Everything that can move does, with motion blur; frames -10 to 12.
    pub const ANIMATED: Self = Self("animated");
    /// No camera.
    pub const NO_CAMERA: Self = Self("no_camera");
    /// Names a texture that is not there.
    pub const MISSING_TEXTURE: Self = Self("missing_texture");
    /// Names a texture that lies beside it as `textures/wall.png`.
    pub const TEXTURED: Self = Self("textured");
    /// Links from a library that is not there.
    pub const MISSING_LIBRARY: Self = Self("missing_library");
    /// Asks for a GPU.
    pub const GPU: Self = Self("gpu");
    /// Denoises.
    pub const DENOISED: Self = Self("denoised");
    /// Has a driver that is a Python expression.
    pub const SCRIPTED: Self = Self("scripted");
    /// Links a library, `other.blend` beside it, that links it.
    pub const CIRCLE: Self = Self("circle");
    /// Asks for a film.
    pub const MOVIE: Self = Self("movie");
    /// Many files beside this one, each with another kind of output, and in `alone` what Blender makes of
    /// their frames 1 and 2.
    pub const OUTPUTS: Self = Self("outputs");
    /// Two scenes: `Scene` with two view layers, and the smaller `Other`.
    pub const CHOICES: Self = Self("choices");

    /// Makes it as `folder/<kind>.blend`.
    ///
    /// # Panics
    /// When the script fails.
    pub fn make(self, by: Blender, folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).expect("a folder in a temporary one can be made");
        let file = folder.join(format!("{}.blend", self.0));
        by.run(&script("make.py"), &[self.0.as_ref(), file.as_ref()]);
        file
    }
}
