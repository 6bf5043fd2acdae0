//! A few figures for Prometheus, from the published views.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use farmhand_protocol::farm::{FrameCounts, NodeState};

use crate::board::Views;
use crate::front::Front;

pub(super) async fn show(State(front): State<Front>) -> impl IntoResponse {
    let text = write(&front.board().views(), front.uptime().as_secs_f64());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

fn write(views: &Views, uptime: f64) -> String {
    let mut jobs: BTreeMap<&str, u32> = BTreeMap::new();
    let mut frames = FrameCounts::default();
    for job in views.jobs.values() {
        *jobs.entry(job.state.word()).or_default() += 1;
        frames.pending += job.counts.pending;
        frames.leased += job.counts.leased;
        frames.rendering += job.counts.rendering;
        frames.delivered += job.counts.delivered;
        frames.failed += job.counts.failed;
        frames.cancelled += job.counts.cancelled;
    }
    let mut nodes: BTreeMap<&str, u32> = BTreeMap::new();
    for node in views.nodes.values() {
        *nodes.entry(word(node.state)).or_default() += 1;
    }
    let frames = [
        ("pending", frames.pending),
        ("leased", frames.leased),
        ("rendering", frames.rendering),
        ("delivered", frames.delivered),
        ("failed", frames.failed),
        ("cancelled", frames.cancelled),
    ];
    let mut text = String::new();
    gauges(&mut text, "jobs", "Listed jobs by state.", "state", jobs);
    gauges(
        &mut text,
        "frames",
        "Frames of listed jobs by state.",
        "state",
        frames,
    );
    gauges(&mut text, "nodes", "Nodes by state.", "state", nodes);
    let _infallible = writeln!(
        text,
        "# HELP farmhand_uptime_seconds Time since the orchestrator was started.\n\
         # TYPE farmhand_uptime_seconds gauge\nfarmhand_uptime_seconds {uptime:.0}"
    );
    text
}

fn gauges<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u32)>,
) {
    let _infallible = writeln!(
        text,
        "# HELP farmhand_{name} {help}\n# TYPE farmhand_{name} gauge"
    );
    for (state, value) in values {
        let _infallible = writeln!(text, "farmhand_{name}{{{label}=\"{state}\"}} {value}");
    }
}

fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Connecting => "connecting",
        NodeState::Idle => "idle",
        NodeState::Rendering => "rendering",
        NodeState::Draining => "draining",
        NodeState::Drained => "drained",
        NodeState::Unfit => "unfit",
        NodeState::Lost => "lost",
    }
}
