//! What sightings do to the farm: nothing that outlives this start.

use super::{Farm, Now};
use crate::fact::Sighting;
use crate::node::Presence;

impl Farm {
    /// Changes what is seen.
    #[expect(clippy::too_many_lines, reason = "a table: one sighting, one change")]
    pub fn observe(&mut self, sighting: &Sighting, now: Now) {
        let at = now.since_start;
        match sighting {
            Sighting::NodeSeen { info } => {
                self.look_at(info.id);
                if !self.seen.nodes.contains_key(&info.id) {
                    let slots = f64::from(info.slots);
                    self.seen.agenda.power.slots += slots;
                    self.seen.agenda.power.speed += slots * self.speeds.factor(info.id);
                }
                self.seen.agenda.everything = true;
                let presence = self
                    .seen
                    .nodes
                    .entry(info.id)
                    .or_insert_with(|| Presence::new((**info).clone(), at));
                presence.info = (**info).clone();
                presence.heard = at;
                presence.silent = false;
                self.seen.lost.remove(&info.id);
            }
            Sighting::NodeHeard { node } => {
                self.seen.lost.remove(node);
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.heard = at;
                    if std::mem::replace(&mut presence.silent, false) {
                        self.seen.agenda.everything = true;
                    }
                }
            }
            Sighting::NodeSilent { node } => {
                self.seen.agenda.everything = true;
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.silent = true;
                }
            }
            Sighting::Dispatching { batch } => {
                self.seen.dispatching.insert(*batch);
                if let Some(batch) = self.batches.get(*batch) {
                    self.seen.handed_out.insert(batch.job, at);
                }
            }
            Sighting::Dispatched { batch } => {
                self.seen.dispatching.remove(batch);
            }
            Sighting::BatchBegun { batch } => {
                self.has_begun(*batch);
                self.seen.contested.remove(&self.batches.original(*batch));
            }
            Sighting::Contested { batch } => {
                self.seen.contested.insert(*batch);
            }
            Sighting::FrameStarted { batch, frame } => {
                self.has_begun(*batch);
                let rendering = self.seen.rendering.entry(*batch).or_default();
                rendering.entry(*frame).or_insert(at);
                self.seen_at_work(*batch, at);
            }
            Sighting::Fetching { batch, frame } => {
                self.has_begun(*batch);
                self.seen.fetching.insert((*batch, *frame));
                if let Some(frames) = self.seen.rendering.get_mut(batch) {
                    frames.remove(frame);
                }
                self.seen_at_work(*batch, at);
                let held = self.batches.get(*batch);
                if let Some(presence) = held.and_then(|held| self.seen.nodes.get_mut(&held.node)) {
                    presence.delivered(at);
                }
                if let Some((job, node)) = held.map(|held| (held.job, held.node)) {
                    self.with_job(job, |job| job.pace.succeeded_on(node));
                }
            }
            Sighting::FetchEnded { batch, frame } => {
                self.seen.fetching.remove(&(*batch, *frame));
            }
            Sighting::Revoking { batch, frames } => {
                let (all, since) = self.seen.revoking.entry(*batch).or_default();
                *all = all.union(frames);
                *since = at;
            }
            Sighting::RevokeEnded { batch } => {
                self.seen.revoking.remove(batch);
                self.seen_at_work(*batch, at);
            }
            Sighting::MemoryNeeded { job, bytes } => {
                let most = self.seen.memory.entry(*job).or_default();
                *most = (*most).max(*bytes);
            }
            Sighting::TimePassed => self.seen.agenda.time = true,
            Sighting::Planned(planned) => self.seen.agenda.done(planned),
            Sighting::Filming { job } => {
                self.seen.filming.insert(*job);
            }
            Sighting::FilmingEnded { job } => {
                self.seen.filming.remove(job);
            }
            Sighting::NodeRests { node, until, failure } => {
                if let Some(presence) = self.seen.nodes.get_mut(node) {
                    presence.rests = Some((*until, failure.clone()));
                }
            }
        }
    }
}
