//! Calls that change something are noted as they are answered; and the call that shows what was noted.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use farmhand_http::{Caller, Json, Query};
use farmhand_protocol::farm::Page;
use farmhand_protocol::{AuditEntry, USER_HEADER};
use serde::Deserialize;

use crate::audit::AuditLog;
use crate::front::{Front, FrontError};

/// Longer bodies are left out, in bytes.
const LONGEST_BODY: usize = 4000;

/// Longer names are cut, in characters.
const LONGEST_USER: usize = 100;

/// The call whose body is a secret, and that anyone can make.
const JOIN: &str = "/v1/join";

/// Middleware behind the token rule. Uploads are left out: the submission that uses them is noted. So are those who
/// are not let in.
pub(super) async fn record(State(log): State<Arc<AuditLog>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if matches!(*request.method(), Method::GET | Method::HEAD) || path.starts_with("/v1/blobs/") {
        return next.run(request).await;
    }
    let call = format!("{} {path}", request.method());
    let user = user(request.headers());
    let from = request.extensions().get::<ConnectInfo<Caller>>();
    let address = from.map_or_else(String::new, |ConnectInfo(Caller(from))| from.ip().to_string());
    let joins = path == JOIN;
    let (request, body) = if joins {
        (request, None)
    } else {
        with_body(request).await
    };
    let response = next.run(request).await;
    if joins && !response.status().is_success() {
        return response;
    }
    let entry = AuditEntry {
        seq: 0,
        at: jiff::Timestamp::now(),
        user,
        address,
        call,
        body,
        status: response.status().as_u16(),
    };
    let noted = tokio::task::spawn_blocking(move || log.add(entry)).await;
    if let Ok(Err(error)) = noted {
        tracing::error!(%error, "the audit log cannot be written");
    }
    response
}

fn user(headers: &HeaderMap) -> String {
    let name = headers.get(USER_HEADER).map(axum::http::HeaderValue::as_bytes);
    String::from_utf8_lossy(name.unwrap_or_default())
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST_USER)
        .collect()
}

/// The request as it was, and its body as text where that is short.
async fn with_body(request: Request) -> (Request, Option<String>) {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if !length.is_some_and(|length| (1..=LONGEST_BODY).contains(&length)) {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    // One that breaks off is refused further in, as an empty one is.
    let bytes = to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).ok();
    (Request::from_parts(parts, Body::from(bytes)), text)
}

/// Query of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct Part {
    /// Only those before this one: the `next` of the page before.
    cursor: Option<u64>,
    /// Entries of the page; 500 without it, 2000 at most.
    limit: Option<usize>,
}

pub(super) async fn list(
    State(front): State<Front>,
    Query(Part { cursor, limit }): Query<Part>,
) -> Result<Json<Page<AuditEntry>>, FrontError> {
    Ok(Json(front.audit(cursor, limit).await?))
}
