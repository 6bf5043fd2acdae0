//! One Blender process with the driver inside: commands in, messages and signs of life out, and its death.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command as ProcessCommand};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::log::Log;
use super::message::{Command, Message, Samples};
use super::spawner::Spawner;
use crate::engines::EnginePath;

/// Longest line that is read in one piece; what is longer is cut there.
const LONGEST_READ: u64 = 64 * 1024;
/// How long one that was told to leave, or closed its line, may take to be gone.
pub(super) const LEAVING: Duration = Duration::from_secs(2);

/// A running Blender. Dropping it kills its process group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    heard: mpsc::Receiver<Heard>,
    log: Arc<LogTarget>,
    readers: Vec<JoinHandle<()>>,
}

/// What is heard of a Blender.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The driver said something.
    Driver(Message),
    /// It printed something: it lives.
    Print(Option<Samples>),
    /// The driver's line is closed: it is gone, or as good as gone.
    Gone,
}

/// Where what Blender prints goes; another batch, another log.
#[derive(Debug)]
struct LogTarget(Mutex<Arc<Log>>);

impl Process {
    /// Starts a Blender with the driver inside, `driver` being its file.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(crate) async fn start(
        spawner: &Spawner,
        engine: &EnginePath,
        driver: &Path,
        log: Arc<Log>,
    ) -> io::Result<Self> {
        let (events, far_end) = io::pipe()?;
        let far_end = OwnedFd::from(far_end);
        let number = far_end.as_raw_fd();
        let arguments = ["--events-fd".to_owned(), number.to_string()];
        let mut command = ProcessCommand::from(engine.running(driver, arguments));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let inherit = move || {
            // In the child alone: a sibling that is started meanwhile must not hold this pipe open.
            fcntl(&far_end, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        };
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(inherit);
        }
        // Our copy of the far end goes with the command, so that the pipe closes when the child does.
        let mut child = spawner.spawn(command).await?;
        let taken = || io::Error::other("a pipe of the new process is missing");
        let stdin = child.stdin.take().ok_or_else(taken)?;
        let stdout = child.stdout.take().ok_or_else(taken)?;
        let stderr = child.stderr.take().ok_or_else(taken)?;
        let events = pipe::Receiver::from_owned_fd(events.into())?;
        let log = Arc::new(LogTarget(Mutex::new(log)));
        let (tell, heard) = mpsc::channel(256);
        let readers = vec![
            tokio::spawn(read_log(stdout, Arc::clone(&log), tell.clone())),
            tokio::spawn(read_log(stderr, Arc::clone(&log), tell.clone())),
            tokio::spawn(read_events(events, tell)),
        ];
        Ok(Self {
            child,
            stdin,
            heard,
            log,
            readers,
        })
    }

    /// From now on what it prints belongs to this log.
    pub(crate) fn print_to(&self, log: Arc<Log>) {
        *self.log.0.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) async fn send(&mut self, command: &Command<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await
    }

    /// The next thing that is heard of it; cancel-safe.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or(Heard::Gone)
    }

    /// Whether it went while nobody listened. Forgets what it said meanwhile: that was about something past.
    pub(crate) fn has_gone(&mut self) -> bool {
        loop {
            match self.heard.try_recv() {
                Ok(Heard::Gone) | Err(mpsc::error::TryRecvError::Disconnected) => return true,
                Ok(Heard::Driver(_) | Heard::Print(_)) => {}
                Err(mpsc::error::TryRecvError::Empty) => return false,
            }
        }
    }

    /// Its process id while it is not reaped.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Memory that it holds now, in bytes; 0 if not known.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let resident = || {
            let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.id()?)).ok()?;
            statm.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        resident().map_or(0, |pages| pages.saturating_mul(4096))
    }

    /// Waits for the end of one that is ending, kills it where that takes long, and says how it ended.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let status = if let Ok(status) = timeout(patience, self.child.wait()).await {
            status.ok()
        } else {
            self.kill_group();
            self.child.wait().await.ok()
        };
        // What it printed last explains its end; a grandchild may hold the pipes open for longer.
        for reader in self.readers.drain(..) {
            let _read_whole = timeout(Duration::from_millis(300), reader).await;
        }
        status
    }

    /// Tells it to leave, and reaps it; kills it where it does not go.
    pub(crate) async fn leave(mut self) {
        if self.send(&Command::Quit).await.is_ok() {
            self.ended(LEAVING).await;
        } else {
            self.kill().await;
        }
    }

    /// Kills the group and reaps it.
    pub(crate) async fn kill(&mut self) -> Option<ExitStatus> {
        self.kill_group();
        self.ended(Duration::from_secs(5)).await
    }

    /// Memory that its whole group holds now, in bytes; 0 if not known.
    pub(crate) fn group_memory_bytes(&self) -> u64 {
        self.id().map_or(0, super::memory::of_group)
    }

    fn kill_group(&self) {
        // Without an id it is reaped, and its number may be someone else's by now.
        if let Some(group) = self.id().and_then(|id| i32::try_from(id).ok()) {
            let _gone_already = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group(); // The runtime reaps it, as it does for every dropped child.
        for reader in &self.readers {
            reader.abort();
        }
    }
}

async fn read_log(from: impl AsyncRead + Unpin, log: Arc<LogTarget>, tell: mpsc::Sender<Heard>) {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut lines).take(LONGEST_READ).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        log.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        // Only a sign of life: where nobody keeps up, one more of them says nothing new.
        let _full = tell.try_send(Heard::Print(Samples::printed(text)));
        line.clear();
    }
}

async fn read_events(from: pipe::Receiver, tell: mpsc::Sender<Heard>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if tell
            .send(Heard::Driver(Message::of_line(line.as_bytes())))
            .await
            .is_err()
        {
            return;
        }
    }
    let _nobody_listens = tell.send(Heard::Gone).await;
}
