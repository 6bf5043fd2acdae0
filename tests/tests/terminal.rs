//! The dashboard and its terminal: given back whatever happens, silent while nothing changes, drawn after every
//! change of size, quick while a node hangs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use farmhand_protocol::farm::{JobState, JobView};
use farmhand_tests::{
    Blender, Farm, FarmPlan, Proc, Scene, Terminal, build_path, cpu_seconds, eventually, free_port, is_alive,
    within,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A shell in a terminal, which runs the dashboard between two looks at the terminal's settings.
struct Shell {
    terminal: Terminal,
    folder: TempDir,
    data: PathBuf,
}

impl Shell {
    /// Starts the shell, not yet the dashboard.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("farm");
        let terminal = Terminal::run(&data, "exec env PS1='$ ' bash --norc --noprofile -i", 100, 30);
        terminal.until_shown("$").await;
        Self {
            terminal,
            folder,
            data,
        }
    }

    fn line(&self, text: &str) {
        self.terminal.type_in(text);
        self.terminal.press(&["Enter"]);
    }

    /// Runs the dashboard; its number is returned once it shows its farm.
    async fn run_dashboard(&self, before: &str) -> i32 {
        let command = format!(
            "{before} '{}' --data '{}' --listen 127.0.0.1:{}",
            build_path("farmhand").display(),
            self.data.display(),
            free_port()
        );
        self.line(&command);
        self.terminal.until_shown("FARM").await;
        eventually("the farm writes who it is", async || {
            let note = fs::read(self.data.join("orchestrator.json")).ok()?;
            let note: serde_json::Value = serde_json::from_slice(&note).ok()?;
            i32::try_from(note["pid"].as_i64()?).ok()
        })
        .await
    }

    /// How the terminal is set, as the shell sees it.
    async fn settings(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        // A moved file is a whole one.
        self.line(&format!("stty -a > {0}.part && mv {0}.part {0}", path.display()));
        within(Duration::from_secs(20), "stty has written", async || {
            fs::read_to_string(&path).ok()
        })
        .await
    }

    /// Which of the modes that the dashboard sets are still set, as the terminal sees it.
    fn modes(&self) -> String {
        self.terminal
            .tmux(&[
                "display-message",
                "-p",
                "alternate #{alternate_on} mouse #{mouse_any_flag} cursor #{cursor_flag}",
            ])
            .unwrap()
            .trim()
            .to_owned()
    }

    async fn must_be_given_back(&self, before: &str) {
        within(
            Duration::from_secs(20),
            "the terminal is given back",
            async || (self.modes() == "alternate 0 mouse 0 cursor 1").then_some(()),
        )
        .await;
        assert_eq!(self.settings("after").await, before, "stty -a");
    }
}

#[tokio::test]
async fn sigterm_and_sighup_give_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let shell = Shell::start().await;
        let before = shell.settings("before").await;
        let pid = shell.run_dashboard("").await;
        assert_eq!(shell.modes(), "alternate 1 mouse 1 cursor 0");
        kill(Pid::from_raw(pid), signal).unwrap();
        shell.must_be_given_back(&before).await;
    }
}

#[tokio::test]
async fn a_panic_gives_the_terminal_back_and_says_where_the_logs_are() {
    let shell = Shell::start().await;
    let before = shell.settings("before").await;
    shell
        .run_dashboard("RUST_BACKTRACE=0 FARMHAND_TEST_PANIC=1")
        .await;
    shell.terminal.press(&["F12"]);
    let screen = shell.terminal.until_shown("the farm did not").await;
    for said in ["thread 'main'", "panicked", "logs are in"] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    shell.must_be_given_back(&before).await;
}

#[tokio::test]
async fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    let shell = Shell::start().await;
    let before = shell.settings("before").await;
    shell.run_dashboard("").await;
    shell.terminal.press(&["C-z"]);
    shell.terminal.until_shown("Stopped").await;
    shell.must_be_given_back(&before).await;
    shell.line("clear; fg");
    shell.terminal.until_shown("[1] Jobs").await;
    assert_eq!(shell.modes(), "alternate 1 mouse 1 cursor 0");
    shell.terminal.press(&["q"]);
    fs::remove_file(shell.folder.path().join("after")).unwrap();
    shell.must_be_given_back(&before).await;
}

#[tokio::test]
async fn esc_never_quits_q_does_from_the_top_and_ctrl_c_from_anywhere() {
    let shell = Shell::start().await;
    let before = shell.settings("before").await;
    shell.run_dashboard("").await;
    for _ in 0..3 {
        shell.terminal.press(&["Escape"]);
        // A letter right behind it would be one key with it: alt and the letter.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    shell.terminal.press(&["n"]);
    shell.terminal.until_shown("Submit a job").await;
    shell.terminal.press(&["C-c"]);
    shell.must_be_given_back(&before).await;
}

#[tokio::test]
async fn a_window_that_is_closed_on_an_idle_farm_leaves_nothing_behind() {
    let shell = Shell::start().await;
    let process = Proc::of(shell.run_dashboard("").await).unwrap();
    let note = fs::read(shell.data.join("orchestrator.json")).unwrap();
    shell.terminal.close();
    eventually("the dashboard ends", async || (!is_alive(&process)).then_some(())).await;
    // Whoever took the farm over would write that here.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let left = fs::read(shell.data.join("orchestrator.json")).unwrap_or_else(|_| note.clone());
    assert_eq!(left, note, "{}", String::from_utf8_lossy(&left));
}

/// A dashboard of a farm that runs elsewhere.
fn connected(farm: &Farm, width: u16, height: u16) -> (Terminal, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "exec env -u FARMHAND_TOKEN '{}' --connect {} --data '{}'",
        build_path("farmhand").display(),
        farm.address,
        folder.path().display()
    );
    (Terminal::run(folder.path(), &program, width, height), folder)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[tokio::test]
async fn an_idle_dashboard_writes_the_clock_and_needs_next_to_nothing() {
    let farm = Farm::start(FarmPlan::default()).await;
    let (terminal, folder) = connected(&farm, 100, 30);
    terminal.until_shown("● live").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pid = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]).unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    let written = folder.path().join("written");
    terminal.tmux(&["pipe-pane", "-O", &format!("cat >> '{}'", written.display())]);
    let (before, started) = (cpu_seconds(pid), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let share = (cpu_seconds(pid) - before) / started.elapsed().as_secs_f64();
    terminal.tmux(&["pipe-pane"]);
    let bytes = length(&written);
    eprintln!("idle: {bytes} bytes in 10 s, {:.2} % of a core", share * 100.0);
    // A second's clock is one to six digits, the place where they stand and their colour.
    assert!(
        bytes < 11 * 80,
        "{bytes} bytes: {:?}",
        fs::read_to_string(&written)
    );
    // Development builds are several times slower than what people run, for which 0.5 % is promised.
    assert!(share < 0.02, "{share} of a core");
}

#[tokio::test]
async fn fifty_changes_of_size_in_a_second_end_in_a_whole_screen() {
    let farm = Farm::start(FarmPlan::default()).await;
    let (terminal, folder) = connected(&farm, 100, 30);
    terminal.until_shown("● live").await;
    let written = folder.path().join("written");
    terminal.tmux(&["pipe-pane", "-O", &format!("cat >> '{}'", written.display())]);
    let started = Instant::now();
    for step in 0..50_u16 {
        let (width, height) = (20 + (step * 37) % 160, 4 + (step * 13) % 50);
        terminal.tmux(&[
            "resize-window",
            "-x",
            &width.to_string(),
            "-y",
            &height.to_string(),
        ]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    let screen = terminal
        .until("the whole screen", |screen| {
            screen.lines().any(|line| line.contains("[1] Jobs")) && screen.trim_end().ends_with("q quit")
        })
        .await;
    assert_eq!(screen.lines().count(), 30, "{screen}");
    // Each drawing hides the cursor once, and there is one in 33 ms at the most.
    let drawings = String::from_utf8_lossy(&fs::read(&written).unwrap())
        .matches("\x1b[?25l")
        .count();
    let slots = started.elapsed().as_millis() / 33 + 2;
    assert!(
        (1..=slots).contains(&(drawings as u128)),
        "{drawings} drawings in {slots} slots"
    );
}

#[tokio::test]
async fn a_screen_that_was_too_small_comes_back_as_it_was() {
    let farm = Farm::start(FarmPlan::default()).await;
    let (terminal, _folder) = connected(&farm, 80, 24);
    terminal.until_shown("● live").await;
    terminal.press(&["n"]);
    terminal.until_shown("Submit a job").await;
    terminal.type_in("/some/draft.blend");
    terminal.until_shown("/some/draft.blend").await;
    terminal.tmux(&["resize-window", "-x", "40", "-y", "10"]);
    terminal.until_shown("needs 60x16").await;
    terminal.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    terminal.until_shown("/some/draft.blend").await;
    terminal.press(&["Escape"]);
    terminal.until_shown("[1] Jobs").await;
}

#[tokio::test]
async fn a_node_that_never_answers_holds_nothing_up() {
    let farm = Farm::start(FarmPlan::default()).await;
    // It takes every call and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let added = farm.farmhand(["nodes", "--add", &address]);
    assert_eq!(added.code, Some(0), "{}", added.all());
    let (terminal, _folder) = connected(&farm, 100, 30);
    terminal.until_shown("connect").await;
    let mut slowest = Duration::ZERO;
    for (key, shown) in [
        ("?", "Help: Farm"),
        ("Escape", "[1] Jobs"),
        (":", "Do or go to"),
        ("Escape", "[1] Jobs"),
    ] {
        let started = Instant::now();
        terminal.press(&[key]);
        terminal.until_shown(shown).await;
        slowest = slowest.max(started.elapsed());
    }
    eprintln!("slowest key beside a hung node: {slowest:?}");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
}

#[tokio::test]
async fn a_file_of_settings_with_a_mistake_is_named_and_the_dashboard_starts() {
    let farm = Farm::start(FarmPlan::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "ascii = true\n[keys.farm]\ncancle = [\"x\"]\n").unwrap();
    let program = format!(
        "exec env -u FARMHAND_TOKEN '{}' --connect {} --data '{}' --config '{}' --readonly",
        build_path("farmhand").display(),
        farm.address,
        folder.path().display(),
        config.display()
    );
    let terminal = Terminal::run(folder.path(), &program, 140, 30);
    let screen = terminal.until_shown("line 3: keys.farm.cancle").await;
    assert!(screen.contains("READ-ONLY"), "{screen}");
    assert!(screen.is_ascii(), "{screen}");
    let said = farm.farmhand(["info", "--config", config.to_str().unwrap()]);
    assert!(
        said.out.contains("line 3") && said.out.contains("config.toml"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn what_was_done_to_a_job_is_taken_back_by_u() {
    let farm = Farm::start(FarmPlan::default()).await;
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-20", &[]);
    let (terminal, _folder) = connected(&farm, 100, 30);
    terminal.until_shown("0/20").await;
    let until = async |what: &str, is_so: fn(&JobView) -> bool| {
        eventually(what, async || is_so(&farm.job(id).await.job).then_some(())).await;
    };
    terminal.press(&["+"]);
    until("a higher priority", |job| job.priority == 10).await;
    terminal.until_shown("[u] undo").await;
    terminal.press(&["u"]);
    until("the old priority", |job| job.priority == 0).await;

    terminal.press(&["p"]);
    until("a pause", |job| job.state == JobState::Paused).await;
    terminal.until_shown("[u] undo").await;
    terminal.press(&["u"]);
    until("no pause", |job| job.state == JobState::Waiting).await;

    terminal.press(&["c"]);
    terminal
        .until_shown("20 frames not delivered will be cancelled")
        .await;
    terminal.press(&["y"]);
    until("every frame is cancelled", |job| job.counts.cancelled == 20).await;
    terminal.until_shown("[u] undo").await;
    terminal.press(&["u"]);
    until("every frame waits again", |job| job.counts.pending == 20).await;
    terminal.until_shown("[u] undo").await;
    terminal.press(&["u"]);
    until("and back", |job| job.counts.cancelled == 20).await;

    // r, and back.
    terminal.until_shown("– cancel").await;
    terminal.press(&["r"]);
    until("every frame waits again", |job| job.counts.pending == 20).await;
    terminal.until_shown("[u] undo").await;
    terminal.press(&["u"]);
    until("and back", |job| job.counts.cancelled == 20).await;
}
