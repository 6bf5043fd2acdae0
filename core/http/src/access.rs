//! Who may call what: with a token configured, every call but `/health` needs it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::{Reject, Tokens};

/// The rule of one server.
#[derive(Debug, Clone)]
pub struct Access {
    tokens: Option<Arc<Tokens>>,
    open_seed: bool,
}

impl Access {
    /// Asks for one of `tokens`; without any, for nothing (such a server listens on loopback only, see
    /// [`crate::bind`]). `open_seed` lets anyone use the seed calls.
    pub fn new(tokens: Option<Tokens>, open_seed: bool) -> Self {
        Self {
            tokens: tokens.map(Arc::new),
            open_seed,
        }
    }

    fn allows(&self, path: &str, headers: &HeaderMap) -> bool {
        let Some(tokens) = &self.tokens else { return true };
        let open = path == "/health" || (self.open_seed && is_seed_call(path));
        open || bearer(headers).is_some_and(|token| tokens.accepts(token))
    }

    /// Middleware for the whole router: `middleware::from_fn_with_state(access, Access::check)`.
    pub async fn check(State(access): State<Self>, request: Request, next: Next) -> Response {
        if access.allows(request.uri().path(), request.headers()) {
            return next.run(request).await;
        }
        let said = "this farm asks for its token: send it as `Authorization: Bearer TOKEN`";
        let mut response = if is_seed_call(request.uri().path()) {
            (StatusCode::UNAUTHORIZED, said).into_response()
        } else {
            Reject::new(StatusCode::UNAUTHORIZED, "token-missing", said).into_response()
        };
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static("Bearer"),
        );
        response
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a path belongs to one of the four seed calls.
pub(crate) fn is_seed_call(path: &str) -> bool {
    matches!(path, "/job" | "/render") || path.starts_with("/job/") || path.starts_with("/status/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        [(header::AUTHORIZATION, value.parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn with_a_token_only_health_is_open() {
        let tokens = Tokens::from_value("X", "0123456789abcdef").unwrap();
        let access = Access::new(Some(tokens.clone()), false);
        assert!(access.allows("/health", &HeaderMap::new()));
        for path in [
            "/", "/job", "/job/1", "/render", "/v1/node", "/health/", "//health", "/healthy",
        ] {
            assert!(!access.allows(path, &HeaderMap::new()), "{path}");
            assert!(
                !access.allows(path, &headers("Bearer 0123456789abcdeX")),
                "{path}"
            );
            assert!(!access.allows(path, &headers("0123456789abcdef")), "{path}");
            assert!(access.allows(path, &headers("bearer 0123456789abcdef")), "{path}");
        }
        let open = Access::new(Some(tokens), true);
        assert!(open.allows("/job/7", &HeaderMap::new()) && !open.allows("/v1/node", &HeaderMap::new()));
    }
}
