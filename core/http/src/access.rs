//! Who may call what: with a token configured, every call but `/health` needs it.

use std::net::IpAddr;
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
        let Some(tokens) = &self.tokens else {
            return !is_from_a_web_page(headers);
        };
        let open = path == "/health" || (self.open_seed && is_seed_call(path));
        open || bearer(headers).is_some_and(|token| tokens.accepts(token))
    }

    /// Middleware for the whole router: `middleware::from_fn_with_state(access, Access::check)`.
    pub async fn check(State(access): State<Self>, request: Request, next: Next) -> Response {
        if access.allows(request.uri().path(), request.headers()) {
            return next.run(request).await;
        }
        if access.tokens.is_none() {
            let said = "without a token this farm answers programs on this machine, not web pages";
            return Reject::new(StatusCode::FORBIDDEN, "cross-site", said).into_response();
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

/// Whether a browser sent this for a page: then any page in the world may have asked it to, and some reach
/// loopback under a name of their own. Browsers send `Origin` with every call that could change something,
/// and the name that they dialled as `Host`.
fn is_from_a_web_page(headers: &HeaderMap) -> bool {
    let is_here = |host: &str| {
        let name = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let host = headers
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or_default());
    headers.contains_key(header::ORIGIN) || host.is_some_and(|host| !is_here(host))
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
    fn without_a_token_no_web_page_can_use_the_farm() {
        let access = Access::new(None, false);
        let with = |name, value: &str| {
            [(name, value.parse().unwrap())]
                .into_iter()
                .collect::<HeaderMap>()
        };
        for host in [
            "127.0.0.1:4000",
            "localhost",
            "LOCALHOST:4000",
            "[::1]:4000",
            "127.0.0.1",
            "[::1]",
        ] {
            assert!(access.allows("/render", &with(header::HOST, host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4000",
            "10.0.0.1:4000",
            "localhost.evil.example",
            "",
        ] {
            assert!(!access.allows("/render", &with(header::HOST, host)), "{host}");
        }
        assert!(!access.allows("/v1/jobs", &with(header::ORIGIN, "http://evil.example")));
        assert!(access.allows("/v1/jobs", &HeaderMap::new()));
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
