//! What is shown of the farm. What only the orchestrator knows (telemetry, delivered files) it fills in.

use std::collections::BTreeSet;

use farmhand_protocol::farm::{
    AttemptView, BatchState, BatchView, FilmState, FilmView, FrameState, FrameView, JobDetail, JobState,
    JobView, NodeState, NodeView, Why,
};
use farmhand_protocol::{BatchId, BlenderVersion, FrameSet, JobId, NodeId};

use crate::farm::{Farm, Now};
use crate::job::{Batch, Job};
use crate::node::{AbsentNode, Unfit};
use crate::schedule::{choose_blender, unfit, unfit_for, waits_for};

/// A mean or an ETA of fewer frames than this would mislead.
const FRAMES_FOR_A_MEAN: u32 = 3;

impl Farm {
    /// A job as it is shown in lists.
    pub fn job_view(&self, id: JobId, now: Now) -> Option<JobView> {
        let job = self.job(id)?;
        let state = job.state();
        let rendering = self.rendering(id);
        let counts = job.frames.counts(rendering.len());
        let measured = counts.delivered >= FRAMES_FOR_A_MEAN;
        let mean_frame_ms = measured.then(|| job.render_ms / u64::from(counts.delivered));
        let running = matches!(state, JobState::Running);
        let eta = running.then(|| self.expected_end(job, &counts)).flatten();
        Some(JobView {
            id,
            name: job.name.clone(),
            user: job.spec.user.clone(),
            state,
            reason: self.reason(id, job, now),
            priority: job.priority,
            frames: job.frames.frames().clone(),
            skipped: job.spec.skipped.clone(),
            counts,
            scene: job.spec.scene,
            settings: job.spec.settings.clone(),
            blender: job.blender,
            output: job.spec.output.clone(),
            film: self.film_view(id, job),
            submitted: job.submitted,
            started: job.started,
            ended: job.ended,
            mean_frame_ms,
            eta_ms: eta.map(|eta| eta.likely),
            eta_early_ms: eta.map(|eta| eta.early),
            eta_late_ms: eta.map(|eta| eta.late),
            node_ms: (counts.delivered > 0).then_some(job.render_ms),
            after: job.spec.after,
            max_nodes: job.spec.max_nodes,
        })
    }

    fn film_view(&self, id: JobId, job: &Job) -> Option<FilmView> {
        if !job.wants_film() {
            return None;
        }
        let state = match &job.films {
            Some(films) if films.files.is_empty() => FilmState::Failed,
            Some(_) => FilmState::Made,
            None if self.seen.filming.contains(&id) => FilmState::Making,
            None => FilmState::Waiting,
        };
        let made = job.films.as_ref();
        Some(FilmView {
            state,
            files: made.map(|made| made.files.clone()).unwrap_or_default(),
            problem: made.and_then(|made| made.problem.clone()),
        })
    }

    /// A job with the states of its frames, its batches and its failures.
    pub fn job_detail(&self, id: JobId, now: Now) -> Option<JobDetail> {
        let job = self.job(id)?;
        let running = self.batches_of(id).map(|(batch, _)| batch);
        let ended = job.ended_batches.iter().map(|(batch, _)| *batch);
        let mut batches: Vec<BatchId> = running.chain(ended).collect();
        batches.sort_unstable_by(|a, b| b.cmp(a));
        batches.truncate(Job::KEPT_BATCHES);
        let attempts = job.attempts.iter().rev().map(|attempt| AttemptView {
            frame: attempt.frame,
            batch: attempt.batch,
            node: attempt.node,
            node_name: self.node_name(attempt.node),
            at: attempt.at,
            failure: attempt.failure.clone(),
        });
        Some(JobDetail {
            job: self.job_view(id, now)?,
            states: job.frames.spans(&self.rendering(id)),
            batches: batches
                .into_iter()
                .filter_map(|batch| self.batch_view(batch))
                .collect(),
            attempts: attempts.collect(),
        })
    }

    /// A batch: running, or among the newest ended ones of its job.
    pub fn batch_view(&self, id: BatchId) -> Option<BatchView> {
        Some(self.view_of(id, self.batch(id)?))
    }

    fn view_of(&self, id: BatchId, batch: &Batch) -> BatchView {
        BatchView {
            id,
            job: batch.job,
            node: batch.node,
            node_name: self.node_name(batch.node),
            state: self.batch_state(id, batch),
            frames: batch.frames.clone(),
            delivered: batch.delivered.clone(),
            failed: batch.failed.clone(),
            why: batch.why.clone(),
            assigned: batch.assigned,
            ended: batch.ended.map(|(_, at)| at),
            mean_frame_ms: batch.render_ms.checked_div(batch.delivered.len().into()),
            note: self.first_failure_in(id, batch),
        }
    }

    /// Batches that are wanted, newest first, from the one after `before` on, at most `most`: running ones, and
    /// the newest ended ones of each job.
    pub fn batch_views(
        &self,
        before: Option<BatchId>,
        most: usize,
        wanted: impl Fn(&Batch) -> bool,
    ) -> Vec<BatchView> {
        let ended = self.jobs.values().flat_map(|job| &job.ended_batches);
        let mut chosen: Vec<(BatchId, &Batch)> = self
            .batches
            .iter()
            .chain(ended.map(|(id, batch)| (*id, batch)))
            .filter(|(id, batch)| before.is_none_or(|before| *id < before) && wanted(batch))
            .collect();
        chosen.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        chosen.truncate(most);
        let views = chosen.into_iter().map(|(id, batch)| self.view_of(id, batch));
        views.collect()
    }

    /// Why the first of a batch's failed frames failed, as far as its job remembers.
    fn first_failure_in(&self, id: BatchId, batch: &Batch) -> Option<String> {
        let attempts = &self.job(batch.job)?.attempts;
        let first = attempts.iter().find(|attempt| attempt.batch == id)?;
        Some(first.failure.message.clone())
    }

    fn batch_state(&self, id: BatchId, batch: &Batch) -> BatchState {
        let renders = || {
            self.seen
                .rendering
                .get(&id)
                .is_some_and(|frames| !frames.is_empty())
        };
        match batch.ended {
            Some((state, _)) => state,
            None if renders() => BatchState::Rendering,
            None => BatchState::Assigned,
        }
    }

    /// A node, without telemetry.
    pub fn node_view(&self, id: NodeId, now: Now) -> Option<NodeView> {
        let node = self.node(id)?;
        let presence = self.presence(id);
        let busy = self.batches_on(id).next().is_some();
        let unfit = presence.and_then(|presence| unfit(self, now, id, presence));
        let state = match (&unfit, presence) {
            (_, None) if now.since_start > self.policy().lease => NodeState::Lost,
            (_, None) => NodeState::Connecting,
            (Some(Unfit::Silent), _) => NodeState::Lost,
            (Some(Unfit::Drained), _) if busy => NodeState::Draining,
            (Some(Unfit::Drained), _) => NodeState::Drained,
            (Some(Unfit::Broken(_) | Unfit::Probing), _) => NodeState::Unfit,
            _ if busy => NodeState::Rendering,
            _ => NodeState::Idle,
        };
        let info = presence.map(|presence| &presence.info);
        Some(NodeView {
            id: Some(id),
            name: node.name.clone(),
            address: node.address.clone(),
            state,
            since: node.since,
            problem: unfit
                .filter(|unfit| *unfit != Unfit::Drained)
                .map(|unfit| unfit.words()),
            silent_ms: presence.map(|presence| {
                let silence = now.since_start.saturating_sub(presence.heard);
                u64::try_from(silence.as_millis()).unwrap_or(u64::MAX)
            }),
            slots: info.map_or(0, |info| info.slots),
            version: info.map_or_else(String::new, |info| info.version.clone()),
            tags: info.map_or_else(Vec::new, |info| info.tags.clone()),
            engines: info.map_or_else(Vec::new, |info| info.engines.clone()),
            hardware: info.map_or_else(Default::default, |info| info.hardware.clone()),
            load: info.map_or_else(Default::default, |info| info.load),
            running: Vec::new(),
            sent_bytes: 0,
            pulled_bytes: 0,
            frames_per_minute: presence.map_or(0.0, |presence| presence.frames_per_minute(now.since_start)),
            moved: if state == NodeState::Lost {
                self.moved_from(id)
            } else {
                Vec::new()
            },
        })
    }

    /// Frames of a job, without their files.
    pub fn frame_views(&self, id: JobId, frames: &FrameSet) -> Vec<FrameView> {
        let Some(job) = self.job(id) else {
            return Vec::new();
        };
        let rendering = self.rendering(id);
        let states = frames
            .iter()
            .filter_map(|frame| Some((frame, job.frames.state(frame)?)));
        states
            .map(|(frame, state)| {
                let trouble = job.frames.trouble(frame);
                FrameView {
                    frame,
                    state: if rendering.contains(frame) {
                        FrameState::Rendering
                    } else {
                        state.shown()
                    },
                    attempts: trouble.map_or(0, |trouble| trouble.failures),
                    failure: trouble.and_then(|trouble| trouble.last.clone()),
                    files: Vec::new(),
                    node: None,
                    render_ms: None,
                }
            })
            .collect()
    }

    /// Nodes with which nothing would be lost: nobody hears from them, they have no batch, and nobody added
    /// their address.
    pub fn absent_nodes(&self) -> Vec<AbsentNode> {
        let is_silent = |id| self.presence(id).is_none_or(|presence| presence.silent);
        let absent = self.nodes.iter().filter(|(id, node)| {
            is_silent(**id) && self.batches_on(**id).next().is_none() && !self.is_added(&node.address)
        });
        absent
            .map(|(id, node)| AbsentNode {
                node: *id,
                address: node.address.clone(),
                is_replaced: self.others_at(*id, &node.address).any(|other| !is_silent(other)),
            })
            .collect()
    }

    /// Why a job waits, failed, or goes where it goes.
    pub fn why(&self, id: JobId, now: Now) -> Option<Why> {
        let job = self.job(id)?;
        let mut reasons: Vec<String> = self.reason(id, job, now).into_iter().collect();
        if !job.frames.is_settled() {
            let version = self.version_for(job, now);
            reasons.extend(self.node_ids().filter_map(|node| {
                let reason = self.reason_against(id, job, node, version, now)?;
                Some(format!("{}: {}", self.node_name(node), reason.words()))
            }));
            let goes = self.batches_of(id).map(|(batch, held)| {
                format!(
                    "{batch} ({}) is on {}: {}",
                    held.frames,
                    self.node_name(held.node),
                    held.why
                )
            });
            reasons.extend(goes);
        }
        let causes = self.causes(id, now)?;
        Some(Why { reasons, causes })
    }

    /// One line: why a job does not go on, or how it failed.
    fn reason(&self, id: JobId, job: &Job, now: Now) -> Option<String> {
        match job.state() {
            JobState::Failed => job.last_failure.as_ref().map(|failure| failure.message.clone()),
            JobState::Waiting => Some(self.waits_for(id, job, now)),
            JobState::Running | JobState::Paused | JobState::Completed | JobState::Cancelled => None,
        }
    }

    pub(crate) fn waits_for(&self, id: JobId, job: &Job, now: Now) -> String {
        match waits_for(self, job) {
            Some((before, JobState::Failed | JobState::Cancelled)) => {
                return format!(
                    "waits for {before}, which did not complete: retry that one, or cancel this one"
                );
            }
            Some((before, _)) => return format!("waits for {before} to complete"),
            None => {}
        }
        if self.nodes.is_empty() {
            return "no node has joined yet: start farmhand-agent on a machine and add its address"
                .to_owned();
        }
        let version = self.version_for(job, now);
        let against = self
            .node_ids()
            .map(|node| self.reason_against(id, job, node, version, now));
        // Ends at the first node that could: usually the first of all.
        let Some(against) = against.collect::<Option<Vec<Unfit>>>() else {
            return "every suitable node is busy".to_owned();
        };
        let all = |test: fn(&Unfit) -> bool| against.iter().all(test);
        if all(|unfit| matches!(unfit, Unfit::Drained)) {
            return "every node is drained".to_owned();
        }
        if all(|unfit| matches!(unfit, Unfit::Silent)) {
            return "no node answers".to_owned();
        }
        if against.contains(&Unfit::LacksBlender) {
            let wanted = job.blender.map_or_else(
                || {
                    job.spec
                        .written_by
                        .map_or_else(String::new, |v| format!("{}.{} or newer", v.major, v.minor))
                },
                |version| version.to_string(),
            );
            return format!("no suitable node has Blender {wanted}");
        }
        against
            .first()
            .map_or_else(|| "no node is suitable".to_owned(), Unfit::words)
    }

    /// The Blender that a job uses, or would if it were begun now. Looks at every node where none is chosen.
    pub(crate) fn version_for(&self, job: &Job, now: Now) -> Option<BlenderVersion> {
        job.blender.or_else(|| choose_blender(self, now, job))
    }

    /// Why this node gets nothing of this job, which uses that version; nothing when it could.
    pub(crate) fn reason_against(
        &self,
        id: JobId,
        job: &Job,
        node: NodeId,
        version: Option<BlenderVersion>,
        now: Now,
    ) -> Option<Unfit> {
        let Some(presence) = self.presence(node) else {
            return Some(Unfit::Silent);
        };
        unfit(self, now, node, presence)
            .or_else(|| unfit_for(self, now, job, node, version))
            .or_else(|| self.too_many_nodes(job, id, node))
            .or_else(|| version.is_none().then_some(Unfit::LacksBlender))
    }

    /// Whether as many other nodes work on a job as may.
    fn too_many_nodes(&self, job: &Job, id: JobId, node: NodeId) -> Option<Unfit> {
        let most = job.spec.max_nodes?;
        let nodes: BTreeSet<NodeId> = self.batches_of(id).map(|(_, batch)| batch.node).collect();
        (!nodes.contains(&node) && nodes.len() >= most as usize).then_some(Unfit::ManyNodes(most))
    }

    pub(crate) fn node_name(&self, id: NodeId) -> String {
        self.node(id)
            .map_or_else(|| id.to_string(), |node| node.name.clone())
    }
}

impl Unfit {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Drained => "drained by a person".to_owned(),
            Self::Silent => "not heard from".to_owned(),
            Self::Probing => "still finds out what its Blenders can do".to_owned(),
            Self::Broken(problem) => problem.clone(),
            Self::Rests(reason) => format!("refused a batch a moment ago: {reason}"),
            Self::Excluded(reason) => format!("cannot render this job: {reason}"),
            Self::Banned(until, reason) => {
                let until = until.strftime("%H:%M:%S");
                format!(
                    "gets nothing of this job until {until} UTC, because it fails frames that others render: {reason}"
                )
            }
            Self::TooSmall => "has too little memory for this scene".to_owned(),
            Self::ManyNodes(1) => "this job may have one node at a time".to_owned(),
            Self::ManyNodes(most) => format!("this job may have {most} nodes at a time"),
            Self::LacksTag(tag) => format!("lacks the tag {tag}"),
            Self::LacksBlender => "has no Blender of the job's version".to_owned(),
        }
    }
}
