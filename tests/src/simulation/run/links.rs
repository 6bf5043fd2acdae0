//! Messages between the orchestrator and agents: how long they take, and which never arrive.

use farmhand_engine::{Effect, Report};
use farmhand_protocol::{BatchId, Failure, FailureKind};

use super::super::agent::{node_id, number_of};
use super::super::plan::{Faults, UPLINK};
use super::{Happening, Run};

impl Run {
    /// The orchestrator reaches an agent: it says who it is and what it has.
    pub(super) fn meet(&mut self, n: usize) {
        if !self.agents[n].is_up || self.agents[n].is_cut_off {
            return;
        }
        let info = Box::new(self.agents[n].info(n));
        let seen = Report::NodeSeen {
            address: format!("http://node-{n}:3000"),
            info,
        };
        self.tell_later(n, seen);
        let batches = self.agents[n].reports();
        self.tell_later(
            n,
            Report::BatchesListed {
                node: node_id(n),
                batches,
            },
        );
    }

    /// A message of an agent is on its way, if it can be.
    pub(super) fn tell_later(&mut self, n: usize, report: Report) {
        let agent = &self.agents[n];
        if !agent.is_up || agent.is_cut_off {
            return;
        }
        let chaos = self.plan.faults == Faults::All;
        let passing = matches!(
            report,
            Report::FrameStarted { .. }
                | Report::FrameFinished { .. }
                | Report::FrameFailed { .. }
                | Report::BatchEnded { .. }
        );
        if chaos && passing {
            match self.chance.below(60) {
                0 => {
                    // The event is lost; the stream's gap is noticed, and the list is read.
                    self.later(
                        1.0,
                        Happening::Reaches(n, Box::new(Effect::List { node: node_id(n) })),
                    );
                    return;
                }
                1 => {
                    let late = self.chance.between(0.0, 5.0);
                    self.later(late, Happening::Arrives(Box::new(report.clone())));
                }
                _ => {}
            }
        }
        let way = self.way();
        self.later(way, Happening::Arrives(Box::new(report)));
    }

    /// Seconds that a message takes.
    pub(super) fn way(&mut self) -> f64 {
        self.chance.between(0.001, 0.005)
    }

    /// What the orchestrator's links do.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        let (n, seconds) = match &effect {
            Effect::Dispatch { node, start } => {
                let n = number_of(*node);
                let way = self.way();
                if self.agents[n].has_files.insert(start.scene) {
                    self.uplink_free = self.uplink_free.max(self.at) + self.plan.scene_bytes / UPLINK;
                    (n, self.uplink_free - self.at + way)
                } else {
                    (n, way)
                }
            }
            Effect::Fetch { node, .. } => (number_of(*node), 0.02),
            Effect::Revoke { node, .. }
            | Effect::Drop { node, .. }
            | Effect::Acknowledge { node, .. }
            | Effect::List { node } => {
                let way = self.way();
                (number_of(*node), way)
            }
            Effect::Connect { .. }
            | Effect::Disconnect { .. }
            | Effect::Release { .. }
            | Effect::MakeFilms { .. } => return,
        };
        self.later(seconds, Happening::Reaches(n, Box::new(effect)));
    }

    pub(super) fn reach(&mut self, n: usize, effect: Effect) {
        let reached = self.agents[n].is_up && !self.agents[n].is_cut_off;
        match effect {
            Effect::Dispatch { start, .. } => {
                let batch = start.batch;
                if start.epoch.0 < self.epoch {
                    return; // The orchestrator that sent it is gone.
                }
                if self.farm.batch(batch).is_none_or(|held| held.ended.is_some()) {
                    return; // It was taken back while its scene was on its way.
                }
                if !reached {
                    self.later(1.0, Happening::Arrives(Box::new(Report::BatchUnclear(batch))));
                    return;
                }
                self.agents[n].accept(*start);
                self.tell_later(n, Report::BatchAccepted(batch));
                self.go_on(n);
            }
            Effect::Revoke { batch, frames, .. } if reached => {
                let frames = self.agents[n].revoke(batch, &frames);
                self.tell_later(n, Report::Revoked { batch, frames });
            }
            Effect::Drop { batch, .. } if reached => {
                self.agents[n].drop_batch(batch);
                self.go_on(n);
            }
            Effect::Acknowledge { batch, frame, .. } if reached => self.agents[n].acknowledge(batch, frame),
            Effect::List { node } if reached => {
                let batches = self.agents[n].reports();
                self.tell_later(n, Report::BatchesListed { node, batches });
            }
            Effect::Fetch { batch, finished, .. } => self.fetch(n, batch, *finished, reached),
            _ => {}
        }
    }

    pub(super) fn fetch(
        &mut self,
        n: usize,
        batch: BatchId,
        finished: farmhand_protocol::agent::FinishedFrame,
        reached: bool,
    ) {
        let frame = finished.frame;
        let answer = if reached && self.agents[n].has_finished(batch, frame) {
            Report::Fetched { batch, finished }
        } else {
            let failure = Failure::new(FailureKind::NotDelivered, "the frame is gone");
            Report::FetchFailed {
                batch,
                frame,
                failure,
            }
        };
        self.later(0.0, Happening::Arrives(Box::new(answer)));
    }
}
