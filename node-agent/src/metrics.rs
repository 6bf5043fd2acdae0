//! Counters of what this agent did since its start, in the text form that Prometheus reads.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use farmhand_protocol::agent::FinishedFrame;

/// Counts since the agent's start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    finished: AtomicU64,
    failed: AtomicU64,
    render_ms: AtomicU64,
    written_bytes: AtomicU64,
}

/// How things stand when someone asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) slots: u32,
    pub(crate) queued: usize,
    pub(crate) running: usize,
    pub(crate) engines: usize,
}

impl Metrics {
    pub(crate) fn finished(&self, frame: &FinishedFrame) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.render_ms.fetch_add(frame.render_ms, Ordering::Relaxed);
        let bytes = frame.files.iter().map(|file| file.size).sum();
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn text(&self, standing: Standing) -> String {
        let mut text = String::new();
        let mut line = |name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
            );
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = std::time::Duration::from_millis(count(&self.render_ms)).as_secs_f64();
        line(
            "farmhand_frames_finished_total",
            "counter",
            "Frames rendered.",
            &count(&self.finished),
        );
        line(
            "farmhand_frames_failed_total",
            "counter",
            "Attempts at frames that failed.",
            &count(&self.failed),
        );
        line(
            "farmhand_frame_render_seconds_total",
            "counter",
            "Time spent in finished frames.",
            &seconds,
        );
        line(
            "farmhand_frame_bytes_total",
            "counter",
            "Bytes of finished frames.",
            &count(&self.written_bytes),
        );
        line(
            "farmhand_slots",
            "gauge",
            "Blenders that may run at a time.",
            &standing.slots,
        );
        line(
            "farmhand_batches_queued",
            "gauge",
            "Batches that wait for a slot.",
            &standing.queued,
        );
        line(
            "farmhand_batches_running",
            "gauge",
            "Batches in slots.",
            &standing.running,
        );
        line(
            "farmhand_engines",
            "gauge",
            "Blenders of this node.",
            &standing.engines,
        );
        text
    }
}
