//! What reaches the dashboard through its terminal, and what it sends there beside the screen: clicks, pasted text,
//! the clipboard, the question for pictures; and a draft that outlives it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use farmhand_tests::{Farm, FarmPlan, Terminal, build_path, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A shell in a terminal of its own, a farm, and a file with all that was written to the terminal.
struct Desk {
    terminal: Terminal,
    farm: Farm,
    folder: TempDir,
}

impl Desk {
    async fn start() -> Self {
        let farm = Farm::start(FarmPlan::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let shell = "exec env PS1='$ ' bash --norc --noprofile -i";
        let terminal = Terminal::run(folder.path(), shell, 100, 30);
        terminal.until_shown("$").await;
        let desk = Self {
            terminal,
            farm,
            folder,
        };
        let pipe = format!("cat >> '{}'", desk.written_path().display());
        desk.terminal.tmux(&["pipe-pane", "-O", &pipe]);
        desk
    }

    fn written_path(&self) -> PathBuf {
        self.folder.path().join("written")
    }

    /// How often this was written to the terminal.
    fn written(&self, bytes: &str) -> usize {
        let all = fs::read(self.written_path()).unwrap_or_default();
        String::from_utf8_lossy(&all).matches(bytes).count()
    }

    async fn until_written(&self, bytes: &str) {
        within(
            Duration::from_secs(20),
            "it is written to the terminal",
            async || (self.written(bytes) > 0).then_some(()),
        )
        .await;
    }

    /// Runs a dashboard of the farm; `before` stands before its name.
    async fn run_dashboard(&self, before: &str) {
        self.terminal.type_in(&format!(
            "clear; {before} '{}' --connect {} --data '{}'",
            build_path("farmhand").display(),
            self.farm.address,
            self.folder.path().join("data").display()
        ));
        self.terminal.press(&["Enter"]);
        self.terminal.until_shown("● live").await;
    }

    async fn quit_dashboard(&self) {
        self.terminal.press(&["q"]);
        self.terminal
            .until("the shell is back", |screen| !screen.contains("● live"))
            .await;
    }

    fn add_node(&self, address: &str) {
        let added = self.farm.farmhand(["nodes", "--add", address]);
        assert_eq!(added.code, Some(0), "{}", added.all());
    }

    /// Presses and releases the mouse's button where this stands on the screen.
    fn click(&self, text: &str) {
        let screen = self.terminal.screen().unwrap();
        let (row, line) = screen
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(text))
            .unwrap_or_else(|| panic!("no {text}: {screen}"));
        let column = line[..line.find(text).unwrap()].chars().count() + 1;
        for end in ['M', 'm'] {
            let event = format!("\x1b[<0;{column};{}{end}", row + 1);
            let bytes: Vec<String> = event.bytes().map(|byte| format!("{byte:02x}")).collect();
            let mut args = vec!["send-keys", "-H"];
            args.extend(bytes.iter().map(String::as_str));
            self.terminal.tmux(&args).unwrap();
        }
    }

    async fn until_mouse_is(&self, wanted: &str) {
        within(
            Duration::from_secs(20),
            "the mouse is taken or let go",
            async || {
                let mouse = self
                    .terminal
                    .tmux(&["display-message", "-p", "#{mouse_any_flag}"])?;
                (mouse.trim() == wanted).then_some(())
            },
        )
        .await;
    }
}

/// Nobody answers there.
const NODE: &str = "http://127.0.0.1:9";

/// How the table of nodes calls it.
const SHOWN: &str = "127.0.0.1:9";

#[tokio::test]
async fn hints_and_rows_are_clicked_and_m_lets_the_mouse_go() {
    let desk = Desk::start().await;
    desk.add_node(NODE);
    desk.run_dashboard("").await;
    desk.terminal.until_shown(SHOWN).await;
    desk.until_mouse_is("1").await;
    desk.click("? help");
    desk.terminal.until_shown("Help: Farm").await;
    desk.terminal.press(&["Escape"]);
    desk.terminal.until_shown("[1] Jobs").await;
    // Once for the row, and once more to open it.
    desk.click(SHOWN);
    desk.click(SHOWN);
    desk.terminal.until_shown("drain now").await;
    desk.terminal.press(&["m"]);
    desk.until_mouse_is("0").await;
    desk.terminal.press(&["m"]);
    desk.until_mouse_is("1").await;
}

#[tokio::test]
async fn copied_text_is_sent_to_the_terminal_and_pasted_text_to_the_focused_field_only() {
    let desk = Desk::start().await;
    desk.add_node(NODE);
    desk.run_dashboard("").await;
    desk.terminal.until_shown(SHOWN).await;
    desk.terminal.press(&["2", "y"]);
    desk.terminal.until_shown("sent to terminal").await;
    // OSC 52 with the address, wrapped for tmux.
    desk.until_written("\x1bPtmux;\x1b\x1b]52;c;aHR0cDovLzEyNy4wLjAuMTo5\x1b\x1b\\\x1b\\")
        .await;

    // Keys that would quit, if they were keys.
    desk.terminal.tmux(&["set-buffer", "/pasted/q.blend"]).unwrap();
    desk.terminal.tmux(&["paste-buffer", "-p"]).unwrap();
    desk.terminal.press(&["n"]);
    let form = desk.terminal.until_shown("Submit a job").await;
    assert!(!form.contains("/pasted/q.blend"), "{form}");
    desk.terminal.tmux(&["paste-buffer", "-p"]).unwrap();
    let form = desk.terminal.until_shown("/pasted/q.blend").await;
    assert_eq!(form.matches("[/pasted/q.blend").count(), 1, "{form}");
}

/// The question whether it knows kitty's pictures; others go with it.
const PICTURES: &str = "\x1b_Gi=31";

/// Outside of tmux, as far as the dashboard can see.
const OUTSIDE: &str = "env -u TMUX -u TERM_PROGRAM TERM=xterm-256color";

#[tokio::test]
async fn a_terminal_is_asked_for_pictures_once_and_tmux_never() {
    let desk = Desk::start().await;
    desk.run_dashboard("").await;
    desk.quit_dashboard().await;
    assert_eq!(desk.written(PICTURES), 0, "in tmux");

    desk.run_dashboard(OUTSIDE).await;
    assert_eq!(desk.written(PICTURES), 1, "elsewhere");
    // Keys are keys afterwards, and answers are none.
    desk.terminal.press(&["?"]);
    desk.terminal.until_shown("Help: Farm").await;
    desk.terminal.press(&["Escape"]);
    desk.terminal.until_shown("[1] Jobs").await;
    assert_eq!(desk.written(PICTURES), 1, "once");
}

#[tokio::test]
async fn the_first_key_is_not_lost_where_a_terminal_never_answers() {
    let desk = Desk::start().await;
    // tmux keeps what is meant for the terminal around it to itself.
    desk.run_dashboard("env FARMHAND_IMAGES=kitty").await;
    desk.terminal.press(&["?"]);
    desk.terminal.until_shown("Help: Farm").await;
}

/// The only process of this dashboard.
fn pid_of(data: &Path) -> Option<i32> {
    let data = data.to_str()?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut found = processes.filter_map(|process| {
        let pid: i32 = process.file_name().to_str()?.parse().ok()?;
        let words = fs::read(process.path().join("cmdline")).ok()?;
        let mut words = words.split(|byte| *byte == 0);
        let is_farmhand = words.next()?.ends_with(b"/farmhand");
        (is_farmhand && words.any(|word| word == data.as_bytes())).then_some(pid)
    });
    found.next()
}

#[tokio::test]
async fn a_draft_outlives_a_dashboard_that_is_killed() {
    let desk = Desk::start().await;
    desk.run_dashboard("").await;
    desk.terminal.press(&["n"]);
    desk.terminal.until_shown("Submit a job").await;
    desk.terminal.type_in("/some/intro_v12.blend");
    let data = desk.folder.path().join("data");
    within(Duration::from_secs(20), "the draft is on disk", async || {
        let files = fs::read_dir(&data).ok()?.flatten();
        let mut texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        texts.any(|text| text.contains("intro_v12.blend")).then_some(())
    })
    .await;
    kill(Pid::from_raw(pid_of(&data).unwrap()), Signal::SIGKILL).unwrap();
    desk.terminal.until_shown("Killed").await;
    desk.terminal.type_in("reset");
    desk.terminal.press(&["Enter"]);
    desk.run_dashboard("").await;
    desk.terminal.press(&["n"]);
    desk.terminal.until_shown("/some/intro_v12.blend").await;
}
