//! Pictures of the running dashboard for the README: `farmhand demo` in a tmux of its own, its screens as SVG.
//! `farmhand-screens [FOLDER]`, by default `docs/screens`; `make screens` builds and runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use farmhand_tests::{Blender, Scene, Terminal, build_path, svg, within};
use tokio::time::sleep;

const SIZE: (u16, u16) = (100, 30);

/// A first frame waits for three Blenders to start.
const PATIENCE: Duration = Duration::from_mins(3);

/// Time for a key to be taken and its screen drawn.
const DRAWN: Duration = Duration::from_millis(400);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("docs/screens"), PathBuf::from);
    match make(&folder).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let data = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let scenes = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let broken = Scene::NO_CAMERA.make(Blender::Executable, scenes.path());
    let demo = Demo::start(data.path());
    demo.until("▶ render").await;
    let scene = find(data.path(), "blend").ok_or("the demo has no scene")?;
    let farm = demo.farm()?;
    demo.until("48/48").await;
    submit(&farm, &broken, "titles_v3", "1-24", &["--priority", "10"])?;
    demo.until("✗ fail").await;
    submit(
        &farm,
        &scene,
        "night_v12",
        "1-48",
        &["--samples", "12", "--priority", "50"],
    )?;
    // An end is expected once three frames are measured.
    demo.until("eta ").await;
    sleep(Duration::from_secs(10)).await;
    demo.press(&["1", "g", "g"]).await;
    demo.keep(folder, "farm").await?;
    demo.press(&["Enter"]).await;
    demo.until("p50").await;
    demo.keep(folder, "job").await?;
    demo.press(&["Escape"]).await;
    demo.press(&["v"]).await;
    demo.until("decoded").await;
    demo.keep(folder, "preview").await?;
    demo.press(&["Escape"]).await;
    demo.press(&["2", "Enter"]).await;
    demo.until("drain now").await;
    demo.keep(folder, "node").await?;
    demo.press(&["Escape"]).await;
    demo.press(&["1", "/"]).await;
    demo.type_in("titles").await;
    demo.press(&["Enter", "w"]).await;
    demo.until("to do").await;
    demo.keep(folder, "why").await?;
    demo.press(&["Escape"]).await;
    demo.press(&["Escape"]).await;
    demo.press(&["n"]).await;
    demo.type_in(&scene.display().to_string()).await;
    demo.until("the file says").await;
    demo.press(&["Down", "Down"]).await;
    demo.until("the file's own range").await;
    demo.keep(folder, "submit").await?;
    demo.leave().await;
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

/// The dashboard of `farmhand demo`.
struct Demo(Terminal);

impl Demo {
    fn start(data: &Path) -> Self {
        let program = format!(
            "env -u FARMHAND_TOKEN -u NO_COLOR COLORTERM=truecolor '{}' demo --data '{}'",
            build_path("farmhand").display(),
            data.display(),
        );
        Self(Terminal::run(data, &program, SIZE.0, SIZE.1))
    }

    async fn press(&self, keys: &[&str]) {
        self.0.press(keys);
        sleep(DRAWN).await;
    }

    async fn type_in(&self, text: &str) {
        self.0.type_in(text);
        sleep(DRAWN).await;
    }

    async fn until(&self, text: &str) {
        within(PATIENCE, &format!("the screen shows {text:?}"), async || {
            self.0.screen()?.contains(text).then_some(())
        })
        .await;
    }

    /// The address of the farm, as the screen tells it.
    fn farm(&self) -> Result<String, String> {
        let screen = self.0.screen().unwrap_or_default();
        let address = screen
            .split("FARM ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        address
            .map(str::to_owned)
            .ok_or(format!("no farm is named: {screen}"))
    }

    async fn keep(&self, folder: &Path, name: &str) -> Result<(), String> {
        // What was asked for may be half drawn.
        sleep(Duration::from_secs(2)).await;
        let screen = self.0.tmux(&["capture-pane", "-e", "-p"]);
        let screen = screen.ok_or("the demo has ended")?;
        let path = folder.join(format!("{name}.svg"));
        let drawn = svg::of_terminal(&screen, SIZE.0, SIZE.1)?;
        std::fs::write(&path, drawn).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("{}", path.display());
        Ok(())
    }

    /// Lets it end in order: its agents are its own.
    async fn leave(self) {
        self.0.press(&["C-c"]);
        sleep(Duration::from_secs(2)).await;
    }
}
