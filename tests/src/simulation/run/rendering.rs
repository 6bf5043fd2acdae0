//! What agents render, and what they tell of it.

use farmhand_engine::Report;
use farmhand_protocol::agent::{BatchPhase, FailedFrame};
use farmhand_protocol::{Failure, FailureKind};

use super::super::agent::{Rendering, finished, node_id};
use super::super::chance::Chance;
use super::super::plan::{Faults, LOAD, START};
use super::{Happening, Run};

impl Run {
    /// An agent that renders nothing takes its next frame.
    pub(super) fn go_on(&mut self, n: usize) {
        let at = self.at;
        let before = self.agents[n].running;
        let next = self.agents[n].take();
        let now = self.agents[n].running;
        if let Some(batch) = now.filter(|_| now != before) {
            self.tell_later(n, Report::BatchBegun(batch));
        }
        let Some((batch, frame, scene)) = next else {
            let agent = &mut self.agents[n];
            if agent.rendering.is_none() && agent.has_blender && agent.is_up {
                agent.idle_since.get_or_insert(at);
            }
            return;
        };
        self.tokens += 1;
        let token = self.tokens;
        let agent = &mut self.agents[n];
        if let Some(since) = agent.idle_since.take() {
            agent.idle += at - since;
        }
        let mut wait = 0.0;
        if agent.loaded != Some(scene) {
            wait += if std::mem::replace(&mut agent.has_blender, true) {
                0.0
            } else {
                START
            };
            wait += LOAD;
            agent.loaded = Some(scene);
        }
        agent.rendering = Some(Rendering { batch, frame, token });
        let job = self
            .farm
            .batch(batch)
            .and_then(|held| self.index_of(held.job))
            .unwrap_or(0);
        if job == 1 && self.outcome.second.node.is_none() {
            self.outcome.second.node = Some(n);
            self.outcome.second.waited = at - self.times[1].0;
        }
        let seconds = self.plan.seconds(job, frame.get()) / self.agents[n].speed;
        self.later(wait, Happening::Started(n, token));
        self.later(wait + seconds, Happening::Rendered(n, token));
    }

    pub(super) fn started(&mut self, n: usize, token: u64) {
        let Some(now) = self.agents[n].rendering.filter(|now| now.token == token) else {
            return;
        };
        let Rendering { batch, frame, .. } = now;
        self.tell_later(n, Report::FrameStarted { batch, frame });
    }

    pub(super) fn rendered(&mut self, n: usize, token: u64) {
        let Some(now) = self.agents[n].rendering.filter(|now| now.token == token) else {
            return;
        };
        let Rendering { batch, frame, .. } = now;
        let job = self
            .farm
            .batch(batch)
            .and_then(|held| self.index_of(held.job))
            .unwrap_or(0);
        let chaos = self.plan.faults == Faults::All;
        let is_bad = Chance::of(&[self.plan.seed, 4, u64::from(frame.get().unsigned_abs())]).share() < 0.01;
        let ended = if chaos && (is_bad || self.agents[n].is_broken) {
            let failure = Failure::new(FailureKind::BlenderKilled, "Blender was ended by SIGSEGV");
            let ended = self.agents[n].fail(batch, frame, failure.clone());
            self.tell_later(
                n,
                Report::FrameFailed {
                    batch,
                    failed: FailedFrame { frame, failure },
                },
            );
            ended
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a frame takes minutes"
            )]
            let ms = (self.plan.seconds(job, frame.get()) / self.agents[n].speed * 1000.0) as u64;
            let ended = self.agents[n].finish(batch, frame, ms);
            let finished = finished(frame, ms);
            self.tell_later(n, Report::FrameFinished { batch, finished });
            ended
        };
        if ended {
            let phase = BatchPhase::Completed;
            self.tell_later(n, Report::BatchEnded { batch, phase });
        }
        self.go_on(n);
        self.note_what_went_before(n);
    }

    /// A slot has ended a frame while the second job waited for one, and did not begin that.
    fn note_what_went_before(&mut self, n: usize) {
        let Some(second) = self.jobs.get(1).filter(|_| self.outcome.second.node.is_none()) else {
            return;
        };
        let was_asked = !self
            .farm
            .batch_views(None, 1, |batch| {
                batch.job == *second && batch.node == node_id(n) && batch.ended.is_none()
            })
            .is_empty();
        if was_asked {
            self.outcome.second.on_its_way += 1;
        } else {
            self.outcome.second.passed_over += 1;
        }
    }
}
