//! A stand-in for Blender, for the faults and the speed that a real one cannot give. Given to an agent as
//! `--blender`, it takes the driver's place: commands as JSON lines on stdin, messages on `--events-fd`. So all
//! that watches, kills, checks and delivers is the agent's real code.
//!
//! What it does with a frame is told by the environment, which an agent hands on:
//!
//! | variable | meaning |
//! |---|---|
//! | `STAND_IN` | one of [`Manner`]'s words; `render` without it |
//! | `STAND_IN_MS` | how long a frame takes, in milliseconds; `600,200` where that is 600 on one thread and 200 on more; 50 without it |
//! | `STAND_IN_RECORD` | file to which a line `PID FOLDER FRAME` is added when a frame begins |

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::fd::FromRawFd;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A whole picture.
    Render,
    /// Nothing more is said.
    Hang,
    /// A segmentation fault.
    Crash,
    /// Exit code 0, and no picture.
    Leave,
    /// Called finished, and no picture.
    Empty,
    /// Called finished, and half a picture.
    Half,
    /// Prints without end, and never finishes.
    Chatter,
    /// Starts children, and hangs.
    Fork,
    /// Takes memory without end.
    Eat,
    /// Ignores SIGTERM, SIGINT and the order to stop.
    Deaf,
    /// Says what no driver says.
    Babble,
}

impl Manner {
    fn from_environment() -> Result<Self, String> {
        let word = std::env::var("STAND_IN").unwrap_or_else(|_| "render".to_owned());
        Ok(match word.as_str() {
            "render" => Self::Render,
            "hang" => Self::Hang,
            "crash" => Self::Crash,
            "leave" => Self::Leave,
            "empty" => Self::Empty,
            "half" => Self::Half,
            "chatter" => Self::Chatter,
            "fork" => Self::Fork,
            "eat" => Self::Eat,
            "deaf" => Self::Deaf,
            "babble" => Self::Babble,
            other => return Err(format!("STAND_IN={other} is not known")),
        })
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let manner = Manner::from_environment()?;
    let took = std::env::var("STAND_IN_MS").unwrap_or_else(|_| "50".to_owned());
    let by_threads = took.split(',').map(|ms| ms.parse().map(Duration::from_millis));
    let by_threads = by_threads.collect::<Result<Vec<_>, _>>();
    let mut driver = Driver {
        events: events()?,
        manner,
        by_threads: by_threads.map_err(|error| format!("STAND_IN_MS={took}: {error}"))?,
        takes: Duration::ZERO,
        cancelled: Arc::default(),
    };
    if manner == Manner::Deaf {
        ignore_signals();
    }
    let commands = listen(Arc::clone(&driver.cancelled), manner == Manner::Deaf);
    driver.tell(&json!({"event": "ready", "version": "3.4.1"}));
    for command in commands {
        match command["cmd"].as_str() {
            Some("probe") => driver.tell(&json!({
                "event": "probed", "version": "3.4.1", "devices": ["cpu"], "gpus": [], "denoiser": true,
            })),
            Some("open") => driver.tell(&json!({"event": "opened", "device": "cpu"})),
            Some("render") => driver.render(&command)?,
            Some("quit") => return Ok(()),
            other => return Err(format!("the command {other:?} is not known")),
        }
    }
    Ok(())
}

/// Where messages go: the pipe named by `--events-fd`.
fn events() -> Result<File, String> {
    let mut args = std::env::args().skip_while(|arg| arg != "--events-fd");
    let number = args.nth(1).and_then(|number| number.parse::<i32>().ok());
    let number = number
        .filter(|number| *number > 2)
        .ok_or("there is no --events-fd")?;
    // SAFETY: the agent has opened this pipe for us alone, and nothing else in this process uses it.
    Ok(unsafe { File::from_raw_fd(number) })
}

/// Reads commands on a thread of its own, so that an order to stop is heard in mid-frame. Its end ends us.
fn listen(cancelled: Arc<AtomicBool>, deaf: bool) -> mpsc::Receiver<Value> {
    let (tell, commands) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(command) = line
                .map_err(drop)
                .and_then(|line| serde_json::from_str::<Value>(&line).map_err(drop))
            else {
                break;
            };
            if command["cmd"] == "cancel" {
                cancelled.store(true, Ordering::SeqCst);
            } else if tell.send(command).is_err() {
                break;
            }
        }
        if !deaf {
            std::process::exit(4);
        }
    });
    commands
}

fn ignore_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for number in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: to ignore a signal runs no code of ours.
        let _always_allowed = unsafe { signal(number, SigHandler::SigIgn) };
    }
}

struct Driver {
    events: File,
    manner: Manner,
    /// What a frame takes on one thread, on two, and so on; on more as on the most that are told.
    by_threads: Vec<Duration>,
    /// What this frame takes.
    takes: Duration,
    cancelled: Arc<AtomicBool>,
}

impl Driver {
    fn tell(&mut self, message: &Value) {
        let line = format!("{message}\n");
        if self.events.write_all(line.as_bytes()).is_err() {
            std::process::exit(3); // Nobody listens any more.
        }
    }

    fn render(&mut self, command: &Value) -> Result<(), String> {
        let frame = command["frame"].as_i64().ok_or("a frame is a number")?;
        let folder = command["folder"].as_str().ok_or("a folder is a path")?.to_owned();
        let threads = command["threads"].as_u64().ok_or("threads are a number")?;
        let threads = usize::try_from(threads).unwrap_or(usize::MAX);
        let takes = self.by_threads.get(threads.saturating_sub(1));
        self.takes = takes.or(self.by_threads.last()).copied().unwrap_or_default();
        record(&folder, frame)?;
        self.cancelled.store(false, Ordering::SeqCst);
        self.tell(&json!({"event": "started", "frame": frame}));
        let name = format!("{frame:04}.png");
        let path = Path::new(&folder).join(&name);
        match self.manner {
            Manner::Render | Manner::Half | Manner::Empty => {}
            Manner::Hang => forever(),
            Manner::Deaf => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            Manner::Crash => loop {
                // The first one only takes Rust's own handler away.
                nix::sys::signal::raise(nix::sys::signal::Signal::SIGSEGV)
                    .map_err(|error| error.to_string())?;
            },
            Manner::Leave => std::process::exit(0),
            Manner::Chatter => chatter(),
            Manner::Fork => fork_and_hang()?,
            Manner::Eat => eat(),
            Manner::Babble => {
                self.tell(&json!({"event": "opened", "device": "cpu"}));
                forever();
            }
        }
        if self.wait() {
            self.tell(&json!({"event": "cancelled", "frame": frame, "restart": false}));
            return Ok(());
        }
        if self.manner != Manner::Empty {
            let png = picture(frame)?;
            let length = if self.manner == Manner::Half {
                png.len() / 2
            } else {
                png.len()
            };
            if let Err(error) = std::fs::write(&path, &png[..length]) {
                let message = format!("Render error ({error}) cannot save: '{}'", path.display());
                self.tell(&json!({"event": "failed", "kind": "render_error", "message": message}));
                return Ok(());
            }
        }
        let files = if self.manner == Manner::Empty {
            json!([])
        } else {
            json!([name])
        };
        self.tell(&json!({
            "event": "finished", "frame": frame, "files": files, "pictures": files, "size": [16, 9],
            "render_ms": u64::try_from(self.takes.as_millis()).unwrap_or(u64::MAX),
            "peak_memory_bytes": 0, "device": "cpu",
        }));
        Ok(())
    }

    /// Lets a frame's time pass; true when it was told to stop on the way.
    fn wait(&self) -> bool {
        let until = Instant::now() + self.takes;
        while Instant::now() < until {
            if self.cancelled.load(Ordering::SeqCst) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5).min(self.takes));
        }
        false
    }
}

fn record(folder: &str, frame: i64) -> Result<(), String> {
    let Some(path) = std::env::var_os("STAND_IN_RECORD") else {
        return Ok(());
    };
    let line = format!("{} {folder} {frame}\n", std::process::id());
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A small picture that is another one for each frame.
fn picture(frame: i64) -> Result<Vec<u8>, String> {
    let seed = frame.to_le_bytes();
    let pixels = image::RgbImage::from_fn(16, 9, |x, y| {
        let at = u8::try_from(x * 9 + y).unwrap_or(0);
        image::Rgb([seed[0] ^ at, seed[1].wrapping_add(at), at])
    });
    let mut png = io::Cursor::new(Vec::new());
    let written = pixels.write_to(&mut png, image::ImageFormat::Png);
    written.map_err(|error| error.to_string())?;
    Ok(png.into_inner())
}

fn forever() -> ! {
    loop {
        std::thread::sleep(Duration::from_mins(1));
    }
}

fn chatter() -> ! {
    let line = [b'x'; 8192];
    let mut out = io::stdout().lock();
    loop {
        if out.write_all(&line).is_err() {
            std::process::exit(3);
        }
    }
}

fn fork_and_hang() -> Result<(), String> {
    for _ in 0..3 {
        let child = Command::new("/bin/sleep").arg("1000").spawn();
        child.map_err(|error| format!("cannot start sleep: {error}"))?;
    }
    forever()
}

fn eat() -> ! {
    const BITE: usize = 16 << 20;
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        // Written to, so that it is really there.
        eaten.push(vec![1; BITE]);
        std::thread::sleep(Duration::from_millis(20));
        std::hint::black_box(&eaten);
    }
}
