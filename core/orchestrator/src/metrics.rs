//! The farm's figures for Prometheus: what happened is counted as it becomes durable, how things stand is read
//! from the published views when someone asks.

use std::time::{Duration, Instant};

use farmhand_engine::{Fact, Farm, Stamped};
use farmhand_http::{CallFigures, Figures};
use farmhand_observe::Counted;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{FrameCounts, JobState, NodeState};
use jiff::Timestamp;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::board::Views;

/// States that a job can be in.
const JOB_STATES: [JobState; 6] = [
    JobState::Waiting,
    JobState::Running,
    JobState::Paused,
    JobState::Completed,
    JobState::Failed,
    JobState::Cancelled,
];

const FRAME_STATES: [&str; 6] = [
    "pending",
    "leased",
    "rendering",
    "delivered",
    "failed",
    "cancelled",
];

const NODE_STATES: [NodeState; 7] = [
    NodeState::Connecting,
    NodeState::Idle,
    NodeState::Rendering,
    NodeState::Draining,
    NodeState::Drained,
    NodeState::Unfit,
    NodeState::Lost,
];

/// Upper bounds in seconds for a job, from its submission to its end: 10 s to a week.
const JOB_SECONDS: [f64; 10] = [
    10.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 28_800.0, 86_400.0, 259_200.0, 604_800.0,
];

/// Upper bounds in seconds for a frame: a tenth of a second to ten hours.
const FRAME_SECONDS: [f64; 12] = [
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 36_000.0,
];

/// Upper bounds in seconds for writing a turn to the journal.
const COMMIT_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Which way bytes went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Files of scenes, to a node.
    ToNodes,
    /// Finished frames, from a node.
    FromNodes,
    /// Files of scenes, from whoever submits.
    FromClients,
    /// Pictures, to whoever looks.
    ToClients,
}

impl Way {
    const ALL: [&str; 4] = ["to_nodes", "from_nodes", "from_clients", "to_clients"];

    fn word(self) -> &'static str {
        Self::ALL[self as usize]
    }
}

/// All figures of an orchestrator.
pub(crate) struct Metrics {
    pub(crate) calls: CallFigures,
    figures: Figures,
    started: Instant,
    uptime: Gauge,
    jobs: IntGaugeVec,
    jobs_ended: IntCounterVec,
    job_seconds: Histogram,
    frames: IntGaugeVec,
    frames_settled: IntCounterVec,
    attempts_failed: IntCounter,
    frame_seconds: Histogram,
    pending_frames: IntGauge,
    queue_age: Gauge,
    nodes: IntGaugeVec,
    batches: IntCounterVec,
    transferred: IntCounterVec,
    notices: IntCounterVec,
    certificates: IntCounter,
    spans: IntCounterVec,
    commit_seconds: Histogram,
    facts: IntCounter,
}

impl Metrics {
    pub(crate) fn new(started: Instant) -> Self {
        let of = Figures::default();
        of.program(env!("CARGO_PKG_VERSION"));
        let ended = [JobState::Completed, JobState::Failed, JobState::Cancelled].map(JobState::word);
        Self {
            calls: CallFigures::new(&of),
            uptime: of.fraction(
                "farmhand_uptime_seconds",
                "Time since the orchestrator was started.",
            ),
            jobs: of.gauges(
                "farmhand_jobs",
                "Listed jobs by state.",
                "state",
                &JOB_STATES.map(JobState::word),
            ),
            jobs_ended: of.counters(
                "farmhand_jobs_total",
                "Jobs that ended, by how.",
                "status",
                &ended,
            ),
            job_seconds: of.histogram(
                "farmhand_job_duration_seconds",
                "Time from a job's submission to its end.",
                &JOB_SECONDS,
            ),
            frames: of.gauges(
                "farmhand_frames",
                "Frames of listed jobs by state.",
                "state",
                &FRAME_STATES,
            ),
            frames_settled: of.counters(
                "farmhand_frames_total",
                "Frames that were delivered, failed for good, or cancelled.",
                "state",
                &["delivered", "failed", "cancelled"],
            ),
            attempts_failed: of.counter(
                "farmhand_frame_attempts_failed_total",
                "Attempts at frames that failed.",
            ),
            frame_seconds: of.histogram(
                "farmhand_frame_render_seconds",
                "Time that delivered frames took on their nodes.",
                &FRAME_SECONDS,
            ),
            pending_frames: of.gauge(
                "farmhand_pending_frames",
                "Frames that wait for a node, held jobs left out.",
            ),
            queue_age: of.fraction(
                "farmhand_queue_age_seconds",
                "Age of the oldest job with frames that wait for a node; 0 without one.",
            ),
            nodes: of.gauges(
                "farmhand_nodes",
                "Nodes by state.",
                "state",
                &NODE_STATES.map(NodeState::word),
            ),
            batches: of.counters(
                "farmhand_batches_total",
                "Batches by what became of them.",
                "event",
                &["assigned", "ended", "lost"],
            ),
            transferred: of.counters(
                "farmhand_transfer_bytes_total",
                "Bytes of scenes and pictures that travelled, by direction.",
                "direction",
                &Way::ALL,
            ),
            notices: of.counters(
                "farmhand_notices_total",
                "Notices to webhooks and commands, by what became of them.",
                "result",
                &["sent", "failed", "dropped"],
            ),
            certificates: of.counter(
                "farmhand_certificates_issued_total",
                "Certificates that nodes were given.",
            ),
            spans: of.counters(
                "farmhand_spans_total",
                "Spans of traces, by what became of them.",
                "result",
                &Counted::ALL,
            ),
            commit_seconds: of.histogram(
                "farmhand_journal_commit_seconds",
                "Time to make a turn durable.",
                &COMMIT_SECONDS,
            ),
            facts: of.counter("farmhand_journal_facts_total", "Facts that were made durable."),
            figures: of,
            started,
        }
    }

    /// These facts are durable, and these jobs have ended with them.
    pub(crate) fn happened<'a>(
        &self,
        farm: &Farm,
        facts: &[Stamped],
        ended: impl IntoIterator<Item = &'a JobId>,
    ) {
        let settled = |state: &str, frames: u32| {
            self.frames_settled
                .with_label_values(&[state])
                .inc_by(frames.into());
        };
        let batch = |event: &str| self.batches.with_label_values(&[event]).inc();
        for stamped in facts {
            match &stamped.fact {
                Fact::FrameDelivered { render_ms, .. } => {
                    settled("delivered", 1);
                    self.frame_seconds
                        .observe(Duration::from_millis(*render_ms).as_secs_f64());
                }
                Fact::AttemptFailed { last, .. } => {
                    self.attempts_failed.inc();
                    settled("failed", u32::from(*last));
                }
                Fact::FramesFailed { frames, .. } => settled("failed", frames.len()),
                Fact::FramesCancelled { frames, .. } => settled("cancelled", frames.len()),
                Fact::BatchAssigned { .. } => batch("assigned"),
                Fact::BatchEnded { .. } => batch("ended"),
                Fact::BatchLost { .. } => batch("lost"),
                _ => {}
            }
        }
        for job in ended.into_iter().filter_map(|id| farm.job(*id)) {
            self.jobs_ended.with_label_values(&[job.state().word()]).inc();
            if let Some(ended) = job.ended {
                self.job_seconds.observe(seconds(job.submitted, ended));
            }
        }
    }

    /// A turn of so many facts was made durable.
    pub(crate) fn committed(&self, facts: usize, took: Duration) {
        self.facts.inc_by(facts as u64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A notice was sent, has failed, or was dropped.
    pub(crate) fn notice(&self, result: &str) {
        self.notices.with_label_values(&[result]).inc();
    }

    /// A node was given a certificate.
    pub(crate) fn certificate_issued(&self) {
        self.certificates.inc();
    }

    /// That became of so many spans.
    pub(crate) fn spans(&self, what: Counted, number: u64) {
        self.spans.with_label_values(&[what.word()]).inc_by(number);
    }

    /// Bytes have travelled.
    pub(crate) fn travelled(&self, way: Way, bytes: u64) {
        self.transferred.with_label_values(&[way.word()]).inc_by(bytes);
    }

    /// Everything as it stands, as a response.
    pub(crate) fn respond(&self, views: &Views) -> axum::response::Response {
        self.stand(views, Timestamp::now());
        self.figures.respond()
    }

    fn stand(&self, views: &Views, now: Timestamp) {
        self.uptime.set(self.started.elapsed().as_secs_f64());
        let jobs = |state| views.jobs.values().filter(|job| job.state == state).count();
        for state in JOB_STATES {
            set(&self.jobs, state.word(), jobs(state));
        }
        let mut frames = FrameCounts::default();
        let (mut pending, mut queue_age) = (0, 0.0_f64);
        for job in views.jobs.values() {
            frames.pending += job.counts.pending;
            frames.leased += job.counts.leased;
            frames.rendering += job.counts.rendering;
            frames.delivered += job.counts.delivered;
            frames.failed += job.counts.failed;
            frames.cancelled += job.counts.cancelled;
            if job.counts.pending > 0 && job.state != JobState::Paused {
                pending += i64::from(job.counts.pending);
                queue_age = queue_age.max(seconds(job.submitted, now));
            }
        }
        let counts = [
            frames.pending,
            frames.leased,
            frames.rendering,
            frames.delivered,
            frames.failed,
            frames.cancelled,
        ];
        for (state, count) in FRAME_STATES.iter().zip(counts) {
            self.frames.with_label_values(&[state]).set(count.into());
        }
        self.pending_frames.set(pending);
        self.queue_age.set(queue_age);
        let nodes = |state| views.nodes.values().filter(|node| node.state == state).count();
        for state in NODE_STATES {
            set(&self.nodes, state.word(), nodes(state));
        }
    }
}

fn set(gauges: &IntGaugeVec, label: &str, count: usize) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    gauges.with_label_values(&[label]).set(count);
}

/// Between two clock readings; 0 where the clock was set back.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
