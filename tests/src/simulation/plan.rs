//! What is simulated.

use super::chance::Chance;

/// Blender's start, in seconds.
pub(super) const START: f64 = 3.0;
/// Loading a scene, in seconds.
pub(super) const LOAD: f64 = 10.0;
/// The orchestrator's uplink, in bytes a second.
pub(super) const UPLINK: f64 = 125e6;

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Nodes, of one Blender each, 1 to 16 times as fast as the slowest may be.
    pub nodes: usize,
    /// What is submitted.
    pub jobs: Vec<JobPlan>,
    /// Bytes of each scene.
    pub scene_bytes: f64,
    /// What goes wrong.
    pub faults: Faults,
}

/// A job.
#[derive(Debug, Clone, Copy)]
pub struct JobPlan {
    /// Frames 1 to this.
    pub frames: u32,
    /// When it is submitted, in seconds.
    pub at: f64,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Faults {
    /// Nothing.
    None,
    /// This share of the nodes leaves for good, at any time of the run.
    Loss(f64),
    /// Everything: crashes, joins, leaves, cut connections, lost and repeated messages, restarts of the
    /// orchestrator, frames and nodes that fail.
    All,
}

impl Plan {
    /// One job on nodes that are there from the start.
    pub fn new(seed: u64, nodes: usize, frames: u32) -> Self {
        Self {
            seed,
            nodes,
            jobs: vec![JobPlan { frames, at: 0.0 }],
            scene_bytes: 10e6,
            faults: Faults::None,
        }
    }

    /// How often faster than the slowest a node is: 1 to 16, evenly on a logarithmic scale.
    pub(super) fn speed(&self, node: usize) -> f64 {
        16_f64.powf(Chance::of(&[self.seed, 1, node as u64]).share())
    }

    /// Seconds that a frame takes on a node of speed 1: median 30, log-normal with sigma 0.5, and heavier in the
    /// middle of the animation.
    pub(super) fn seconds(&self, job: usize, frame: i32) -> f64 {
        let place = f64::from(frame) / f64::from(self.jobs[job].frames.max(1));
        let trend = 0.8 + 0.5 * (std::f64::consts::PI * place).sin();
        let mut chance = Chance::of(&[self.seed, 2, job as u64, u64::from(frame.unsigned_abs())]);
        30.0 * trend * (0.5 * chance.normal()).exp()
    }

    /// All frames together, in seconds of a node of speed 1.
    pub(super) fn work(&self) -> f64 {
        let jobs = self.jobs.iter().enumerate();
        let frames =
            jobs.flat_map(|(job, plan)| (1..=plan.frames.cast_signed()).map(move |frame| (job, frame)));
        frames.map(|(job, frame)| self.seconds(job, frame)).sum()
    }
}
