//! What the four seed calls have in common: `{"from": 1, "to": 5}` in, one line of plain text out.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farmhand_protocol::{Frame, FrameSet};
use serde_json::Value;

/// Reads the body of `POST /job` or `POST /render`, whatever its content type.
///
/// # Errors
/// One line that says what is wrong, for a 400.
pub fn frames(body: &[u8]) -> Result<FrameSet, String> {
    if body.is_empty() {
        return Err(r#"no body: send {"from": 1, "to": 5}"#.to_owned());
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let Value::Object(fields) = body else {
        return Err(r#"the body is not an object: send {"from": 1, "to": 5}"#.to_owned());
    };
    let field = |name: &str| {
        let value = fields
            .get(name)
            .ok_or_else(|| format!("the field \"{name}\" is missing"))?;
        let number = value
            .as_i64()
            .ok_or_else(|| format!("the field \"{name}\" is not a whole number"))?;
        Frame::try_from(number).map_err(|error| format!("the field \"{name}\": {error}"))
    };
    let (from, to) = (field("from")?, field("to")?);
    FrameSet::range(from, to).map_err(|_| format!("\"from\" ({from}) is higher than \"to\" ({to})"))
}

/// 400 with one line of text.
pub fn refused(line: impl Into<String>) -> Response {
    (StatusCode::BAD_REQUEST, one_line(&line.into())).into_response()
}

/// 202 with where to ask and when; the body comes with it.
pub fn accepted(location: &str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 2] = [(header::LOCATION, location), (header::RETRY_AFTER, "5")];
    (StatusCode::ACCEPTED, headers, body).into_response()
}

/// 503 with one line of text.
pub fn unavailable(line: impl Into<String>) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "30")],
        one_line(&line.into()),
    )
        .into_response()
}

/// How a job stands, to someone who polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not ended.
    Running,
    /// Every frame is there.
    Completed,
    /// It failed, for this reason.
    Failed(String),
    /// A person cancelled it.
    Cancelled,
}

/// Answer to `GET /job/<pid>` and `GET /status/<jobId>`, `location` being the asked path.
pub fn status(outcome: &Outcome, location: &str) -> Response {
    match outcome {
        Outcome::Running => accepted(location, "Job still running"),
        Outcome::Completed => "Job completed".into_response(),
        Outcome::Failed(reason) => one_line(&format!("Job failed: {reason}")).into_response(),
        Outcome::Cancelled => "Job cancelled".into_response(),
    }
}

fn one_line(text: &str) -> String {
    text.split(['\r', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_in_blenders_range_and_in_order_are_frames() {
        let parsed = |body: &str| frames(body.as_bytes()).map(|frames| frames.to_string());
        assert_eq!(parsed(r#"{"from":1,"to":5}"#).unwrap(), "1-5");
        assert_eq!(parsed(r#"{"from":-5,"to":-5,"more":true}"#).unwrap(), "-5");
        for (body, said) in [
            ("", "no body"),
            ("{", "not JSON"),
            ("[1,5]", "not an object"),
            (r#"{"from":1}"#, "\"to\" is missing"),
            (r#"{"from":"1","to":5}"#, "\"from\" is not a whole number"),
            (r#"{"from":1.0,"to":5}"#, "\"from\" is not a whole number"),
            (r#"{"from":1,"to":1e9}"#, "\"to\" is not a whole number"),
            (r#"{"from":1,"to":1000000000}"#, "outside Blender's range"),
            (r#"{"from":null,"to":true}"#, "\"from\" is not a whole number"),
            (r#"{"from":6,"to":5}"#, "\"from\" (6) is higher than \"to\" (5)"),
            (
                r#"{"from":"$(reboot)","to":"; rm -rf /"}"#,
                "\"from\" is not a whole number",
            ),
        ] {
            let error = parsed(body).unwrap_err();
            assert!(error.contains(said) && !error.contains('\n'), "{body}: {error}");
        }
    }
}
