//! How long frames take: learnt from what was measured, separately for a job (with its trend along the
//! animation) and for nodes, so that a node's speed is known before its first frame of a new job.
//!
//! Everything is a mean of logarithms of seconds: one frame that took ten times as long moves it little.

use std::collections::BTreeMap;

use farmhand_protocol::NodeId;

/// A job's frames are looked at in so many stretches of neighbouring frames.
const STRETCHES: usize = 64;
/// No measurement counts for more than this factor (as a logarithm) beside what was expected: 8 times.
const OUTLIER: f64 = 2.1;
/// What a first frame costs more is taken for so many seconds while nothing was measured.
const FIRST_UNKNOWN: f64 = 10.0;

/// A mean in which newer values weigh more once `memory` values were seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Mean {
    weight: f64,
    value: f64,
}

impl Mean {
    fn add(&mut self, value: f64, memory: f64) {
        self.weight = (self.weight + 1.0).min(memory);
        self.value += (value - self.value) / self.weight;
    }

    fn is_known(&self) -> bool {
        self.weight > 0.0
    }
}

/// How fast nodes are beside each other, whatever they render. Logarithms; 0 is the first node's speed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Speeds {
    of: BTreeMap<NodeId, Mean>,
    all: Mean,
}

impl Speeds {
    /// The logarithm of a node's speed; of one that was never measured, what is usual here.
    fn of(&self, node: NodeId) -> f64 {
        self.of.get(&node).map_or(self.all.value, |speed| speed.value)
    }

    /// How often faster a node is than the one that was measured first.
    pub(crate) fn factor(&self, node: NodeId) -> f64 {
        self.of(node).exp()
    }
}

/// What was measured of a job. Forgotten at a restart: it is learnt again in a few frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Pace {
    /// Of a node of speed 1.
    base: Mean,
    near: Vec<Mean>,
    /// First frames, which pay for what the others find ready.
    first: Mean,
    /// Mean square of what expectations were off by.
    spread: Mean,
    nodes: BTreeMap<NodeId, NodePace>,
    frames: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct NodePace {
    frames: u32,
    /// What this job takes more or less here than the node's speed says.
    off: Mean,
}

impl Pace {
    /// A frame was rendered. `place` is where it lies in its job, 0 to 1; `slots` first frames are a node's
    /// first ones, one for each Blender.
    pub(crate) fn learn(&mut self, speeds: &mut Speeds, node: NodeId, slots: u32, place: f64, seconds: f64) {
        let measured = seconds.max(0.001).ln();
        let is_first = {
            let here = self.nodes.entry(node).or_default();
            here.frames += 1;
            here.frames <= slots
        };
        self.frames += 1;
        if is_first {
            self.first.add(measured + speeds.of(node), 50.0);
            return;
        }
        if self.near.is_empty() {
            self.near = vec![Mean::default(); STRETCHES];
        }
        // Where no neighbour was measured yet, a difference is as likely the animation's as the node's.
        if self.near[stretch(place)].is_known() {
            let seen = self.base_at(place) - measured;
            let speed = speeds.of.entry(node).or_default();
            let before = speed.is_known().then_some(speed.value);
            let seen = before.map_or(seen, |before| seen.clamp(before - OUTLIER, before + OUTLIER));
            speed.add(seen, 40.0);
            speeds.all.add(seen, 200.0);
            let off = speed.value - seen;
            self.spread.add(off * off, 200.0);
            if let Some(here) = self.nodes.get_mut(&node) {
                here.off.add(off, 20.0);
            }
        } else {
            let usual = speeds.all.value;
            let speed = speeds.of.entry(node).or_default();
            if !speed.is_known() {
                speed.add(usual, 40.0);
            }
        }
        let at_speed_1 = measured + speeds.of(node);
        let before = if self.base.is_known() {
            self.base_at(place)
        } else {
            at_speed_1
        };
        let at_speed_1 = at_speed_1.clamp(before - OUTLIER, before + OUTLIER);
        self.base.add(at_speed_1, 400.0);
        self.near[stretch(place)].add(at_speed_1, 30.0);
    }

    /// Whether a frame of the job was rendered there.
    pub(crate) fn was_on(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    /// A frame was rendered there; how long it took is known once it is home.
    pub(crate) fn succeeded_on(&mut self, node: NodeId) {
        self.nodes.entry(node).or_default();
    }

    /// Seconds that a frame takes on a node whose Blender has the scene loaded; nothing before the first one.
    pub(crate) fn seconds(&self, speeds: &Speeds, node: NodeId, place: f64) -> Option<f64> {
        if !self.base.is_known() {
            return self
                .first
                .is_known()
                .then(|| (self.first.value - speeds.of(node)).exp());
        }
        let off = self.nodes.get(&node).map_or(0.0, |here| {
            here.off.value * here.off.weight / (here.off.weight + 6.0)
        });
        let usual = self.base_at(place) - speeds.of(node) + off;
        Some((usual + self.spread.value / 2.0).exp())
    }

    /// Seconds that the first frame on a node takes more than others.
    pub(crate) fn first_extra(&self, seconds: f64) -> f64 {
        if self.first.is_known() && self.base.is_known() {
            let factor = (self.first.value - self.base.value).exp();
            return (seconds * (factor - 1.0)).clamp(0.0, 60.0) + FIRST_UNKNOWN / 2.0;
        }
        FIRST_UNKNOWN
    }

    /// Mean seconds of a frame on a node of speed 1, around this place.
    pub(crate) fn usual(&self, place: f64) -> Option<f64> {
        let known = self.base.is_known();
        known.then(|| (self.base_at(place) + self.spread.value / 2.0).exp())
    }

    /// By how much one frame differs from what is expected, as a logarithm.
    pub(crate) fn spread(&self) -> f64 {
        self.spread.value.sqrt()
    }

    /// Frames that were measured.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// The stretch of a frame weighs most, then its neighbours, then the whole job.
    fn base_at(&self, place: f64) -> f64 {
        let at = stretch(place);
        let weighed = |n: usize, factor: f64| {
            let mean = self.near.get(n).copied().unwrap_or_default();
            (mean.weight * factor, mean.value)
        };
        let near = [
            (0.5, self.base.value),
            weighed(at, 1.0),
            weighed(at.wrapping_sub(1), 0.5),
            weighed(at + 1, 0.5),
            weighed(at.wrapping_sub(2), 0.2),
            weighed(at + 2, 0.2),
        ];
        let weight: f64 = near.iter().map(|(weight, _)| weight).sum();
        near.iter().map(|(weight, value)| weight * value).sum::<f64>() / weight
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place is 0 to 1"
)]
fn stretch(place: f64) -> usize {
    ((place * 64.0) as usize).min(STRETCHES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u128) -> NodeId {
        NodeId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_nodes_speed_is_known_before_its_first_frame_of_another_job() {
        let (mut speeds, mut old, mut new) = (Speeds::default(), Pace::default(), Pace::default());
        for _ in 0..20 {
            old.learn(&mut speeds, node(1), 1, 0.5, 8.0);
            old.learn(&mut speeds, node(2), 1, 0.5, 2.0);
        }
        for _ in 0..5 {
            new.learn(&mut speeds, node(1), 1, 0.5, 40.0);
        }
        let there = new.seconds(&speeds, node(2), 0.5).unwrap();
        assert!((9.0..11.0).contains(&there), "{there}");
    }

    #[test]
    fn one_wild_frame_moves_an_estimate_little_and_a_first_frame_not_at_all() {
        let (mut speeds, mut pace) = (Speeds::default(), Pace::default());
        pace.learn(&mut speeds, node(1), 1, 0.5, 300.0);
        for _ in 0..20 {
            pace.learn(&mut speeds, node(1), 1, 0.5, 10.0);
        }
        pace.learn(&mut speeds, node(1), 1, 0.5, 10_000.0);
        let seconds = pace.seconds(&speeds, node(1), 0.5).unwrap();
        assert!((9.0..15.0).contains(&seconds), "{seconds}");
        assert!(pace.first_extra(seconds) > 50.0);
    }

    #[test]
    fn neighbouring_frames_weigh_more() {
        let (mut speeds, mut pace) = (Speeds::default(), Pace::default());
        for n in 0..200 {
            let at = f64::from(n) / 200.0;
            pace.learn(&mut speeds, node(1), 1, at, 10.0 + 20.0 * at);
        }
        let (early, late) = (
            pace.seconds(&speeds, node(1), 0.05),
            pace.seconds(&speeds, node(1), 0.95),
        );
        assert!(late.unwrap() > 2.0 * early.unwrap(), "{early:?} {late:?}");
    }
}
