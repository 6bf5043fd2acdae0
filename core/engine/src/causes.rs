//! Why a job, a batch or a node does not go on, or failed: causes with what shows them and what to do. To what a
//! failure tells by itself this adds what only the farm knows: which node has the Blender, the device, the
//! memory.

mod whereabouts;

use farmhand_protocol::farm::{BatchState, FrameState, JobState};
use farmhand_protocol::{BatchId, Cause, Failure, FailureKind, Frame, FrameSet, JobId, NodeId};

use crate::farm::{Farm, Now};
use crate::job::{Attempt, Batch, Job};
use crate::node::Unfit;
use crate::schedule::{unfit, waits_for};
use crate::table::Durable;

/// More causes of one job than this help nobody.
const MOST_CAUSES: usize = 12;

impl Farm {
    /// Why a job waits, failed, or goes where it goes.
    pub fn causes(&self, id: JobId, now: Now) -> Option<Vec<Cause>> {
        let job = self.job(id)?;
        let mut causes = Vec::new();
        match job.state() {
            JobState::Waiting => causes.push(self.waiting(id, job, now)),
            JobState::Paused => causes.push(
                Cause::new("a person paused it: what is on nodes is finished, nothing more is handed out")
                    .advise(format!("let it go on: farmhand resume {id}")),
            ),
            JobState::Running => causes.extend(self.on_nodes(id)),
            JobState::Completed => causes.push(
                Cause::new("every frame is delivered")
                    .shown_by(format!("pictures are in {}", job.spec.output)),
            ),
            JobState::Failed | JobState::Cancelled => {}
        }
        causes.extend(self.failures(id, job));
        let cancelled = job.frames.in_states(&[Durable::Cancelled]);
        if !cancelled.is_empty() {
            causes.push(cancelled_by_a_person(id, cancelled));
        }
        causes.truncate(MOST_CAUSES);
        Some(causes)
    }

    /// Why a frame of a job is not delivered, or how it was.
    pub fn causes_of_frame(&self, id: JobId, frame: Frame, now: Now) -> Option<Vec<Cause>> {
        let job = self.job(id)?;
        let view = self.frame_views(id, &frame.into()).pop()?;
        let holder = self.batches_of(id).find(|(_, batch)| batch.open.contains(frame));
        let mut causes = Vec::new();
        match view.state {
            FrameState::Pending => causes.push(self.waiting(id, job, now)),
            FrameState::Leased | FrameState::Rendering => {
                causes.extend(holder.map(|(batch, held)| self.goes_to(batch, held)));
            }
            FrameState::Delivered => causes.push(
                Cause::new(format!("frame {frame} is delivered"))
                    .shown_by(format!("its picture is in {}", job.spec.output)),
            ),
            FrameState::Cancelled => causes.push(cancelled_by_a_person(id, frame.into())),
            FrameState::Failed => {}
        }
        if let Some(failure) = &view.failure {
            let newest = job.attempts.iter().rev().find(|attempt| attempt.frame == frame);
            let nodes = newest.map(|attempt| attempt.node);
            let mut cause = self.failed(id, job, failure, frame.into(), &Vec::from_iter(nodes));
            if view.state != FrameState::Failed {
                let attempts = self.policy().attempts;
                cause.title = format!("tried {} of {attempts} times: {}", view.attempts, cause.title);
            }
            causes.push(cause);
        } else if view.state == FrameState::Failed {
            // Frames that failed all at once, as after lost nodes, have no attempt of their own.
            let failure = job.last_failure.as_ref();
            causes.extend(failure.map(|failure| self.failed(id, job, failure, frame.into(), &[])));
        }
        Some(causes)
    }

    /// Why a batch went where it went, and how it ended.
    pub fn causes_of_batch(&self, id: BatchId) -> Option<Vec<Cause>> {
        let batch = self.batch(id)?;
        let job = self.job(batch.job)?;
        let mut causes = vec![self.goes_to(id, batch)];
        let left = batch
            .frames
            .difference(&batch.delivered)
            .difference(&batch.failed);
        match batch.ended {
            Some((BatchState::Lost, at)) => {
                let lease = self.policy().lease.as_secs();
                let name = self.node_name(batch.node);
                let mut cause = Cause::new(format!(
                    "{name} was not heard from for {lease} s; its frames wait again"
                ))
                .shown_by(format!("lost at {at}"))
                .advise("see whether the machine is up and farmhand-agent runs there")
                .advise(
                    "nothing else: the frames are rendered elsewhere, and a lost node costs them no attempt",
                );
                cause.frames = left;
                causes.push(cause);
            }
            Some((BatchState::Cancelled, _)) => causes.push(
                Cause::new("a person cancelled it")
                    .advise(format!("render its frames again: farmhand retry {id}")),
            ),
            Some(_) if !left.is_empty() => {
                let is_one_of_several = batch.copy_of.is_some()
                    || job
                        .ended_batches
                        .iter()
                        .any(|(_, other)| other.copy_of == Some(id))
                    || self.batches.twins(id).next().is_some();
                let mut cause = Cause::new(if is_one_of_several {
                    "these frames were handed to several nodes, and another node was the first to begin them or \
                     to deliver them"
                } else {
                    "these frames were taken back before they started: they wait again"
                });
                cause.frames = left;
                causes.push(cause);
            }
            Some(_) | None => {}
        }
        let attempts = job.attempts.iter().filter(|attempt| attempt.batch == id);
        causes.extend(self.by_failure(batch.job, job, attempts));
        causes.truncate(MOST_CAUSES);
        Some(causes)
    }

    /// Why a node renders nothing; what it renders where it does.
    pub fn causes_of_node(&self, id: NodeId, now: Now) -> Option<Vec<Cause>> {
        let name = &self.node(id)?.name;
        let Some(presence) = self.presence(id) else {
            return Some(vec![self.against(
                &Unfit::Silent,
                std::slice::from_ref(&id),
                None,
                now,
            )]);
        };
        let mut causes: Vec<Cause> = self
            .batches_on(id)
            .map(|(batch, held)| self.goes_to(batch, held))
            .collect();
        if let Some(unfit) = unfit(self, now, id, presence) {
            causes.push(self.against(&unfit, &[id], None, now));
            return Some(causes);
        }
        let open = self.jobs.iter().filter(|(_, job)| !job.frames.is_settled());
        let mut none = true;
        for (job_id, job) in open {
            none = false;
            let version = self.version_for(job, now);
            if let Some(reason) = self.reason_against(*job_id, job, id, version, now) {
                let mut cause = self.against(&reason, &[id], Some(job), now);
                cause.title = format!("nothing of {job_id} {}: {}", job.name, cause.title);
                causes.push(cause);
            }
        }
        if causes.is_empty() {
            causes.push(if none {
                Cause::new(format!("{name} is idle: no job has frames left")).advise("submit a job")
            } else {
                Cause::new(format!(
                    "{name} is idle: every open frame is on another node, or its job is paused"
                ))
            });
        }
        causes.truncate(MOST_CAUSES);
        Some(causes)
    }

    /// Why nothing of a job is on a node.
    fn waiting(&self, id: JobId, job: &Job, now: Now) -> Cause {
        if let Some((before, state)) = waits_for(self, job) {
            return after(before, state);
        }
        if self.nodes.is_empty() {
            return Cause::new("no node has joined yet")
                .advise("on each machine that shall render: farmhand-agent --listen 127.0.0.1:3001")
                .advise("then make it known: farmhand nodes --add http://127.0.0.1:3001");
        }
        if job.paused {
            return Cause::new("a person paused the job");
        }
        let mut reasons: Vec<(Unfit, Vec<NodeId>)> = Vec::new();
        let mut busy = Vec::new();
        let version = self.version_for(job, now);
        for node in self.node_ids() {
            match self.reason_against(id, job, node, version, now) {
                None => busy.push(node),
                Some(reason) => match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, nodes)) => nodes.push(node),
                    None => reasons.push((reason, vec![node])),
                },
            }
        }
        if !busy.is_empty() {
            return self.all_busy(job, &busy);
        }
        // What concerns the job itself says more than that a node is away.
        let weight = |reason: &Unfit| match reason {
            Unfit::LacksBlender => 0,
            Unfit::LacksTag(_) | Unfit::ManyNodes(_) => 1,
            Unfit::Excluded(_) | Unfit::Banned(..) | Unfit::TooSmall => 2,
            Unfit::Broken(_) => 3,
            Unfit::Rests(_) => 4,
            Unfit::Probing => 5,
            Unfit::Drained => 6,
            Unfit::Silent => 7,
        };
        reasons.sort_by_key(|(reason, _)| weight(reason));
        let mut reasons = reasons.iter();
        let Some((first, nodes)) = reasons.next() else {
            return Cause::new("no node is suitable");
        };
        let mut cause = self.against(first, nodes, Some(job), now);
        for (reason, nodes) in reasons {
            cause.advice.push(format!(
                "also: {}: {}",
                self.names(nodes).join(", "),
                reason.words()
            ));
        }
        cause
    }

    fn all_busy(&self, job: &Job, busy: &[NodeId]) -> Cause {
        let first = busy.iter().find_map(|node| {
            let (_, held) = self.batches_on(*node).next()?;
            Some((*node, held.job, self.job(held.job)?))
        });
        let cause = Cause {
            nodes: self.names(busy),
            ..Cause::new("every suitable node is busy")
        };
        let cause = match first {
            Some((node, id, other)) => cause.shown_by(format!(
                "{} renders {id} {} of priority {}; this job has {}",
                self.node_name(node),
                other.name,
                other.priority,
                job.priority
            )),
            None => cause,
        };
        cause
            .advise("wait: it starts when a slot is free")
            .advise("raise its priority above theirs (+ in the dashboard), or add a node")
    }

    /// Why these nodes take nothing, of this job or of any.
    fn against(&self, reason: &Unfit, nodes: &[NodeId], job: Option<&Job>, now: Now) -> Cause {
        let names = self.names(nodes);
        let first = names.first().cloned().unwrap_or_default();
        let cause = match reason {
            Unfit::Drained => Cause::new("drained by a person: it gets nothing new")
                .advise(format!("give it work again: farmhand undrain {first}")),
            Unfit::Silent => {
                let heard = nodes
                    .iter()
                    .filter_map(|node| self.presence(*node))
                    .map(|presence| presence.heard)
                    .max();
                let evidence = match heard {
                    Some(heard) => format!(
                        "last heard from {} s ago",
                        now.since_start.saturating_sub(heard).as_secs()
                    ),
                    None => "not heard from since the farm was started".to_owned(),
                };
                Cause::new("no answer from it")
                    .shown_by(evidence)
                    .advise("see whether the machine is up, the network holds, and farmhand-agent runs there")
                    .advise(format!(
                        "forget it where it is gone for good: farmhand nodes --remove {first}"
                    ))
            }
            Unfit::Probing => {
                Cause::new("it still finds out what its Blenders can do").advise("wait a moment")
            }
            Unfit::Broken(problem) => Cause::new("it cannot render")
                .shown_by(problem.clone())
                .advise("on the node: farmhand-agent setup gets a Blender; --blender PATH names one"),
            Unfit::Rests(words) => {
                Cause::new("it refused a batch a moment ago and is left alone for a while")
                    .shown_by(words.clone())
                    .advise("wait: it is asked again by itself")
            }
            Unfit::Excluded(words) => self.excluded(words, nodes, job),
            Unfit::Banned(until, words) => {
                let until = until.strftime("%H:%M:%S UTC");
                Cause::new("it fails frames of this job that other nodes render")
                    .shown_by(words.clone())
                    .advise(format!("wait: it gets frames of it again at {until}"))
                    .advise("see what that node lacks: its driver, memory, or files on its disk")
            }
            Unfit::TooSmall => Cause::new("it has too little memory for this scene")
                .advise("render on a node with more memory, or give Blender less to hold"),
            Unfit::ManyNodes(most) => {
                let nodes = if *most == 1 { "node" } else { "nodes" };
                Cause::new(format!("the job may have {most} {nodes} at a time, and has them"))
                    .advise("wait, or submit it without --max-nodes")
            }
            Unfit::LacksTag(tag) => {
                let having = self.where_info(|info| info.tags.contains(tag));
                let cause = Cause::new(format!("the job asks for nodes with the tag {tag}"));
                match having.as_slice() {
                    [] => cause
                        .shown_by("no node has it")
                        .advise(format!("start an agent with it: farmhand-agent --tag {tag}")),
                    having => cause.shown_by(format!("it is on {}", having.join(", "))),
                }
            }
            Unfit::LacksBlender => self.lacks_blender(job),
        };
        Cause {
            nodes: names,
            ..cause
        }
    }

    fn excluded(&self, words: &str, nodes: &[NodeId], job: Option<&Job>) -> Cause {
        let found = job
            .zip(nodes.first())
            .and_then(|(job, node)| Some((job, job.excluded.get(node)?)));
        match found {
            Some((job, failure)) => self.better(Cause::of(failure), job, failure.kind, nodes),
            None => Cause::new("it cannot render this job").shown_by(words),
        }
    }

    fn lacks_blender(&self, job: Option<&Job>) -> Cause {
        let wanted = job.and_then(|job| job.blender.or(job.spec.written_by));
        let is_chosen = job.is_some_and(|job| job.blender.is_some());
        let title = match wanted {
            Some(version) if is_chosen => {
                format!("all frames of the job use Blender {version}, which no free node has")
            }
            Some(version) => format!(
                "the scene needs Blender {}.{} or newer",
                version.major, version.minor
            ),
            None => "no node has a Blender".to_owned(),
        };
        let cause = Cause::new(title).shown_by(self.blenders());
        let place = wanted
            .map(|version| self.where_blender(version, is_chosen))
            .unwrap_or_default();
        let cause = match place.as_slice() {
            [] => cause.advise(match wanted {
                Some(version) => format!(
                    "install Blender {}.{} on a node, or run there: farmhand-agent setup",
                    version.major, version.minor
                ),
                None => "on a node: farmhand-agent setup".to_owned(),
            }),
            place => cause.advise(format!(
                "it is on {}: see why that gets nothing",
                place.join(", ")
            )),
        };
        cause.advise("render with an older one all the same: farmhand submit --allow-older-blender")
    }

    /// Batches of a running job, and why each went where it went.
    fn on_nodes(&self, id: JobId) -> Vec<Cause> {
        const SHOWN: usize = 4;
        let mut causes: Vec<Cause> = self
            .batches_of(id)
            .take(SHOWN)
            .map(|(batch, held)| self.goes_to(batch, held))
            .collect();
        let more = self.batches_of(id).count().saturating_sub(SHOWN);
        if more > 0 {
            causes.push(Cause::new(format!("and {more} more batches are on nodes")));
        }
        causes
    }

    fn goes_to(&self, id: BatchId, held: &Batch) -> Cause {
        let name = self.node_name(held.node);
        let title = match held.ended {
            None => format!("{id} is on {name}"),
            Some(_) => format!("{id} went to {name}"),
        };
        Cause {
            frames: held.frames.clone(),
            nodes: vec![name],
            ..Cause::new(title).shown_by(held.why.clone())
        }
    }

    /// Failures of frames that are not delivered, one cause for all that failed alike, newest first.
    fn failures(&self, id: JobId, job: &Job) -> Vec<Cause> {
        let undone = |attempt: &&Attempt| {
            let state = job.frames.state(attempt.frame);
            state.is_some_and(|state| state != Durable::Delivered)
        };
        let causes = self.by_failure(id, job, job.attempts.iter().filter(undone));
        if causes.is_empty() && job.state() == JobState::Failed {
            let failed = job.frames.in_states(&[Durable::Failed]);
            let failure = job.last_failure.as_ref();
            return failure
                .map(|failure| self.failed(id, job, failure, failed, &[]))
                .into_iter()
                .collect();
        }
        causes
    }

    fn by_failure<'a>(
        &self,
        id: JobId,
        job: &Job,
        attempts: impl DoubleEndedIterator<Item = &'a Attempt>,
    ) -> Vec<Cause> {
        struct Alike<'a> {
            title: String,
            failure: &'a Failure,
            frames: Vec<Frame>,
            nodes: Vec<NodeId>,
        }
        let mut groups: Vec<Alike<'a>> = Vec::new();
        for attempt in attempts.rev() {
            let title = Cause::of(&attempt.failure).title;
            let place = groups
                .iter()
                .position(|group| group.title == title)
                .unwrap_or_else(|| {
                    groups.push(Alike {
                        title,
                        failure: &attempt.failure,
                        frames: Vec::new(),
                        nodes: Vec::new(),
                    });
                    groups.len() - 1
                });
            let group = &mut groups[place];
            group.frames.push(attempt.frame);
            if !group.nodes.contains(&attempt.node) {
                group.nodes.push(attempt.node);
            }
        }
        let cause = |group: &Alike<'_>| {
            let frames = group.frames.iter().copied().collect();
            self.failed(id, job, group.failure, frames, &group.nodes)
        };
        groups.iter().map(cause).collect()
    }

    fn failed(&self, id: JobId, job: &Job, failure: &Failure, frames: FrameSet, nodes: &[NodeId]) -> Cause {
        let cause = self.better(Cause::of(failure), job, failure.kind, nodes);
        let cause = Cause {
            frames,
            nodes: self.names(nodes),
            ..cause
        };
        if needs_another_scene(failure.kind) {
            return cause; // A retry would render the scene that was submitted.
        }
        cause.advise(format!("then render them again: farmhand retry {id}"))
    }
}

/// Whether what must be mended is in the scene or in how it was submitted, so that only another submit helps.
fn needs_another_scene(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::SceneUnreadable
            | FailureKind::NoCamera
            | FailureKind::MissingFiles
            | FailureKind::BlockedScripts
            | FailureKind::UnsupportedOutput
            | FailureKind::SettingsUnfit
    )
}

/// Why a job that follows another one does not begin.
fn after(before: JobId, state: JobState) -> Cause {
    if matches!(state, JobState::Failed | JobState::Cancelled) {
        return Cause::new(format!("it waits for {before}, which did not complete"))
            .shown_by(format!("{before} is {}", state.word()))
            .advise(format!("render what is missing there: farmhand retry {before}"))
            .advise("or cancel this one and submit it without --after");
    }
    Cause::new(format!("it waits for {before} to complete"))
        .shown_by(format!("{before} is {}", state.word()))
        .advise(format!("see what {before} waits for: farmhand why {before}"))
}

fn cancelled_by_a_person(id: JobId, frames: FrameSet) -> Cause {
    let cause =
        Cause::new("a person cancelled them").advise(format!("render them after all: farmhand retry {id}"));
    Cause { frames, ..cause }
}
