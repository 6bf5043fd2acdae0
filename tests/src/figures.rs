//! What the benchmarks measure with and tell in: processor time, resident memory, places in a row of times.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::{cpu_seconds, rss_bytes};

/// What a piece of work took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// On the clock.
    pub wall: f64,
    /// Of processors.
    pub cpu: f64,
}

impl Cost {
    /// The round that took the least processor time: what else the machine did only adds.
    pub fn least(rounds: &[Self]) -> Self {
        let least = rounds.iter().copied().min_by(|a, b| a.cpu.total_cmp(&b.cpu));
        least.unwrap_or(Self {
            wall: f64::NAN,
            cpu: f64::NAN,
        })
    }
}

/// Wall time that `run` tells, and the processor time of this process and of all that it started and waited for in the
/// meantime: the system adds theirs, and that of theirs, to ours when they have ended.
pub async fn measured(run: impl AsyncFnOnce() -> Duration) -> Cost {
    let before = cpu_seconds(own_pid());
    let wall = run().await.as_secs_f64();
    Cost {
        wall,
        cpu: cpu_seconds(own_pid()) - before,
    }
}

/// This process.
///
/// # Panics
/// Never on Linux.
pub fn own_pid() -> i32 {
    i32::try_from(std::process::id()).expect("process numbers are small")
}

/// Resident memory of this process in bytes.
pub fn own_memory() -> u64 {
    rss_bytes(own_pid())
}

/// Processor time of the calling thread: what others do on the machine does not count.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Processor seconds of the threads of a process that have this name, of at most 15 characters.
pub fn thread_seconds(pid: i32, name: &str) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0.0;
    };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let said = fs::read_to_string(thread.path().join("comm")).ok()?;
        let spent = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let spent: u64 = spent.split_whitespace().next()?.parse().ok()?;
        (said.trim_end() == name).then_some(spent)
    });
    Duration::from_nanos(nanoseconds.sum()).as_secs_f64()
}

/// Times in their order, to be asked for a percentile.
#[derive(Debug, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Puts them in order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that `percent` of them do not exceed, in milliseconds to two places; 0 where there are none.
    pub fn at(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        let time = self.0.get(place).copied().unwrap_or_default();
        (time.as_secs_f64() * 100_000.0).round() / 100.0
    }
}

/// To three places.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle one.
///
/// # Panics
/// When there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "what is counted is far below 2^52")]
pub fn number(count: u64) -> f64 {
    count as f64
}
