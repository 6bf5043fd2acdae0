//! A large file costs what its index costs: little time, and no memory of its size.
//!
//! `cargo test --release -p farmhand-blend --test hundred_megabytes -- --nocapture` prints the figures.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod written;

use std::fs;
use std::time::{Duration, Instant};

use farmhand_blend::inspect;
use written::{Heads, rich_beside};

/// What a release build may take of a processor; without optimization it takes more.
const LIMIT: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(5)
} else {
    Duration::from_millis(50)
};

/// A number of `/proc/self/status` or `/proc/self/io`.
fn figure(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Of this thread: what others do on the machine does not count.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn a_hundred_megabytes_take_less_than_50_ms_and_are_not_held_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.blend");
    // 2,000 arrays of 50 kB, as of meshes, and 20,000 small blocks between them.
    let file = rich_beside(Heads::Wide, false, "304", |written| {
        let array = vec![7; 50_000];
        written.block("ME", 999, "raw_data", 1, &[7; 40]);
        for number in 0..2000_u64 {
            written.block("DATA", 1000 + number, "raw_data", 1, &array);
            for small in 0..10 {
                written.block("DATA", 10_000 + number * 10 + small, "raw_data", 1, &[7; 40]);
            }
        }
    });
    assert!(file.len() > 100_000_000, "{} bytes", file.len());
    fs::write(&path, &file).unwrap();
    drop(file);
    inspect(&path).unwrap();

    // What this process had at most before is no measure of what comes.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (memory, read) = (figure("status", "VmHWM:"), figure("io", "rchar:"));
    let mut shortest = Duration::MAX;
    let best = (0..5).map(|_| {
        let (begun, clock) = (processor_time(), Instant::now());
        let found = inspect(&path).unwrap();
        assert_eq!(found.scenes.len(), 4);
        shortest = shortest.min(clock.elapsed());
        processor_time().saturating_sub(begun)
    });
    let best = best.min().unwrap();
    let memory = figure("status", "VmHWM:") - memory;
    let read = (figure("io", "rchar:") - read) / 5;
    println!(
        "100 MB: {best:?} of a processor, {shortest:?} by the clock, {memory} kB more memory, {read} bytes read"
    );
    assert!(best < LIMIT, "it took {best:?}");
    assert!(memory < 8 << 10, "it took {memory} kB of memory");
    assert!(read < 60_000_000, "it read {read} bytes");
}
