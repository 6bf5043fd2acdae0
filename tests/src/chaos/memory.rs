//! Whether the farm's programs hold more memory the longer they run.

use std::fmt;
use std::time::Duration;

/// A program of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Agent,
    Orchestrator,
}

/// What the farm's programs were seen to hold.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    samples: Vec<(Duration, Role, u64)>,
}

/// More than this share of what they held early is growth; so few bytes more are not.
const MOST_GROWTH: f64 = 1.25;
const NO_GROWTH: u64 = 8 << 20;

impl Memory {
    /// A program held so many bytes so long after the start.
    pub(super) fn note(&mut self, after: Duration, role: Role, bytes: u64) {
        self.samples.push((after, role, bytes));
    }

    /// Most that one process was seen to hold, in bytes.
    pub fn most(&self) -> u64 {
        self.samples.iter().map(|(_, _, bytes)| *bytes).max().unwrap_or(0)
    }

    /// Medians, in bytes, of the second quarter of the time (the first is warming up) and of the last.
    fn early_and_late(&self, role: Role) -> Option<(u64, u64)> {
        let end = self.samples.iter().map(|(after, ..)| *after).max()?;
        let between = |from: u32, to: u32| {
            let seen = self.samples.iter();
            let seen = seen
                .filter(|(after, of, _)| *of == role && *after * 4 >= end * from && *after * 4 <= end * to);
            let mut bytes: Vec<u64> = seen.map(|(_, _, bytes)| *bytes).collect();
            bytes.sort_unstable();
            bytes.get(bytes.len() / 2).copied()
        };
        Some((between(1, 2)?, between(3, 4)?))
    }

    /// What has grown, a sentence each.
    pub(super) fn grown(&self) -> Vec<String> {
        let roles = [
            (Role::Agent, "an agent"),
            (Role::Orchestrator, "the orchestrator"),
        ];
        let grown = roles.into_iter().filter_map(|(role, name)| {
            let (early, late) = self.early_and_late(role)?;
            #[expect(clippy::cast_precision_loss, reason = "no process holds so much")]
            let too_much = late as f64 > early as f64 * MOST_GROWTH && late > early + NO_GROWTH;
            too_much.then(|| format!("{name} grows: {} MB early, {} MB late", early >> 20, late >> 20))
        });
        grown.collect()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agent, agent_late) = self.early_and_late(Role::Agent).unwrap_or_default();
        let (own, own_late) = self.early_and_late(Role::Orchestrator).unwrap_or_default();
        write!(
            f,
            "memory, early and late: agent {} and {} MB, orchestrator {} and {} MB, at most {} MB in one process",
            agent >> 20,
            agent_late >> 20,
            own >> 20,
            own_late >> 20,
            self.most() >> 20
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bytes: impl Fn(u64) -> u64) -> Memory {
        let mut memory = Memory::default();
        for second in 0..400 {
            memory.note(Duration::from_secs(second), Role::Agent, 30 << 20);
            memory.note(Duration::from_secs(second), Role::Orchestrator, bytes(second));
        }
        memory
    }

    #[test]
    fn a_program_that_holds_ever_more_is_named() {
        let memory = held(|second| (40 << 20) + second * (100 << 10));
        assert_eq!(
            memory.grown(),
            ["the orchestrator grows: 54 MB early, 74 MB late"]
        );
    }

    #[test]
    fn warming_up_and_swinging_are_no_growth() {
        let memory = held(|second| {
            if second < 90 {
                10 << 20
            } else {
                (40 + second % 7) << 20
            }
        });
        assert!(memory.grown().is_empty());
    }
}
