//! One running program of ours: started in its own process group, killed with it, its words kept.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::within;

/// A started program. Dropped, its process group is killed; in a failing test its log's end is printed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Program {
    /// Starts `command`, with its words going to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: PathBuf) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let errors = file.try_clone().expect("a file handle can be cloned");
        command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", command.get_program().display()));
        Self {
            child,
            name: name.to_owned(),
            log,
        }
    }

    /// Its process number.
    ///
    /// # Panics
    /// Never on Linux.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process numbers are small")
    }

    /// Sends it a signal, to it alone and not to its children.
    pub fn signal(&self, signal: Signal) {
        let _already_gone = kill(Pid::from_raw(self.pid()), signal);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill_nine(&mut self) {
        self.signal(Signal::SIGKILL);
        let _status = self.child.wait();
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end with SIGTERM; how long it took and how it ended.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub fn terminate(&mut self, limit: Duration) -> (Duration, ExitStatus) {
        let asked = Instant::now();
        self.signal(Signal::SIGTERM);
        loop {
            if let Some(status) = self.ended() {
                return (asked.elapsed(), status);
            }
            assert!(
                asked.elapsed() < limit,
                "{} did not end within {limit:?} of SIGTERM",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it answers at its `/health`.
    ///
    /// # Panics
    /// When it ends before that, or does not answer within a minute.
    pub async fn until_healthy(&mut self, address: &str) {
        let (url, client) = (format!("{address}/health"), http());
        let what = format!("{url} answers");
        within(Duration::from_mins(1), &what, async || {
            if let Some(status) = self.ended() {
                panic!("what shall answer at {url} ended with {status}:\n{}", self.said());
            }
            let answer = client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Everything it has said.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What it left behind is its group's; a program that ended well has none.
        let _already_gone = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        let status = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<&str> = said.lines().collect();
            eprintln!(
                "--- {} ended with {:?}, its last lines:",
                self.name,
                status.map(|status| (status.code(), status.signal()))
            );
            for line in &lines[lines.len().saturating_sub(60)..] {
                eprintln!("    {line}");
            }
        }
    }
}

/// A program of this workspace, as built beside the tests.
///
/// # Panics
/// When it has not been built.
pub fn build_path(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let profile = own
        .ancestors()
        .find(|folder| folder.file_name() == Some(OsStr::new("deps")))
        .and_then(Path::parent)
        .or_else(|| own.parent())
        .expect("a test lies in the folder of a profile");
    let program = profile.join(name);
    assert!(
        program.is_file(),
        "{} is not built: run `make test`, or first `cargo build -p farmhand -p farmhand-agent`",
        program.display()
    );
    program
}

/// A port of loopback that nobody listens on at the moment.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// A client that follows no redirect and waits at most 30 seconds.
///
/// # Panics
/// Never.
pub fn http() -> reqwest::Client {
    farmhand_http::client(&farmhand_tls::Trust::Nobody)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a plain client can be built")
}
