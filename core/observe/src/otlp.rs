//! Spans in the JSON form of OTLP 1: `ExportTraceServiceRequest`. Ids are hexadecimal there, 64-bit numbers texts.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::span::{Kind, Span, Value};

/// Who tells.
#[derive(Debug, Clone)]
pub struct Program {
    /// `service.name`.
    pub name: &'static str,
    /// `service.version`.
    pub version: &'static str,
    /// `service.instance.id`: which of those that are called so.
    pub instance: String,
}

/// The body of a request that tells of these spans.
pub(crate) fn request(program: &Program, spans: &[Span]) -> Json {
    let resource = [
        ("service.name", Value::of(program.name)),
        ("service.version", Value::of(program.version)),
        ("service.instance.id", Value::of(&program.instance)),
    ];
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{
            "scope": {"name": "farmhand", "version": program.version},
            "spans": spans.iter().map(span).collect::<Vec<Json>>(),
        }],
    }]})
}

fn span(span: &Span) -> Json {
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Client => 3,
    };
    // A clock that is set back must not make a span end before it began.
    let ended = span.ended.max(span.begun);
    let mut json = json!({
        "traceId": span.context.trace.to_string(),
        "spanId": span.context.span.to_string(),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(span.begun),
        "endTimeUnixNano": nanoseconds(ended),
        "attributes": attributes(&span.attributes),
        "status": {},
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = parent.to_string().into();
    }
    if let Some(reason) = &span.error {
        json["status"] = json!({"code": 2, "message": reason});
    }
    json
}

fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

fn attributes(pairs: &[(&'static str, Value)]) -> Vec<Json> {
    let attribute = |(key, value): &(&'static str, Value)| {
        let value = match value {
            Value::Text(text) => json!({"stringValue": text}),
            Value::Number(number) => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    pairs.iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_form_that_collectors_read() {
        let job: farmhand_protocol::SpanContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let begun: Timestamp = "2026-01-01T00:00:00.000000007Z".parse().unwrap();
        let failed = Span {
            context: job.part("render"),
            parent: Some(job.span),
            name: "render",
            kind: Kind::Client,
            begun,
            // The clock was set back meanwhile.
            ended: "2025-01-01T00:00:00Z".parse().unwrap(),
            attributes: vec![
                ("farmhand.job", Value::of("j7")),
                ("farmhand.frame", Value::Number(-3)),
            ],
            error: Some("no \"camera\"".to_owned()),
        };
        let program = Program {
            name: "farmhand",
            version: "1.0.0",
            instance: "a".to_owned(),
        };
        let expected = json!({"resourceSpans": [{
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "farmhand"}},
                {"key": "service.version", "value": {"stringValue": "1.0.0"}},
                {"key": "service.instance.id", "value": {"stringValue": "a"}},
            ]},
            "scopeSpans": [{
                "scope": {"name": "farmhand", "version": "1.0.0"},
                "spans": [{
                    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "spanId": job.part("render").span.to_string(),
                    "parentSpanId": "00f067aa0ba902b7",
                    "name": "render",
                    "kind": 3,
                    "startTimeUnixNano": "1767225600000000007",
                    "endTimeUnixNano": "1767225600000000007",
                    "attributes": [
                        {"key": "farmhand.job", "value": {"stringValue": "j7"}},
                        {"key": "farmhand.frame", "value": {"intValue": "-3"}},
                    ],
                    "status": {"code": 2, "message": "no \"camera\""},
                }],
            }],
        }]});
        assert_eq!(request(&program, &[failed]), expected);
    }
}
