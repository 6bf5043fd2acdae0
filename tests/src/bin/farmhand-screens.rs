//! Pictures of the running dashboard for the README: `farmhand demo` in a tmux of its own, its screens as SVG.
//! `farmhand-screens [FOLDER]`, by default `docs/screens`; `make screens` builds and runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use farmhand_tests::{build_path, free_port, svg};

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
    let terminal = Terminal::demo(data.path())?;
    terminal.until("frames ")?;
    terminal
        .until("✓ done  24/48")
        .or_else(|_| terminal.until("▶ render"))?;
    std::thread::sleep(Duration::from_secs(10));
    terminal.keep(folder, "farm")?;
    terminal.press(&["Enter"])?;
    std::thread::sleep(Duration::from_secs(2));
    terminal.keep(folder, "job")?;
    terminal.press(&["Escape"])?;
    terminal.press(&["v"])?;
    terminal.until("decoded")?;
    terminal.keep(folder, "preview")?;
    terminal.press(&["i"])?;
    terminal.until("level: all")?;
    std::thread::sleep(Duration::from_secs(1));
    terminal.keep(folder, "log")?;
    terminal.press(&["Escape", "Escape", "n"])?;
    let scenes = data.path().join("demo.blend");
    let scene = find(data.path(), "blend").unwrap_or(scenes);
    terminal.press(&["-l", &scene.display().to_string()])?;
    terminal.press(&["Tab"])?;
    terminal.until("the file says")?;
    terminal.keep(folder, "submit")?;
    Ok(())
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

    fn keep(&self, folder: &Path, name: &str) -> Result<(), String> {
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
