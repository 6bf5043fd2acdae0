//! Refusing bodies that are too long in a way that their sender hears of.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use crate::Reject;
use crate::access::is_seed_call;

/// Longest body that is read to its end before it is refused, in bytes.
const MOST_READ: u64 = 64 << 20;

/// Longest time that reading it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Middleware that answers 413 to bodies of more than `limit` bytes:
/// `middleware::from_fn_with_state(limit, refuse_oversized)`. Answering before the body is read would close
/// the connection under a sender that still writes, who then sees a broken pipe instead of the reason.
pub async fn refuse_oversized(State(limit): State<u64>, request: Request, next: Next) -> Response {
    let length: Option<u64> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    match length {
        Some(length) if length > limit => {
            let said = format!("the body has {length} bytes, and this call takes at most {limit}");
            let is_seed = is_seed_call(request.uri().path());
            if length <= MOST_READ {
                let _slow_senders_hear_nothing =
                    tokio::time::timeout(PATIENCE, discard(request.into_body())).await;
            }
            if is_seed {
                (StatusCode::PAYLOAD_TOO_LARGE, said).into_response()
            } else {
                Reject::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", said).into_response()
            }
        }
        _ => next.run(request).await,
    }
}

async fn discard(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(_)) = chunks.next().await {}
}
