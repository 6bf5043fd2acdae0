//! What a run has shown, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Kind;

/// What a run has shown.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// Time from each fault's end until what it hit worked again.
    pub recoveries: BTreeMap<Kind, Vec<Duration>>,
    /// How often each kind was done.
    pub faults: BTreeMap<Kind, u32>,
    /// Kinds that this machine cannot do, and why.
    pub skipped: BTreeMap<Kind, &'static str>,
    /// Jobs and frames that were rendered.
    pub jobs: usize,
    /// Frames delivered.
    pub frames: usize,
    /// Facts read.
    pub facts: usize,
    /// Most memory that one of our processes was seen to hold, in bytes.
    pub most_memory: u64,
    /// Failed attempts that the farm made good.
    pub failed_attempts: usize,
    /// What must not be. Empty: all is well.
    pub violations: Vec<String>,
}

impl Report {
    /// Faults of all kinds.
    pub fn total(&self) -> u32 {
        self.faults.values().sum()
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<26}{:>6}{:>12}{:>12}",
            "fault", "count", "again p50", "again max"
        )?;
        for kind in Kind::ALL {
            if let Some(why) = self.skipped.get(&kind) {
                writeln!(f, "{kind:<26}{:>6}  skipped: {why}", "-")?;
                continue;
            }
            let count = self.faults.get(&kind).copied().unwrap_or(0);
            let mut times = self.recoveries.get(&kind).cloned().unwrap_or_default();
            let middle = median(&mut times).as_secs_f64();
            let longest = times.last().copied().unwrap_or_default().as_secs_f64();
            writeln!(f, "{kind:<26}{count:>6}{middle:>10.2} s{longest:>10.2} s")?;
        }
        writeln!(f, "{:<26}{:>6}", "all", self.total())?;
        writeln!(
            f,
            "{} jobs, {} frames delivered, {} failed attempts made good, {} facts, at most {} MB in one process, seed {}",
            self.jobs,
            self.frames,
            self.failed_attempts,
            self.facts,
            self.most_memory >> 20,
            self.seed
        )?;
        for violation in &self.violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        if self.violations.is_empty() {
            writeln!(
                f,
                "nothing lost, nothing doubled, nothing damaged, nothing left behind"
            )?;
        }
        Ok(())
    }
}
