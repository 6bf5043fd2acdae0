//! Pictures of the running dashboard for the README: `farmhand demo` in a tmux of its own, its screens as SVG.
//! `farmhand-screens [FOLDER]`, by default `docs/screens`; `make screens` builds and runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use farmhand_tests::{Blender, Scene, build_path, free_port, svg};

const SIZE: (u16, u16) = (100, 30);

/// A first frame waits for three Blenders to start.
const PATIENCE: Duration = Duration::from_mins(3);

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("docs/screens"), PathBuf::from);
    match make(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let data = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let scene = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let broken = Scene::NO_CAMERA.make(Blender::Executable, scene.path());
    let terminal = Terminal::demo(data.path())?;
    terminal.until("▶ render")?;
    let demo = find(data.path(), "blend").ok_or("the demo has no scene")?;
    let farm = terminal.farm()?;
    terminal.until("48/48")?;
    submit(&farm, &broken, "titles_v3", "1-24", &["--priority", "10"])?;
    terminal.until("✗ fail")?;
    submit(
        &farm,
        &demo,
        "night_v12",
        "1-48",
        &["--samples", "12", "--priority", "50"],
    )?;
    // An end is expected once three frames are measured.
    terminal.until("eta ")?;
    std::thread::sleep(Duration::from_secs(10));
    terminal.press(&["1", "g", "g"])?;
    terminal.keep(folder, "farm")?;
    terminal.press(&["Enter"])?;
    terminal.until("p50")?;
    terminal.keep(folder, "job")?;
    terminal.press(&["Escape"])?;
    terminal.press(&["v"])?;
    terminal.until("decoded")?;
    terminal.keep(folder, "preview")?;
    terminal.press(&["Escape"])?;
    terminal.press(&["2", "Enter"])?;
    terminal.until("drain now")?;
    terminal.keep(folder, "node")?;
    terminal.press(&["Escape"])?;
    terminal.press(&["1", "/"])?;
    terminal.press(&["-l", "titles"])?;
    terminal.press(&["Enter", "w"])?;
    terminal.until("to do")?;
    terminal.keep(folder, "why")?;
    terminal.press(&["Escape"])?;
    terminal.press(&["Escape"])?;
    terminal.press(&["n"])?;
    terminal.press(&["-l", &demo.display().to_string()])?;
    terminal.until("the file says")?;
    terminal.press(&["Down", "Down"])?;
    terminal.until("the file's own range")?;
    terminal.keep(folder, "submit")?;
    Ok(())
}

/// Has frames of a scene rendered by the demo's farm.
fn submit(farm: &str, scene: &Path, name: &str, frames: &str, more: &[&str]) -> Result<(), String> {
    let said = Command::new(build_path("farmhand"))
        .env_remove("FARMHAND_TOKEN")
        .arg("submit")
        .arg(scene)
        .args(["--frames", frames, "--name", name, "--farm", farm])
        .args(more)
        .output()
        .map_err(|error| format!("cannot start farmhand: {error}"))?;
    if said.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&said.stderr).into_owned())
    }
}

/// The first file with this ending below a folder.
fn find(folder: &Path, ending: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == ending) {
                return Some(path);
            }
        }
    }
    None
}

/// A tmux server of its own; it goes when this is dropped.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn demo(data: &Path) -> Result<Self, String> {
        let terminal = Self {
            socket: format!("farmhand-screens-{}", free_port()),
        };
        let program = format!(
            "env -u FARMHAND_TOKEN -u NO_COLOR COLORTERM=truecolor '{}' demo --data '{}'",
            build_path("farmhand").display(),
            data.display(),
        );
        let (width, height) = (SIZE.0.to_string(), SIZE.1.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &width,
            "-y",
            &height,
            &program,
        ])?;
        Ok(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(args)
            .output();
        let output = output.map_err(|error| format!("cannot start tmux: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!(
                "tmux: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        }
    }

    fn press(&self, keys: &[&str]) -> Result<(), String> {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        self.tmux(&args)?;
        std::thread::sleep(Duration::from_millis(400));
        Ok(())
    }

    fn until(&self, text: &str) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"])?;
            if screen.contains(text) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("the screen never showed {text:?}:\n{screen}"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The address of the farm, as the screen tells it.
    fn farm(&self) -> Result<String, String> {
        let screen = self.tmux(&["capture-pane", "-p"])?;
        let address = screen
            .split("FARM ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        address
            .map(str::to_owned)
            .ok_or(format!("no farm is named: {screen}"))
    }

    fn keep(&self, folder: &Path, name: &str) -> Result<(), String> {
        // What was asked for may be half drawn.
        std::thread::sleep(Duration::from_secs(2));
        let screen = self.tmux(&["capture-pane", "-e", "-p"])?;
        let path = folder.join(format!("{name}.svg"));
        let drawn = svg::of_terminal(&screen, SIZE.0, SIZE.1)?;
        std::fs::write(&path, drawn).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("{}", path.display());
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone_already = self.tmux(&["send-keys", "C-c"]);
        std::thread::sleep(Duration::from_secs(2));
        let _gone_already = self.tmux(&["kill-server"]);
    }
}
