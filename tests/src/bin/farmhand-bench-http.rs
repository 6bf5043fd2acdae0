//! `make bench`: how long calls with the right token take while somebody at the same address guesses tokens, 1,000 a
//! second. It prints figures and judges nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use farmhand_tests::figures::Times;
use farmhand_tests::{Farm, FarmPlan, http};
use reqwest::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const TOKEN: &str = "correct-horse-battery-staple-0123456789";
const GUESS: &str = "not-the-token-not-the-token-not-the-token";

const SECONDS: u32 = 10;
const GUESSES_A_SECOND: u32 = 1000;
const CALLS_A_SECOND: u32 = 100;

/// How a call went.
struct Answered {
    status: Option<StatusCode>,
    took: Duration,
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).expect("a temporary folder can be written to");
    let farm = Farm::start(FarmPlan {
        more: vec!["--token-file".to_owned(), file.display().to_string()],
        ..FarmPlan::default()
    })
    .await;
    let url = format!("{}/v1/jobs", farm.address);
    println!(
        "{CALLS_A_SECOND} good calls a second of GET /v1/jobs for {SECONDS} s, alone and beside \
         {GUESSES_A_SECOND} wrong tokens a second\n"
    );
    println!("good calls                    p50        p99        most   answered");
    let alone = calls(&url, TOKEN, CALLS_A_SECOND).await;
    let (alone_half, alone_most) = row("alone", &alone);
    let (good, wrong) = tokio::join!(
        calls(&url, TOKEN, CALLS_A_SECOND),
        calls(&url, GUESS, GUESSES_A_SECOND)
    );
    let (half, most) = row("beside wrong tokens", &good);
    let wrong = by_status(&wrong);
    println!("\nwrong tokens: {}", words(&wrong));
    let wrong_with = |status: u16| wrong.get(&Some(status)).copied().unwrap_or_default();
    println!(
        "\n{}",
        serde_json::json!({
            "bench": "http", "seconds": SECONDS, "good_a_second": CALLS_A_SECOND,
            "wrong_a_second": GUESSES_A_SECOND, "alone_p50_ms": alone_half, "alone_p99_ms": alone_most,
            "good_p50_ms": half, "good_p99_ms": most,
            "good_200": by_status(&good).get(&Some(200)), "good_calls": good.len(),
            "wrong_401": wrong_with(401), "wrong_429": wrong_with(429),
        })
    );
}

/// Calls as often as this, whether or not earlier calls have been answered: a slow server gets no breath from us.
/// Each call's time runs from when it was due.
async fn calls(url: &str, token: &'static str, a_second: u32) -> Vec<Answered> {
    let client = http();
    let mut due = interval(Duration::from_secs(1) / a_second);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    for _ in 0..a_second * SECONDS {
        let due: Instant = due.tick().await.into();
        let request = client.get(url).bearer_auth(token);
        under_way.spawn(async move {
            let answer = request.send().await;
            let status = answer.as_ref().ok().map(reqwest::Response::status);
            if let Ok(answer) = answer {
                let _read_to_its_end = answer.bytes().await;
            }
            Answered {
                status,
                took: due.elapsed(),
            }
        });
    }
    under_way.join_all().await
}

/// How many calls got which answer; none where there was no answer.
fn by_status(calls: &[Answered]) -> BTreeMap<Option<u16>, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts
            .entry(call.status.map(|status| status.as_u16()))
            .or_default() += 1;
    }
    counts
}

fn words(counts: &BTreeMap<Option<u16>, usize>) -> String {
    let words = counts.iter().map(|(status, count)| match status {
        Some(status) => format!("{count} times {status}"),
        None => format!("{count} times nothing"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Prints a line of the table; returned are half and 99 of a hundred, in milliseconds.
fn row(name: &str, calls: &[Answered]) -> (f64, f64) {
    let times = Times::new(calls.iter().map(|call| call.took).collect());
    println!(
        "{name:24} {:>7} ms {:>7} ms {:>7} ms   {}",
        times.at(50),
        times.at(99),
        times.at(100),
        words(&by_status(calls))
    );
    (times.at(50), times.at(99))
}
