//! The time that no farm could beat.

use super::plan::{LOAD, Plan, START, UPLINK};

/// Seconds until all work could be done if it could be cut at will: each node works from when it could first
/// start (the scene has come over the shared uplink, fastest node first, Blender has started and loaded it) to
/// the end, or to when it left.
pub(super) fn bound(plan: &Plan, leaves: &[Option<f64>]) -> f64 {
    let mut nodes: Vec<(f64, Option<f64>)> = (0..plan.nodes).map(|n| (plan.speed(n), leaves[n])).collect();
    nodes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let transfer = plan.scene_bytes / UPLINK;
    let mut starts = Vec::new();
    let mut at = START + LOAD;
    for (speed, leave) in nodes {
        at += transfer;
        starts.push((at, speed, leave));
    }
    let work = plan.work();
    let done_by = |time: f64| -> f64 {
        let done = starts.iter().map(|(start, speed, leave)| {
            let end = leave.map_or(time, |leave| leave.min(time));
            (end - start).max(0.0) * speed
        });
        done.sum()
    };
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if done_by(middle) < work {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
