//! What facts do to the farm: the one thing that replay runs.

use std::time::Duration;

use farmhand_protocol::FrameSet;
use farmhand_protocol::farm::BatchState;

use super::Farm;
use crate::fact::{Fact, Stamped};
use crate::job::{Attempt, Ban, Batch, Job};
use crate::node::Node;
use crate::table::Durable;

impl Farm {
    /// Changes what is remembered. Facts about what is no longer there change nothing.
    #[expect(clippy::too_many_lines, reason = "a table: one fact, one change")]
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        match &stamped.fact {
            Fact::JobSubmitted { job, spec } => {
                self.last_job = self.last_job.max(job.0);
                self.jobs.insert(*job, Job::new((**spec).clone(), at));
                self.offer(*job);
            }
            Fact::JobPaused { job } => self.with_job(*job, |job| job.paused = true),
            Fact::JobResumed { job } => {
                self.with_job(*job, |job| job.paused = false);
                self.offer(*job);
            }
            Fact::PriorityChanged { job, priority } => {
                self.with_job(*job, |job| job.priority = *priority);
                self.offer(*job);
            }
            Fact::JobRenamed { job, name } => self.with_job(*job, |job| job.name.clone_from(name)),
            Fact::JobForgotten { job } => {
                self.jobs.remove(job);
                self.forget_what_was_seen_of(*job);
                self.seen.agenda.everything = true; // Another may have waited for it.
            }
            Fact::BlenderChosen { job, version } => self.with_job(*job, |job| job.blender = Some(*version)),
            Fact::BatchAssigned {
                batch,
                job,
                node,
                frames,
                why,
                copy_of,
            } => {
                self.last_batch = self.last_batch.max(batch.0);
                self.with_job(*job, |job| {
                    job.frames.set_all(frames, Durable::Leased);
                    job.started.get_or_insert(at);
                });
                let batch_now = Batch {
                    job: *job,
                    node: *node,
                    frames: frames.clone(),
                    open: frames.clone(),
                    delivered: FrameSet::default(),
                    failed: FrameSet::default(),
                    render_ms: 0,
                    why: why.clone(),
                    assigned: at,
                    ended: None,
                    copy_of: *copy_of,
                };
                self.batches.insert(*batch, batch_now);
            }
            Fact::FrameDelivered {
                job,
                frame,
                batch,
                node,
                render_ms,
                ..
            } => {
                let frames = FrameSet::from(*frame);
                self.close(*batch, &frames, |batch, frames| {
                    batch.delivered = batch.delivered.union(frames);
                    batch.render_ms += render_ms;
                });
                let twins: Vec<_> = self.batches.twins(*batch).map(|(twin, _)| twin).collect();
                for twin in twins {
                    self.close(twin, &frames, |_, _| ());
                }
                let slots = self
                    .seen
                    .nodes
                    .get(node)
                    .map_or(1, |presence| presence.info.slots);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.frames.set(*frame, Durable::Delivered);
                    job.render_ms += render_ms;
                    job.streaks.remove(node);
                    let seconds = Duration::from_millis(*render_ms).as_secs_f64();
                    let place = job.frames.place(*frame);
                    job.pace.learn(&mut self.speeds, *node, slots, place, seconds);
                }
                self.settle(*job, at);
            }
            Fact::AttemptFailed {
                job,
                frame,
                batch,
                node,
                failure,
                last,
            } => {
                self.close(*batch, &FrameSet::from(*frame), |batch, frames| {
                    batch.failed = batch.failed.union(frames);
                });
                let state = match self.is_held_by_a_twin(*batch, *frame) {
                    _ if *last => Durable::Failed,
                    true => Durable::Leased,
                    false => Durable::Pending,
                };
                self.note_lack_of_memory(*job, *node, failure.kind);
                self.with_job(*job, |job| {
                    *job.streaks.entry(*node).or_default() += 1;
                    let trouble = job.frames.trouble_mut(*frame);
                    trouble.failures += 1;
                    trouble.last = Some(failure.clone());
                    if !trouble.nodes.contains(node) {
                        trouble.nodes.push(*node);
                    }
                    job.frames.set(*frame, state);
                    let (batch, node, failure) = (*batch, *node, failure.clone());
                    job.keep_attempt(Attempt {
                        frame: *frame,
                        batch,
                        node,
                        at,
                        failure,
                    });
                });
                self.look_at(*node);
                self.seen.agenda.work = true;
                self.settle(*job, at);
            }
            Fact::NodeExcluded { job, node, failure } => self.with_job(*job, |job| {
                job.excluded.insert(*node, failure.clone());
            }),
            Fact::NodeBanned {
                job,
                node,
                until,
                failure,
            } => self.with_job(*job, |job| {
                let times = job.bans.get(node).map_or(0, |ban| ban.times) + 1;
                let ban = Ban {
                    until: *until,
                    times,
                    failure: failure.clone(),
                };
                job.bans.insert(*node, ban);
                job.streaks.remove(node);
            }),
            Fact::FramesReturned { batch, frames } => {
                if let Some(held) = self.batches.get(*batch) {
                    let (job, node, frames) = (held.job, held.node, held.open.intersection(frames));
                    self.close(*batch, &frames, |_, _| ());
                    let alone = self.not_held_by_twins(*batch, &frames);
                    self.with_job(job, |job| job.frames.set_all(&alone, Durable::Pending));
                    self.look_at(node);
                    self.seen.agenda.work = true;
                }
            }
            Fact::BatchEnded { batch, state } => self.end(*batch, *state, at),
            Fact::BatchLost { batch } => {
                if let Some((job, node, open)) = self
                    .batches
                    .get(*batch)
                    .map(|batch| (batch.job, batch.node, batch.open.clone()))
                {
                    let alone = self.not_held_by_twins(*batch, &open);
                    self.seen.agenda.work = true;
                    self.seen.lost.entry(node).or_default().push((job, *batch));
                    self.with_job(job, |job| {
                        job.frames.set_all(&alone, Durable::Pending);
                        open.iter()
                            .for_each(|frame| job.frames.trouble_mut(frame).losses += 1);
                    });
                    self.end(*batch, BatchState::Lost, at);
                }
            }
            Fact::FramesFailed { job, frames, failure } => {
                self.take_from_batches(*job, frames);
                self.with_job(*job, |job| {
                    job.frames.set_all(frames, Durable::Failed);
                    job.last_failure = Some(failure.clone());
                });
                self.settle(*job, at);
            }
            Fact::FramesCancelled { job, frames } => {
                self.take_from_batches(*job, frames);
                self.with_job(*job, |job| job.frames.set_all(frames, Durable::Cancelled));
                self.settle(*job, at);
            }
            Fact::FramesRequeued { job, frames } => {
                self.with_job(*job, |job| {
                    for frame in frames.iter() {
                        if job.frames.state(frame) == Some(Durable::Delivered) {
                            job.frames.revise(frame);
                        }
                        job.frames.forgive(frame);
                        job.frames.set(frame, Durable::Pending);
                    }
                    // Who asks again has changed something: every node gets a new chance.
                    job.excluded.clear();
                    job.bans.clear();
                    job.streaks.clear();
                    job.last_failure = None;
                    job.ended = None;
                    job.films = None;
                });
                self.offer(*job);
            }
            Fact::FramesRevised { job, frames, .. } => {
                self.with_job(*job, |job| {
                    for frame in frames.iter() {
                        job.frames.revise(frame);
                        job.frames.forgive(frame);
                        job.frames.set(frame, Durable::Pending);
                    }
                    job.ended = None;
                    job.films = None;
                });
                self.offer(*job);
            }
            Fact::FilmLearned { job, film } => self.with_job(*job, |job| job.film = Some(film.clone())),
            Fact::FilmsAsked { job } => self.with_job(*job, |job| {
                job.video = true;
                job.films = None;
            }),
            Fact::FilmsMade { job, films } => self.with_job(*job, |job| job.films = Some(films.clone())),
            Fact::AddressAdded { address } => {
                self.addresses.insert(address.clone());
            }
            Fact::AddressRemoved { address } => {
                self.addresses.remove(address);
            }
            Fact::NodeJoined { node, name, address } => {
                let known = self.nodes.get(node);
                let joined = Node {
                    name: name.clone(),
                    address: address.clone(),
                    drained: known.is_some_and(|node| node.drained),
                    since: at,
                    too_small_for: known.map_or_else(Vec::new, |node| node.too_small_for.clone()),
                };
                self.nodes.insert(*node, joined);
            }
            Fact::NodeRemoved { node } => {
                self.nodes.remove(node);
                self.seen.nodes.remove(node);
                self.seen.agenda.everything = true;
                self.seen.lost.remove(node);
            }
            Fact::NodeDrained { node } => self.set_drained(*node, true, at),
            Fact::NodeResumed { node } => self.set_drained(*node, false, at),
        }
    }
}
