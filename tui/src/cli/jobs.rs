//! `jobs`, `job`: how work stands.

use std::fmt::Write;
use std::time::Duration;

use color_eyre::eyre::Result;
use farmhand_client::FarmClient;
use farmhand_protocol::JobId;
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{AttemptView, BatchView, FrameView, JobDetail, JobView};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::print;
use crate::words;

pub(crate) async fn list(farm: &FarmClient, as_json: bool) -> Result<()> {
    let mut jobs = farm.jobs().await?;
    jobs.sort_by_key(order);
    if as_json {
        return Ok(print::json(&jobs)?);
    }
    if jobs.is_empty() {
        return Ok(print::text("no jobs; submit one: farmhand submit SCENE.blend\n")?);
    }
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    let titles = [
        "ID", "NAME", "STATE", "DONE", "FAILED", "PRIO", "ETA", "USER", "REASON",
    ];
    Ok(print::text(&print::table(&titles, &[3, 4, 5, 6], &rows))?)
}

/// What runs first, then what waits, then what ended, newest first.
fn order(job: &JobView) -> (bool, i32, std::cmp::Reverse<u64>) {
    let ended = job.state.has_ended();
    let priority = if ended { 0 } else { -job.priority };
    (ended, priority, std::cmp::Reverse(job.id.0))
}

fn row(job: &JobView) -> Vec<String> {
    let eta = job.eta_ms.filter(|_| !job.state.has_ended());
    vec![
        job.id.to_string(),
        job.name.clone(),
        job.state.word().to_owned(),
        format!("{}/{}", job.counts.delivered, job.counts.total()),
        job.counts.failed.to_string(),
        job.priority.to_string(),
        eta.map_or_else(|| "-".to_owned(), |ms| words::duration(Duration::from_millis(ms))),
        job.user.clone(),
        job.reason.clone().unwrap_or_default(),
    ]
}

pub(crate) async fn show(farm: &FarmClient, id: JobId, as_json: bool) -> Result<()> {
    let detail = farm.job(id).await?;
    if as_json {
        return Ok(print::json(&detail)?);
    }
    Ok(print::text(&describe(&detail))?)
}

/// A job in full, in words.
pub(crate) fn describe(detail: &JobDetail) -> String {
    let job = &detail.job;
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _writing_to_a_string_succeeds = writeln!(text, "{label:<10}{value}");
    };
    line("job", &format!("{}  {}", job.id, job.name));
    line("state", job.state.word());
    if let Some(reason) = &job.reason {
        line("reason", reason);
    }
    line("frames", &format!("{} ({})", job.frames, counts(job)));
    if !job.skipped.is_empty() {
        line("skipped", &format!("{} (their pictures were there)", job.skipped));
    }
    line("output", &job.output);
    if let Some(film) = &job.film {
        line("film", &words::film(film));
    }
    line("priority", &job.priority.to_string());
    if !job.user.is_empty() {
        line("user", &job.user);
    }
    if let Some(blender) = job.blender {
        line("blender", &blender.to_string());
    }
    line("scene", &job.scene.short());
    line("submitted", &local(job.submitted));
    if let (Some(started), Some(ended)) = (job.started, job.ended) {
        let took = ended.duration_since(started).unsigned_abs();
        line(
            "ended",
            &format!("{} after {}", local(ended), words::duration(took)),
        );
    } else if let Some(eta) = job.eta_ms.filter(|_| !job.state.has_ended()) {
        let words = |ms| words::duration(Duration::from_millis(ms));
        let range = job.eta_early_ms.zip(job.eta_late_ms);
        let range = range.map(|(early, late)| format!(" ({} to {})", words(early), words(late)));
        line("eta", &format!("{}{}", words(eta), range.unwrap_or_default()));
    }
    if let Some(mean) = job.mean_frame_ms {
        line("per frame", &words::seconds(mean));
    }
    if let Some(all) = job.node_ms {
        line("node time", &words::duration(Duration::from_millis(all)));
    }
    if let Some(before) = job.after {
        line("after", &before.to_string());
    }
    if let Some(most) = job.max_nodes {
        line("nodes", &format!("{most} at a time"));
    }
    describe_batches(&mut text, &detail.batches);
    describe_attempts(&mut text, &detail.attempts);
    text
}

fn describe_batches(text: &mut String, batches: &[BatchView]) {
    const SHOWN: usize = 12;
    if batches.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = batches.iter().take(SHOWN).map(batch_row).collect();
    text.push('\n');
    text.push_str(&print::table(
        &["BATCH", "NODE", "STATE", "FRAMES", "DONE", "FAILED"],
        &[4, 5],
        &rows,
    ));
    if batches.len() > SHOWN {
        let _writing_to_a_string_succeeds = writeln!(text, "and {} older batches", batches.len() - SHOWN);
    }
}

fn batch_row(batch: &BatchView) -> Vec<String> {
    vec![
        batch.id.to_string(),
        batch.node_name.clone(),
        words::batch_state(batch.state).to_owned(),
        batch.frames.to_string(),
        format!("{}/{}", batch.delivered.len(), batch.frames.len()),
        batch.failed.len().to_string(),
    ]
}

fn describe_attempts(text: &mut String, attempts: &[AttemptView]) {
    const SHOWN: usize = 10;
    let Some(newest) = attempts.first() else {
        return;
    };
    let mut line = |value: String| {
        text.push_str(&value);
        text.push('\n');
    };
    line("\nfailed attempts, newest first".to_owned());
    for attempt in attempts.iter().take(SHOWN) {
        line(format!(
            "  {}  frame {} on {} ({}): {}",
            local(attempt.at),
            attempt.frame,
            attempt.node_name,
            attempt.batch,
            attempt.failure.message
        ));
    }
    if attempts.len() > SHOWN {
        line(format!("  and {} more", attempts.len() - SHOWN));
    }
    if !newest.failure.log.is_empty() {
        line(format!(
            "\nthe log's end (frame {} on {})",
            newest.frame, newest.node_name
        ));
        for logged in &newest.failure.log {
            line(format!("  {}", printable(logged)));
        }
    }
}

/// Log lines come from scenes: what steers a terminal is not passed on.
pub(crate) fn printable(line: &str) -> String {
    line.chars()
        .map(|letter| {
            if letter.is_control() && letter != '\t' {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// Its frames by state, in words.
pub(crate) fn counts(job: &JobView) -> String {
    let counts = &job.counts;
    [
        (counts.delivered, "delivered"),
        (counts.rendering, "rendering"),
        (counts.leased, "on nodes"),
        (counts.pending, "waiting"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect::<Vec<_>>()
    .join(", ")
}

/// Every frame of a job, a line for each of its files.
pub(crate) async fn frames(farm: &FarmClient, id: JobId, as_json: bool) -> Result<()> {
    let mut frames: Vec<FrameView> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = farm.frames_page(id, cursor.as_deref()).await?;
        frames.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if as_json {
        return Ok(print::json(&frames)?);
    }
    let rows: Vec<Vec<String>> = frames.iter().flat_map(frame_rows).collect();
    let titles = ["FRAME", "STATE", "BYTES", "PROOF", "HASH", "FILE"];
    Ok(print::text(&print::table(&titles, &[0, 2], &rows))?)
}

fn frame_rows(frame: &FrameView) -> Vec<Vec<String>> {
    let state = serde_json::to_value(frame.state).unwrap_or_default();
    let state = state.as_str().unwrap_or_default().to_owned();
    if frame.files.is_empty() {
        let message = frame
            .failure
            .as_ref()
            .map(|failure| words::one_line(&failure.message));
        let dash = || "-".to_owned();
        let row = [
            frame.frame.to_string(),
            state,
            dash(),
            dash(),
            dash(),
            message.unwrap_or_default(),
        ];
        return vec![row.into()];
    }
    let row = |file: &FrameFile| {
        vec![
            frame.frame.to_string(),
            state.clone(),
            file.size.to_string(),
            file.proof.word().to_owned(),
            file.hash.to_string(),
            words::one_line(file.path.as_str()),
        ]
    };
    frame.files.iter().map(row).collect()
}

fn local(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}
