//! Stages of a frame's life on this node, told as spans. Must not know what they lead to.

use farmhand_observe::{Kind, Span, Spans, Value};
use farmhand_protocol::agent::StartBatch;
use farmhand_protocol::{Failure, Frame, NodeId, SpanContext};
use jiff::Timestamp;

/// What a batch is part of, and who wants to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traced<'a> {
    pub(crate) spans: &'a Spans,
    /// The batch's span; nothing where its caller keeps no trace of it.
    pub(crate) batch: Option<SpanContext>,
    pub(crate) node: NodeId,
}

/// The stages of one frame. One that is given up is not told of.
#[derive(Debug)]
pub(crate) struct Stages<'a> {
    spans: &'a Spans,
    frame: Option<SpanContext>,
    about: Vec<(&'static str, Value)>,
    now: Option<(&'static str, Timestamp)>,
}

impl<'a> Stages<'a> {
    /// Of a frame of which nothing has begun yet.
    pub(crate) fn new(traced: Traced<'a>, request: &StartBatch, frame: Frame) -> Self {
        let about = || {
            vec![
                ("farmhand.farm", Value::of(request.farm)),
                ("farmhand.job", Value::of(request.job)),
                ("farmhand.batch", Value::of(request.batch)),
                ("farmhand.frame", frame.get().into()),
                ("farmhand.node", Value::of(traced.node)),
            ]
        };
        Self {
            spans: traced.spans,
            frame: traced.batch.map(|batch| batch.frame(frame)),
            about: traced.batch.map(|_| about()).unwrap_or_default(),
            now: None,
        }
    }

    /// The next stage begins; the one before has ended well.
    pub(crate) fn begin(&mut self, name: &'static str) {
        self.end();
        self.now = Some((name, Timestamp::now()));
    }

    /// The stage has ended well.
    pub(crate) fn end(&mut self) {
        if let Some((name, begun)) = self.now.take() {
            self.tell(name, begun, None);
        }
    }

    /// The stage has failed.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        // What fails before Blender has begun was to be rendered.
        let (name, begun) = self.now.take().unwrap_or_else(|| ("render", Timestamp::now()));
        self.tell(name, begun, Some(failure));
    }

    fn tell(&self, name: &'static str, begun: Timestamp, failure: Option<&Failure>) {
        let Some(frame) = self.frame else { return };
        let mut attributes = self.about.clone();
        attributes.extend(failure.map(|failure| {
            let kind = serde_json::to_value(failure.kind).unwrap_or_default();
            ("error.type", Value::of(kind.as_str().unwrap_or_default()))
        }));
        self.spans.tell(Span {
            context: frame.part(&format!("{name} {}", begun.as_nanosecond())),
            parent: Some(frame.span),
            name,
            kind: Kind::Internal,
            begun,
            ended: Timestamp::now(),
            attributes,
            error: failure.map(|failure| failure.message.clone()),
        });
    }
}
