//! Extractors whose refusals are problem details, and a JSON body that rejects fields nobody knows.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use farmhand_protocol::{PROTOCOL, PROTOCOL_HEADER, ProtocolVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Reject;

/// A JSON body, in requests and responses.
///
/// A request of our own protocol version, or of a client that names none, may hold only fields that we know:
/// a mistyped field must not be ignored. A newer client's further fields are.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// A [`Json`] body that may be left out.
#[derive(Debug, Clone, Copy)]
pub struct JsonOrDefault<T>(pub T);

/// Parameters in the path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// Parameters behind the `?`.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Reject;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reject> {
        let (strict, body) = read(request, state).await?;
        parse(&body, strict).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for JsonOrDefault<T> {
    type Rejection = Reject;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reject> {
        let (strict, body) = read(request, state).await?;
        if body.is_empty() {
            Ok(Self(T::default()))
        } else {
            parse(&body, strict).map(Self)
        }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(bool, Bytes), Reject> {
    let version = request
        .headers()
        .get(PROTOCOL_HEADER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let strict = version.is_none_or(|version: ProtocolVersion| version == PROTOCOL);
    let body = Bytes::from_request(request, state)
        .await
        .map_err(|rejection| Reject::new(rejection.status(), "bad-body", rejection.body_text()))?;
    Ok((strict, body))
}

fn parse<T: DeserializeOwned>(body: &[u8], strict: bool) -> Result<T, Reject> {
    let bad = |detail: String| Reject::new(StatusCode::BAD_REQUEST, "bad-body", detail);
    let mut unknown = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_ignored::deserialize(&mut json, |path| unknown.push(path.to_string()))
        .map_err(|error| bad(error.to_string()))?;
    json.end().map_err(|error| bad(error.to_string()))?;
    if strict && !unknown.is_empty() {
        return Err(bad(format!("unknown field {}", unknown.join(", "))));
    }
    Ok(value)
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Reject;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reject> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Reject::new(rejection.status(), "bad-path", rejection.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Reject;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reject> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Reject::new(
                rejection.status(),
                "bad-query",
                rejection.body_text(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        n: u8,
    }

    #[test]
    fn a_mistyped_field_is_refused_and_a_newer_clients_field_is_not() {
        let body = br#"{"n":1,"m":2}"#;
        assert!(parse::<Asked>(body, true).is_err());
        assert_eq!(parse::<Asked>(body, false).unwrap().n, 1);
        assert!(parse::<Asked>(br#"{"n":1} trailing"#, false).is_err());
    }
}
