//! Jobs, batches and frames as spans of traces: told when they end, by what is durable; and the stages between,
//! told by who works on them. Must not know what becomes of spans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use farmhand_engine::{Fact, Farm, Sighting, Stamped};
use farmhand_observe::{Kind, Span, Spans, Value};
use farmhand_protocol::farm::{BatchState, JobState};
use farmhand_protocol::{BatchId, Failure, FarmId, Frame, JobId, NodeId, SpanContext};
use jiff::Timestamp;

/// Names this farm's spans and tells of them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tracer {
    farm: FarmId,
    spans: Spans,
}

/// What a span is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) job: JobId,
    pub(crate) batch: BatchId,
    pub(crate) frame: Option<Frame>,
    pub(crate) node: Option<NodeId>,
}

impl Tracer {
    pub(crate) fn new(farm: FarmId, spans: Spans) -> Self {
        Self { farm, spans }
    }

    /// What a batch's node is told, where anyone wants to know.
    pub(crate) fn of_batch(&self, job: JobId, batch: BatchId) -> Option<SpanContext> {
        let context = SpanContext::of_job(self.farm, job).batch(batch);
        self.spans.are_wanted().then_some(context)
    }

    /// A stage in the life of a batch or a frame begins.
    pub(crate) fn stage(&self, about: About, name: &'static str, kind: Kind) -> Stage {
        let begun = Timestamp::now();
        let parent = SpanContext::of_job(self.farm, about.job).batch(about.batch);
        let parent = about.frame.map_or(parent, |frame| parent.frame(frame));
        let span = Span {
            // One stage may be gone through again and again.
            context: parent.part(&format!("{name} {}", begun.as_nanosecond())),
            parent: Some(parent.span),
            name,
            kind,
            begun,
            ended: begun,
            attributes: self.attributes(about),
            error: None,
        };
        Stage {
            span,
            spans: self.spans.clone(),
        }
    }

    fn attributes(&self, about: About) -> Vec<(&'static str, Value)> {
        let mut attributes = vec![
            ("farmhand.farm", Value::of(self.farm)),
            ("farmhand.job", Value::of(about.job)),
            ("farmhand.batch", Value::of(about.batch)),
        ];
        attributes.extend(about.frame.map(|frame| ("farmhand.frame", frame.get().into())));
        attributes.extend(about.node.map(|node| ("farmhand.node", Value::of(node))));
        attributes
    }
}

/// A stage that has begun. One that nobody waits for any more is not told of.
#[derive(Debug)]
#[must_use]
pub(crate) struct Stage {
    span: Span,
    spans: Spans,
}

impl Stage {
    /// It has ended so.
    pub(crate) fn ended<T, E: fmt::Display>(mut self, result: Result<T, E>) -> Result<T, E> {
        self.span.ended = Timestamp::now();
        self.span.error = result.as_ref().err().map(E::to_string);
        self.spans.tell(self.span);
        result
    }
}

/// Tells the lives of jobs, batches and frames as they end.
#[derive(Debug)]
pub(crate) struct Lives {
    tracer: Tracer,
    /// When frames began to be rendered, as far as it was seen.
    begun: BTreeMap<(BatchId, Frame), Timestamp>,
}

impl Lives {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            begun: BTreeMap::new(),
        }
    }

    /// Something was seen at that time.
    pub(crate) fn seen(&mut self, sighting: &Sighting, at: Timestamp) {
        if let Sighting::FrameStarted { batch, frame } = sighting
            && self.tracer.spans.are_wanted()
        {
            self.begun.entry((*batch, *frame)).or_insert(at);
        }
    }

    /// These facts are durable, and these jobs have ended with them.
    pub(crate) fn happened(&mut self, farm: &Farm, facts: &[Stamped], ended: &BTreeSet<JobId>) {
        if !self.tracer.spans.are_wanted() {
            return;
        }
        for stamped in facts {
            let span = match &stamped.fact {
                Fact::FrameDelivered { .. } | Fact::AttemptFailed { .. } => self.frame(farm, stamped),
                Fact::BatchEnded { batch, .. } | Fact::BatchLost { batch } => self.batch(farm, *batch),
                _ => None,
            };
            if let Some(span) = span {
                self.tracer.spans.tell(span);
            }
        }
        for span in ended.iter().filter_map(|job| self.job(farm, *job)) {
            self.tracer.spans.tell(span);
        }
    }

    fn frame(&mut self, farm: &Farm, stamped: &Stamped) -> Option<Span> {
        let (about, more, failure, took) = match &stamped.fact {
            Fact::FrameDelivered {
                job,
                frame,
                revision,
                batch,
                node,
                files,
                render_ms,
            } => {
                let bytes: u64 = files.iter().map(|file| file.size).sum();
                let more = vec![
                    ("farmhand.revision", u64::from(*revision).into()),
                    ("farmhand.render_ms", (*render_ms).into()),
                    ("farmhand.bytes", bytes.into()),
                ];
                let took = Some(Duration::from_millis(*render_ms));
                (about(*job, *batch, *frame, *node), more, None, took)
            }
            Fact::AttemptFailed {
                job,
                frame,
                batch,
                node,
                failure,
                ..
            } => {
                let more = vec![error_type(failure)];
                (about(*job, *batch, *frame, *node), more, Some(failure), None)
            }
            _ => return None,
        };
        let frame = about.frame?;
        let parent = self.tracer.of_batch(about.job, about.batch)?;
        let seen = self.begun.remove(&(about.batch, frame));
        // It may have begun before this orchestrator did, or not at all.
        let rendered = took.and_then(|took| stamped.at.checked_sub(took).ok());
        let begun = seen.into_iter().chain(rendered).min();
        let begun = begun.or_else(|| farm.batch(about.batch).map(|batch| batch.assigned));
        let mut attributes = self.tracer.attributes(about);
        attributes.extend(more);
        Some(Span {
            context: parent.frame(frame),
            parent: Some(parent.span),
            name: "frame",
            kind: Kind::Internal,
            begun: begun.unwrap_or(stamped.at),
            ended: stamped.at,
            attributes,
            error: failure.map(|failure| failure.message.clone()),
        })
    }

    fn batch(&mut self, farm: &Farm, id: BatchId) -> Option<Span> {
        self.begun.retain(|(batch, _), _| *batch != id);
        let batch = farm.batch(id)?;
        let (state, ended) = batch.ended?;
        let about = About {
            job: batch.job,
            batch: id,
            frame: None,
            node: Some(batch.node),
        };
        let mut attributes = self.tracer.attributes(about);
        attributes.extend([
            ("farmhand.state", Value::of(word(state))),
            ("farmhand.frames", Value::of(&batch.frames)),
            (
                "farmhand.frames.delivered",
                u64::from(batch.delivered.len()).into(),
            ),
            ("farmhand.frames.failed", u64::from(batch.failed.len()).into()),
            ("farmhand.why", Value::of(&batch.why)),
        ]);
        Some(Span {
            context: self.tracer.of_batch(batch.job, id)?,
            parent: Some(SpanContext::of_job(self.tracer.farm, batch.job).span),
            name: "batch",
            kind: Kind::Internal,
            begun: batch.assigned,
            ended,
            attributes,
            error: (state == BatchState::Lost).then(|| "its node was lost".to_owned()),
        })
    }

    fn job(&self, farm: &Farm, id: JobId) -> Option<Span> {
        let job = farm.job(id)?;
        let state = job.state();
        let counts = job.frames.counts(0);
        let failure = job.last_failure.as_ref().filter(|_| state == JobState::Failed);
        let mut attributes = vec![
            ("farmhand.farm", Value::of(self.tracer.farm)),
            ("farmhand.job", Value::of(id)),
            ("farmhand.job.name", Value::of(&job.name)),
            ("farmhand.state", Value::of(state.word())),
            ("farmhand.frames.delivered", u64::from(counts.delivered).into()),
            ("farmhand.frames.failed", u64::from(counts.failed).into()),
        ];
        attributes.extend(failure.map(error_type));
        Some(Span {
            context: SpanContext::of_job(self.tracer.farm, id),
            parent: None,
            name: "job",
            kind: Kind::Internal,
            begun: job.submitted,
            ended: job.ended?,
            attributes,
            error: match state {
                JobState::Failed => Some(failure.map_or("frames failed", |why| &why.message).to_owned()),
                _ => None,
            },
        })
    }
}

fn about(job: JobId, batch: BatchId, frame: Frame, node: NodeId) -> About {
    About {
        job,
        batch,
        frame: Some(frame),
        node: Some(node),
    }
}

fn error_type(failure: &Failure) -> (&'static str, Value) {
    ("error.type", Value::of(word(failure.kind)))
}

/// As it stands in JSON.
fn word(value: impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
