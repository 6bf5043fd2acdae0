//! `make bench`: from a key to the screen, on a big and busy farm: 1,000 nodes, 200 jobs, 1,000,000 frames and
//! 2,000 events a second; and a filter over 10,000 jobs. It prints figures and judges nothing.

use std::time::{Duration, Instant};

use farmhand::rehearsal::{Rehearsal, Scale};
use farmhand_tests::figures::Times;

/// Events between two frames of a screen that is drawn thirty times a second.
const EVENTS: usize = 2000 / 30;
const FRAMES: usize = 600;

fn main() {
    let scale = Scale {
        nodes: 1000,
        jobs: 200,
        frames: 1_000_000,
    };
    println!(
        "{} nodes, {} jobs, {} frames, 2000 events a second, {FRAMES} screens of 140x40\n",
        scale.nodes, scale.jobs, scale.frames
    );
    println!("what                          p50        p99        most   promised");
    let (mut whole, mut views) = (Vec::new(), Vec::new());
    let mut dashboard = Rehearsal::new(scale, 140, 40);
    // Keys of every kind: moving, panels, orders, filters, the palette.
    let keys: Vec<char> = "jjk2jjjG3j1oO/shot_0\u{1b}?jj\u{1b}:node\u{1b}zzzz"
        .chars()
        .collect();
    for number in 0..FRAMES {
        for _ in 0..EVENTS {
            dashboard.hear();
        }
        let started = Instant::now();
        dashboard.press(keys[number % keys.len()]);
        views.push(dashboard.draw());
        whole.push(started.elapsed());
    }
    let key = row("key to screen", whole, "50 ms p99");
    let view = row("view alone", views, "5 ms");

    let mut dashboard = Rehearsal::new(
        Scale {
            jobs: 10_000,
            ..scale
        },
        140,
        40,
    );
    dashboard.press('/');
    let mut letters = Vec::new();
    for letter in "status:compl shot_0 user:ana".chars() {
        let started = Instant::now();
        dashboard.press(letter);
        letters.push(started.elapsed());
    }
    dashboard.draw();
    assert!(
        dashboard.screen().contains("of 10000)"),
        "the filter is shown:\n{}",
        dashboard.screen()
    );
    let filter = row("a letter, 10,000 jobs", letters, "16 ms");
    println!(
        "\n{}",
        serde_json::json!({
            "bench": "dashboard", "nodes": scale.nodes, "jobs": scale.jobs, "frames": scale.frames,
            "events_per_second": 2000, "key_to_screen_p99_ms": key, "view_p99_ms": view, "filter_10000_p99_ms": filter,
        })
    );
}

/// Prints a line of the table; the 99th of a hundred is returned, in milliseconds.
fn row(name: &str, times: Vec<Duration>, promised: &str) -> f64 {
    let times = Times::new(times);
    println!(
        "{name:24} {:>7} ms {:>7} ms {:>7} ms   {promised}",
        times.at(50),
        times.at(99),
        times.at(100)
    );
    times.at(99)
}
