//! Decisions: from a state and an event to facts, sightings and effects.

mod people;
mod reports;
mod time;

use farmhand_protocol::farm::BatchState;
use farmhand_protocol::{BatchId, JobId, NodeId};

use crate::effect::Effect;
use crate::event::Event;
use crate::fact::{Fact, Sighting, Stamped};
use crate::farm::{Farm, Now};

/// What follows from an event.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// To be applied in this order, and made durable before any effect is carried out.
    pub facts: Vec<Fact>,
    /// To be applied after the facts.
    pub sightings: Vec<Sighting>,
    /// To be carried out once the facts are durable.
    pub effects: Vec<Effect>,
}

/// Why a person's command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no {0}")]
    Unknown(String),
    /// The state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Decision {
    /// The job that this decision creates.
    pub fn submitted(&self) -> Option<JobId> {
        self.facts.iter().find_map(|fact| match fact {
            Fact::JobSubmitted { job, .. } => Some(*job),
            _ => None,
        })
    }

    /// Applies it to the state and returns its facts, stamped, for the journal.
    pub fn apply_to(&self, farm: &mut Farm, now: Now) -> Vec<Stamped> {
        let stamped: Vec<Stamped> = self
            .facts
            .iter()
            .map(|fact| Stamped {
                at: now.wall,
                fact: fact.clone(),
            })
            .collect();
        for fact in &stamped {
            farm.apply(fact);
        }
        for sighting in &self.sightings {
            farm.observe(sighting, now);
        }
        stamped
    }

    fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    fn see(mut self, sighting: Sighting) -> Self {
        self.sightings.push(sighting);
        self
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Ends a batch and lets its node forget it, once however many reasons there are for it.
    fn end_batch(self, batch: BatchId, node: NodeId, state: BatchState) -> Self {
        let ends = |fact: &Fact| matches!(fact, Fact::BatchEnded { batch: ended, .. } if *ended == batch);
        if self.facts.iter().any(ends) {
            return self;
        }
        self.fact(Fact::BatchEnded { batch, state })
            .effect(Effect::Drop { node, batch })
    }

    fn and(mut self, more: Self) -> Self {
        for fact in more.facts {
            let repeated = matches!(fact, Fact::BatchEnded { .. }) && self.facts.contains(&fact);
            if !repeated {
                self.facts.push(fact);
            }
        }
        self.sightings.extend(more.sightings);
        self.effects.extend(more.effects);
        self
    }
}

/// Answers an event. The caller applies the decision before it asks again.
///
/// # Errors
/// Only commands are refused; reports and time always have a defined result.
pub fn decide(farm: &Farm, now: Now, event: Event) -> Result<Decision, Refusal> {
    match event {
        Event::Command(command) => people::decide(farm, command),
        Event::Report(report) => Ok(reports::decide(farm, now, report)),
        Event::Tick => Ok(time::decide(farm, now)),
    }
}
