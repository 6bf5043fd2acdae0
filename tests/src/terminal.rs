//! A terminal of its own (tmux) that runs the dashboard.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{free_port, within};

/// A terminal that runs one program. Dropped, it goes, and so does an orchestrator left behind.
#[derive(Debug)]
pub struct Terminal {
    socket: String,
    data: PathBuf,
}

impl Terminal {
    /// Runs `program`, a line of shell, in a terminal of this size. `data` is the data folder of the farm that it
    /// may leave behind.
    pub fn run(data: &Path, program: &str, width: u16, height: u16) -> Self {
        let terminal = Self {
            socket: format!("farmhand-test-{}", free_port()),
            data: data.to_owned(),
        };
        let (width, height) = (width.to_string(), height.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &width,
            "-y",
            &height,
            program,
        ]);
        terminal
    }

    /// Tells the terminal something else, in the words of tmux; its answer, unless it refuses.
    ///
    /// # Panics
    /// Without tmux.
    pub fn tmux(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(args)
            .output();
        let output = output.expect("tmux is installed: run `make setup`");
        let said = || String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then(said)
    }

    /// What is on the screen; nothing once the program has ended.
    pub fn screen(&self) -> Option<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Presses keys, named as tmux names them.
    pub fn press(&self, keys: &[&str]) {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        self.tmux(&args);
    }

    /// Types text as it stands.
    pub fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Waits until the program has ended, a minute at most.
    ///
    /// # Panics
    /// When it has not.
    pub async fn until_ended(&self) {
        within(Duration::from_mins(1), "the dashboard ends", async || {
            self.screen().is_none().then_some(())
        })
        .await;
    }

    /// Closes it, as a person who closes the window.
    pub fn close(&self) {
        self.tmux(&["kill-server"]);
    }

    /// Waits until the screen shows this, a minute at most, and returns the screen.
    ///
    /// # Panics
    /// When it does not.
    pub async fn until_shown(&self, text: &str) -> String {
        self.until(&format!("the screen shows {text:?}"), |screen| {
            screen.contains(text)
        })
        .await
    }

    /// Waits until the screen is so, a minute at most, and returns it.
    ///
    /// # Panics
    /// When it never is.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) -> String {
        within(Duration::from_mins(1), what, async || {
            let screen = self.screen()?;
            is_so(&screen).then_some(screen)
        })
        .await
    }
}

impl Terminal {
    /// The process that holds the farm's data folder, while there is one.
    fn orchestrator(&self) -> Option<Pid> {
        let note = std::fs::read(self.data.join("orchestrator.json")).ok()?;
        let note: serde_json::Value = serde_json::from_slice(&note).ok()?;
        let pid = Pid::from_raw(note["pid"].as_i64()?.try_into().ok()?);
        kill(pid, None).is_ok().then_some(pid)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen:\n{}", self.screen().unwrap_or_default());
        }
        self.tmux(&["kill-server"]);
        // A farm with running jobs is handed over when its terminal goes: that one is to end too.
        let mut looks_without_one = 0;
        for _ in 0..60 {
            match self.orchestrator() {
                Some(left) => {
                    looks_without_one = 0;
                    let _already_gone = kill(left, Signal::SIGTERM);
                }
                None if looks_without_one == 6 => break,
                None => looks_without_one += 1,
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
