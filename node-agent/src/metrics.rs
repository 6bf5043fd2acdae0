//! What this agent did since its start and how it stands, as figures for Prometheus.

use std::time::Duration;

use axum::response::Response;
use farmhand_http::{CallFigures, Figures};
use farmhand_observe::Counted;
use farmhand_protocol::agent::FinishedFrame;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Upper bounds in seconds for a frame: a tenth of a second to ten hours.
const FRAME_SECONDS: [f64; 12] = [
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 36_000.0,
];

/// Which way bytes went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Files of scenes, to this node.
    In,
    /// Finished frames and files of scenes, from this node.
    Out,
}

impl Way {
    const ALL: [&str; 2] = ["in", "out"];
}

/// How things stand when someone asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) slots: u32,
    pub(crate) queued: usize,
    pub(crate) running: usize,
    pub(crate) engines: usize,
    pub(crate) disk_free_bytes: u64,
}

/// All figures of an agent.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) calls: CallFigures,
    figures: Figures,
    frames: IntCounterVec,
    frame_seconds: Histogram,
    frame_bytes: IntCounter,
    blender_starts: IntCounter,
    scene_loads: IntCounter,
    warm_frames: IntCounter,
    transferred: IntCounterVec,
    spans: IntCounterVec,
    slots: IntGauge,
    batches: IntGaugeVec,
    engines: IntGauge,
    disk_free: IntGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let of = Figures::default();
        of.program(env!("CARGO_PKG_VERSION"));
        Self {
            calls: CallFigures::new(&of),
            frames: of.counters(
                "farmhand_agent_frames_total",
                "Attempts at frames on this node, by how they ended.",
                "result",
                &["finished", "failed"],
            ),
            frame_seconds: of.histogram(
                "farmhand_agent_frame_render_seconds",
                "Time that finished frames took.",
                &FRAME_SECONDS,
            ),
            frame_bytes: of.counter("farmhand_agent_frame_bytes_total", "Bytes of finished frames."),
            blender_starts: of.counter(
                "farmhand_agent_blender_starts_total",
                "Blenders started for frames.",
            ),
            scene_loads: of.counter(
                "farmhand_agent_scene_loads_total",
                "Scenes that were loaded into a Blender.",
            ),
            warm_frames: of.counter(
                "farmhand_agent_warm_frames_total",
                "Frames that began in a Blender which had their scene already.",
            ),
            transferred: of.counters(
                "farmhand_agent_transfer_bytes_total",
                "Bytes of scenes and frames that travelled, as this node sees it.",
                "direction",
                &Way::ALL,
            ),
            spans: of.counters(
                "farmhand_agent_spans_total",
                "Spans of traces, by what became of them.",
                "result",
                &Counted::ALL,
            ),
            slots: of.gauge("farmhand_agent_slots", "Blenders that may run at a time."),
            batches: of.gauges(
                "farmhand_agent_batches",
                "Batches that wait for a slot, and that are in one.",
                "phase",
                &["queued", "running"],
            ),
            engines: of.gauge("farmhand_agent_engines", "Blenders that this node can use."),
            disk_free: of.gauge(
                "farmhand_agent_disk_free_bytes",
                "Free space where this node keeps its data.",
            ),
            figures: of,
        }
    }
}

impl Metrics {
    pub(crate) fn finished(&self, frame: &FinishedFrame) {
        self.frames.with_label_values(&["finished"]).inc();
        self.frame_seconds
            .observe(Duration::from_millis(frame.render_ms).as_secs_f64());
        self.frame_bytes
            .inc_by(frame.files.iter().map(|file| file.size).sum());
    }

    pub(crate) fn failed(&self) {
        self.frames.with_label_values(&["failed"]).inc();
    }

    pub(crate) fn blender_started(&self) {
        self.blender_starts.inc();
    }

    pub(crate) fn scene_loaded(&self) {
        self.scene_loads.inc();
    }

    /// A frame began; `warm`: in a Blender that had its scene.
    pub(crate) fn frame_began(&self, warm: bool) {
        self.warm_frames.inc_by(u64::from(warm));
    }

    /// Bytes have travelled.
    pub(crate) fn travelled(&self, way: Way, bytes: u64) {
        let direction = Way::ALL[way as usize];
        self.transferred.with_label_values(&[direction]).inc_by(bytes);
    }

    /// What is to be told what becomes of spans.
    pub(crate) fn count_spans(&self) -> impl Fn(Counted, u64) + Send + Sync + use<> {
        let spans = self.spans.clone();
        move |what, number| {
            spans.with_label_values(&[what.word()]).inc_by(number);
        }
    }

    /// Everything as it stands, as a response.
    pub(crate) fn respond(&self, standing: Standing) -> Response {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.slots.set(standing.slots.into());
        self.engines.set(count(standing.engines));
        let batches = |phase: &str| self.batches.with_label_values(&[phase]);
        batches("queued").set(count(standing.queued));
        batches("running").set(count(standing.running));
        self.disk_free
            .set(i64::try_from(standing.disk_free_bytes).unwrap_or(i64::MAX));
        self.figures.respond()
    }
}
