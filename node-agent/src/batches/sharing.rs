//! How many Blenders share the machine while they render one look, learnt from what its frames take. It is told and
//! answers; it must not know batches, files, or a clock.
//!
//! One Blender on all threads is measured first, then twice as many on half as many threads each, as long as they
//! render more frames in the same time.

use std::fmt;
use std::time::Duration;

use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::StartBatch;
use serde::{Deserialize, Serialize};

use crate::config::Slots;

/// Most Blenders that are tried.
const MOST_BLENDERS: u32 = 8;
/// So many frames of each Blender are measured before their number is judged.
const FRAMES_EACH: u32 = 3;
/// More Blenders must render so many times as much: they take memory, and a job's last frames take longer.
const WORTH_IT: f64 = 1.1;
/// Most looks that are remembered.
const MOST_LOOKS: usize = 300;

/// What a Blender renders: a scene with its settings. What takes long in one batch of it does in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Look(BlobHash);

impl Look {
    /// Batches of one look are rendered by a Blender that has loaded the same.
    pub(crate) fn of(request: &StartBatch) -> Self {
        let parts = (request.scene, &request.settings, request.blender);
        let json = serde_json::to_vec(&parts).expect("a scene's name and settings are plain data");
        Self(BlobHash::of(&json))
    }
}

/// What all Blenders have together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Threads, at least 1.
    pub(crate) threads: u32,
    /// Memory, in bytes.
    pub(crate) memory_bytes: u64,
    /// What each may take where that does not depend on how many there are, in bytes.
    pub(crate) memory_of_each: Option<u64>,
}

/// What one of some Blenders has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Threads, at least 1.
    pub(crate) threads: u32,
    /// Memory, in bytes.
    pub(crate) memory_bytes: u64,
}

impl Machine {
    /// Most Blenders that are worth a try, where each has needed so much memory, in bytes. An eighth of its share stays
    /// free: it is ended where it needs more than that share.
    fn most(&self, needed: u64) -> u32 {
        let all = self.memory_bytes - self.memory_bytes / 8;
        let fits = |blenders: u32| {
            blenders <= self.threads.min(MOST_BLENDERS) && needed.saturating_mul(u64::from(blenders)) <= all
        };
        let mut most = 1;
        while fits(most * 2) {
            most *= 2;
        }
        most
    }

    /// What each has: of the threads one of so many shares, of the memory one of so many.
    fn share(&self, of_threads: u32, of_memory: u32) -> Share {
        Share {
            threads: (self.threads / of_threads.max(1)).max(1),
            memory_bytes: self
                .memory_of_each
                .unwrap_or(self.memory_bytes / u64::from(of_memory.max(1))),
        }
    }
}

/// How the machine is shared, look by look.
#[derive(Debug)]
pub(crate) struct Sharing {
    slots: Slots,
    machine: Machine,
    /// The longest known first.
    looks: Vec<(Look, Known)>,
}

#[derive(Debug)]
struct Known {
    /// So many render it at a time.
    blenders: u32,
    /// Most memory that one has needed, in bytes.
    memory_bytes: u64,
    /// What was measured, in the order in which it was.
    rates: Vec<Rate>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Seconds of frames among so many Blenders.
    Measuring(Vec<f64>),
    Settled,
}

/// How fast some Blenders are together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Rate {
    blenders: u32,
    frames_per_minute: f64,
}

/// What a frame tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) look: Look,
    /// Most memory that its Blender needed, in bytes.
    pub(crate) memory_bytes: u64,
    pub(crate) on_cpu: bool,
    /// What it took, where nothing but the number of Blenders made it take that: its scene was loaded, and all of
    /// them rendered this look from its start to its end.
    pub(crate) measured: Option<Duration>,
}

/// The number of Blenders of a look has been judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lesson {
    /// So many from now on.
    pub(crate) blenders: u32,
    /// What is to be remembered, where something new is.
    pub(crate) remember: Option<Learnt>,
    rates: Vec<Rate>,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    /// More may be faster.
    Tried,
    /// No more are faster.
    Fastest,
    /// More would need more memory than there is.
    Memory,
    /// More would share one GPU.
    Gpu,
}

/// What outlives the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learnt {
    /// The threads and the memory with which it was learnt: with others it is not true.
    threads: u32,
    memory_bytes: u64,
    looks: Vec<LearntLook>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LearntLook {
    look: Look,
    blenders: u32,
    memory_bytes: u64,
    #[serde(default)]
    rates: Vec<Rate>,
}

impl Sharing {
    /// Knows what was learnt before, where that was on a machine like this one.
    pub(crate) fn new(slots: Slots, machine: Machine, learnt: Option<Learnt>) -> Self {
        // A system keeps a little more or less memory for itself after each start.
        let is_alike = |learnt: &Learnt| {
            learnt.threads == machine.threads
                && learnt.memory_bytes.abs_diff(machine.memory_bytes) <= machine.memory_bytes / 16
        };
        let learnt = learnt
            .filter(is_alike)
            .map_or_else(Vec::new, |learnt| learnt.looks);
        let looks = learnt.into_iter().map(|of| {
            let known = Known {
                blenders: of.blenders.clamp(1, machine.most(of.memory_bytes)),
                memory_bytes: of.memory_bytes,
                rates: of.rates,
                stage: Stage::Settled,
            };
            (of.look, known)
        });
        Self {
            slots,
            machine,
            looks: looks.collect(),
        }
    }

    /// How many Blenders render a look at a time; one where nothing is known of it.
    pub(crate) fn blenders(&self, look: Option<Look>) -> u32 {
        match self.slots {
            Slots::Fixed(slots) => slots,
            Slots::Auto => look
                .and_then(|look| self.looks.iter().find(|(of, _)| *of == look))
                .map_or(1, |(_, known)| known.blenders),
        }
    }

    /// Most Blenders that may ever run at a time.
    pub(crate) fn most(&self) -> u32 {
        match self.slots {
            Slots::Fixed(slots) => slots,
            Slots::Auto => self.machine.most(0),
        }
    }

    /// What each Blender has where so many share the threads, and so many the memory.
    pub(crate) fn share(&self, of_threads: u32, of_memory: u32) -> Share {
        match self.slots {
            Slots::Fixed(slots) => self.machine.share(slots, slots),
            Slots::Auto => self.machine.share(of_threads, of_memory),
        }
    }

    /// Whether a Blender that needs more than one of so many shares of the memory may have more another time.
    pub(crate) fn may_have_more_than(&self, of_memory: u32) -> bool {
        self.slots == Slots::Auto && self.machine.memory_of_each.is_none() && of_memory > 1
    }

    /// A frame was rendered.
    pub(crate) fn hear(&mut self, told: Told) -> Option<Lesson> {
        if self.slots != Slots::Auto {
            return None;
        }
        let machine = self.machine;
        let known = self.known(told.look);
        known.memory_bytes = known.memory_bytes.max(told.memory_bytes);
        let most = machine.most(known.memory_bytes);
        let why = if known.blenders > most {
            known.settle(most);
            Why::Memory
        } else {
            let Stage::Measuring(seconds) = &mut known.stage else {
                return None;
            };
            if told.on_cpu {
                seconds.push(told.measured?.as_secs_f64());
                known.judge(most)?
            } else {
                known.settle(1);
                Why::Gpu
            }
        };
        Some(self.lesson(told.look, why))
    }

    /// A Blender needed more memory than its share: fewer are to render this look.
    pub(crate) fn too_many(&mut self, look: Look) -> Option<Lesson> {
        let known = self.known(look);
        if known.blenders <= 1 {
            return None;
        }
        known.settle(known.blenders / 2);
        Some(self.lesson(look, Why::Memory))
    }

    fn known(&mut self, look: Look) -> &mut Known {
        let place = self.looks.iter().position(|(of, _)| *of == look);
        let place = place.unwrap_or_else(|| {
            if self.looks.len() >= MOST_LOOKS {
                self.looks.remove(0);
            }
            let unknown = Known {
                blenders: 1,
                memory_bytes: 0,
                rates: Vec::new(),
                stage: Stage::Measuring(Vec::new()),
            };
            self.looks.push((look, unknown));
            self.looks.len() - 1
        });
        &mut self.looks[place].1
    }

    fn lesson(&mut self, look: Look, why: Why) -> Lesson {
        let known = self.known(look);
        let (blenders, rates) = (known.blenders, known.rates.clone());
        Lesson {
            blenders,
            rates,
            remember: (why != Why::Tried).then(|| self.learnt()),
            why,
        }
    }

    fn learnt(&self) -> Learnt {
        let settled = self.looks.iter().filter(|(_, known)| known.is_settled());
        let looks = settled.map(|(look, known)| LearntLook {
            look: *look,
            blenders: known.blenders,
            memory_bytes: known.memory_bytes,
            rates: known.rates.clone(),
        });
        Learnt {
            threads: self.machine.threads,
            memory_bytes: self.machine.memory_bytes,
            looks: looks.collect(),
        }
    }
}

impl Known {
    fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Settled)
    }

    fn settle(&mut self, blenders: u32) {
        self.blenders = blenders;
        self.stage = Stage::Settled;
    }

    /// Compares what was measured last with what was before, once that is enough.
    fn judge(&mut self, most: u32) -> Option<Why> {
        let Stage::Measuring(seconds) = &mut self.stage else {
            return None;
        };
        if seconds.len() < (FRAMES_EACH * self.blenders) as usize {
            return None;
        }
        let rate = Rate {
            blenders: self.blenders,
            frames_per_minute: 60.0 * f64::from(self.blenders) / median(seconds).max(0.001),
        };
        let faster = |a: &&Rate, b: &&Rate| a.frames_per_minute.total_cmp(&b.frames_per_minute);
        let before = self.rates.iter().max_by(faster).copied();
        self.rates.push(rate);
        match before {
            Some(before) if rate.frames_per_minute < before.frames_per_minute * WORTH_IT => {
                self.settle(before.blenders);
                Some(Why::Fastest)
            }
            _ if self.blenders * 2 <= most => {
                self.blenders *= 2;
                self.stage = Stage::Measuring(Vec::new());
                Some(Why::Tried)
            }
            _ => {
                self.settle(self.blenders);
                Some(Why::Fastest)
            }
        }
    }
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    if seconds.len() % 2 == 1 {
        seconds[middle]
    } else {
        f64::midpoint(seconds[middle - 1], seconds[middle])
    }
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.blenders;
        match self.why {
            Why::Tried => write!(f, "trying whether {number} Blenders render this scene faster")?,
            Why::Fastest if number == 1 => f.write_str("one Blender renders this scene fastest")?,
            Why::Fastest => write!(f, "{number} Blenders at a time render this scene fastest")?,
            Why::Memory => write!(
                f,
                "memory is enough for {number} at a time of Blenders with this scene"
            )?,
            Why::Gpu => f.write_str("one Blender renders this scene: more would share its GPU")?,
        }
        for (n, rate) in self.rates.iter().enumerate() {
            let lead = if n == 0 { " (frames a minute: " } else { ", " };
            write!(f, "{lead}{:.1} by {}", rate.frames_per_minute, rate.blenders)?;
        }
        f.write_str(if self.rates.is_empty() { "" } else { ")" })
    }
}

#[cfg(test)]
#[path = "sharing_tests.rs"]
mod tests;
