//! What the system knows of running processes. Linux only, like the tests.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process, told from a later one with the same number by its start.
#[derive(Debug, Clone)]
pub struct Proc {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    parent: i32,
    /// When it started, in ticks since the machine did.
    started: u64,
    /// What it runs, at most 15 characters.
    pub name: String,
    state: char,
    /// User and system time, its own and that of ended children it waited for, in ticks.
    ticks: u64,
}

impl PartialEq for Proc {
    fn eq(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

impl Proc {
    /// Reads what runs under a number; nothing when nobody does.
    pub fn of(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold any character, brackets too.
        let (head, rest) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            started: number(19)?,
            name,
            state: fields.first()?.chars().next()?,
            ticks: (11..=14).filter_map(number).sum(),
        })
    }

    /// Sends it a signal, unless it is gone.
    pub fn signal(&self, signal: Signal) {
        if is_alive(self) {
            let _gone_already = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

/// Whether that very process still runs; one that has ended and was not waited for does not.
pub fn is_alive(process: &Proc) -> bool {
    Proc::of(process.pid).is_some_and(|now| now.started == process.started && !matches!(now.state, 'Z' | 'X'))
}

/// All living children of a process, theirs, and so on.
pub fn descendants(pid: i32) -> Vec<Proc> {
    let all: Vec<Proc> = fs::read_dir("/proc")
        .expect("/proc can be listed")
        .filter_map(|entry| Proc::of(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(|process| process.state != 'Z')
        .collect();
    let mut found: Vec<Proc> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// All living processes that were started with this folder in their environment: ours, whoever their parent is.
///
/// # Panics
/// When `/proc` cannot be listed.
pub fn owned_by(folder: &Path) -> Vec<Proc> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = fs::read_dir("/proc").expect("/proc can be listed");
    entries
        .filter_map(|entry| Proc::of(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(|process| process.state != 'Z' && process.pid != own)
        .filter(|process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environment.windows(folder.len()).any(|part| part == folder)
        })
        .collect()
}

/// Processor seconds of a process and of its ended children.
pub fn cpu_seconds(pid: i32) -> f64 {
    let ticks = Proc::of(pid).map_or(0, |process| process.ticks);
    // /proc counts in hundredths of a second, whatever the kernel's own clock does.
    std::time::Duration::from_millis(ticks * 10).as_secs_f64()
}

/// Resident memory of a process in bytes; 0 when it is gone.
pub fn rss_bytes(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
