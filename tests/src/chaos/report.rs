//! What a run has shown, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Kind;
use super::memory::Memory;

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
    /// What our processes were seen to hold.
    pub memory: Memory,
    /// Time from an agent's last sign until the farm called it lost.
    pub noticed: Vec<Duration>,
    /// Time from there until another node was given a frame of what it had; long where no other had room.
    pub handed_on: Vec<Duration>,
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

/// Median and longest, in seconds.
fn middle_and_most(times: &[Duration]) -> (f64, f64) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    let most = times.last().copied().unwrap_or_default();
    (middle.as_secs_f64(), most.as_secs_f64())
}

fn write_times(f: &mut fmt::Formatter<'_>, what: &str, times: &[Duration]) -> fmt::Result {
    let (middle, most) = middle_and_most(times);
    writeln!(
        f,
        "{} {what} after {middle:.2} s, p50, and {most:.2} s at most",
        times.len()
    )
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
            let times = self.recoveries.get(&kind).map_or(&[][..], Vec::as_slice);
            let (middle, most) = middle_and_most(times);
            writeln!(f, "{kind:<26}{count:>6}{middle:>10.2} s{most:>10.2} s")?;
        }
        writeln!(f, "{:<26}{:>6}", "all", self.total())?;
        writeln!(
            f,
            "{} jobs, {} frames delivered, {} failed attempts made good, {} facts, seed {}",
            self.jobs, self.frames, self.failed_attempts, self.facts, self.seed
        )?;
        write_times(f, "agents noticed as lost", &self.noticed)?;
        write_times(f, "their frames given to others", &self.handed_on)?;
        writeln!(f, "{}", self.memory)?;
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
