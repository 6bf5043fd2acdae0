//! A run: a farm renders job after job, faults come and go, and at the end everything is judged.

use std::time::{Duration, Instant};

use super::report::Report;
use super::stage::Stage;

/// What to do to which farm.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Time in which faults happen.
    pub lasts: Duration,
    /// Time between the beginnings of two faults.
    pub every: Duration,
    /// What the faults and their lengths are drawn from.
    pub seed: u64,
    /// Agents, of one slot each.
    pub agents: usize,
    /// Frames of a job; there is always an unfinished one.
    pub frames: u32,
    /// What to break on purpose when all is done.
    pub sabotage: Option<Sabotage>,
}

/// One thing broken on purpose: the judgement must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A delivered picture is deleted.
    Lose,
    /// A frame is delivered twice.
    Double,
    /// A delivered picture gets other bytes.
    Corrupt,
    /// A Blender outlives its agent.
    Orphan,
}

impl std::str::FromStr for Sabotage {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "lose" => Ok(Self::Lose),
            "double" => Ok(Self::Double),
            "corrupt" => Ok(Self::Corrupt),
            "orphan" => Ok(Self::Orphan),
            _ => Err(format!("{word} is none of lose, double, corrupt, orphan")),
        }
    }
}

/// Runs a plan.
///
/// # Panics
/// When the machine cannot do it: a program is not built, or there is no Blender to make the scene with.
pub async fn run(plan: Plan) -> Report {
    let mut stage = Stage::set(&plan).await;
    let started = Instant::now();
    let mut dealt = started;
    while started.elapsed() < plan.lasts {
        stage.beat().await;
        if dealt.elapsed() >= plan.every {
            dealt = Instant::now();
            stage.deal();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.heal_all();
    stage.settle().await;
    stage.end(plan.sabotage)
}
