//! Who may call what, and how often: with a token configured, every call but `/health` needs it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::limit::{Limit, TooMany};
use crate::{Caller, Limits, Reject, Tokens};

/// Header of answers: which tokens the farm has, as [`Tokens::mark`].
pub const TOKENS_HEADER: &str = "farmhand-tokens";

/// The rule of one server.
#[derive(Debug, Clone)]
pub struct Access(Arc<Rule>);

#[derive(Debug)]
struct Rule {
    tokens: Option<Tokens>,
    /// Of those who may only look.
    looking: Option<Tokens>,
    open: Open,
    seed: Option<Limit>,
    api: Option<Limit>,
    wrong_tokens: Limit,
    joins: Limit,
}

/// What is open to those without a token, besides `/health`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open {
    /// The seed calls.
    pub seed: bool,
    /// `POST /v1/join`, which asks for a secret of its own.
    pub join: bool,
}

/// Extension of a request whose token may only look.
#[derive(Debug, Clone, Copy)]
pub struct ReadOnly;

/// What comes of a call before anyone looks at it.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Open,
    /// One of ours: counted.
    Allowed,
    /// One who may only look: counted too.
    Looking,
    /// Who wants to join, and has no token yet.
    Joining,
    FromAWebPage,
    NoToken,
    WrongToken,
}

impl Access {
    /// Asks for one of `tokens`; without any, for nothing (such a server listens on loopback only, see
    /// [`crate::bind`]). Whoever has one of `looking` may look at everything and change nothing.
    pub fn new(tokens: Option<Tokens>, looking: Option<Tokens>, open: Open, limits: Limits) -> Self {
        Self(Arc::new(Rule {
            tokens,
            looking,
            open,
            seed: Limit::new(limits.seed),
            api: Limit::new(limits.api),
            wrong_tokens: Limit::of_wrong_tokens(),
            joins: Limit::of_wrong_tokens(),
        }))
    }

    /// Middleware for the whole router: `middleware::from_fn_with_state(access, Access::check)`.
    ///
    /// Who has the right token is let in whatever else comes from the same address: guessing a token of a
    /// farm would take ages at any rate, and nobody shall be able to lock it out.
    pub async fn check(State(access): State<Self>, mut request: Request, next: Next) -> Response {
        let rule = &access.0;
        let seed = is_seed_call(request.uri().path());
        // A server that is not told where calls come from, as in a test without a socket, has none to count.
        let from = request.extensions().get::<ConnectInfo<Caller>>();
        let from = from.map(|ConnectInfo(Caller(from))| from.ip());
        let count = |limit: Option<&Limit>| match (limit, from) {
            (Some(limit), Some(from)) => limit.count(from),
            (None, _) | (_, None) => Ok(()),
        };
        let verdict = rule.judge(request.uri().path(), request.headers());
        if verdict == Verdict::Looking {
            request.extensions_mut().insert(ReadOnly);
        }
        match verdict {
            Verdict::Open => next.run(request).await,
            Verdict::Looking if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                let said = "this token may only look: what changes something needs the farm's own";
                Reject::new(StatusCode::FORBIDDEN, "read-only", said).into_response()
            }
            Verdict::Allowed | Verdict::Looking => match count(if seed {
                rule.seed.as_ref()
            } else {
                rule.api.as_ref()
            }) {
                Ok(()) => rule.marked(&verdict, next.run(request).await),
                Err(too_many) => slow_down(seed, "calls", too_many),
            },
            Verdict::Joining => match count(Some(&rule.joins)) {
                Ok(()) => next.run(request).await,
                Err(too_many) => slow_down(false, "tries to join", too_many),
            },
            Verdict::FromAWebPage => {
                let said = "without a token this farm answers programs on this machine, not web pages";
                Reject::new(StatusCode::FORBIDDEN, "cross-site", said).into_response()
            }
            Verdict::NoToken => refused(seed),
            Verdict::WrongToken => match count(Some(&rule.wrong_tokens)) {
                Ok(()) => refused(seed),
                Err(too_many) => slow_down(seed, "wrong tokens", too_many),
            },
        }
    }
}

impl Rule {
    /// Where nodes have the tokens from the farm, they are told which it has: when it has others, they get those.
    fn marked(&self, verdict: &Verdict, mut response: Response) -> Response {
        let tokens = self
            .tokens
            .as_ref()
            .filter(|_| self.open.join && *verdict == Verdict::Allowed);
        let mark = tokens.and_then(|tokens| tokens.mark().parse().ok());
        if let Some(mark) = mark {
            response.headers_mut().insert(TOKENS_HEADER, mark);
        }
        response
    }

    fn judge(&self, path: &str, headers: &HeaderMap) -> Verdict {
        let Some(tokens) = &self.tokens else {
            return match (is_from_a_web_page(headers), path) {
                (true, _) => Verdict::FromAWebPage,
                (false, "/health") => Verdict::Open,
                (false, _) => Verdict::Allowed,
            };
        };
        if path == "/health" {
            return Verdict::Open;
        }
        if self.open.seed && is_seed_call(path) {
            return Verdict::Allowed;
        }
        if self.open.join && path == "/v1/join" {
            return Verdict::Joining;
        }
        match bearer(headers) {
            Some(token) if tokens.accepts(token) => Verdict::Allowed,
            Some(token)
                if self
                    .looking
                    .as_ref()
                    .is_some_and(|looking| looking.accepts(token)) =>
            {
                Verdict::Looking
            }
            Some(_) => Verdict::WrongToken,
            None => Verdict::NoToken,
        }
    }
}

fn refused(seed: bool) -> Response {
    let said = "this farm asks for its token: send it as `Authorization: Bearer TOKEN`";
    let mut response = if seed {
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

fn slow_down(seed: bool, what: &str, too_many: TooMany) -> Response {
    let seconds = too_many.retry_after_seconds;
    let said = format!("too many {what} from this address: try again in {seconds} s");
    let mut response = if seed {
        (StatusCode::TOO_MANY_REQUESTS, said).into_response()
    } else {
        Reject::new(StatusCode::TOO_MANY_REQUESTS, "too-many", said).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds.into());
    headers.insert("ratelimit-limit", too_many.limit.into());
    response
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

    fn allows(access: &Access, path: &str, headers: &HeaderMap) -> bool {
        matches!(access.0.judge(path, headers), Verdict::Open | Verdict::Allowed)
    }

    #[test]
    fn without_a_token_no_web_page_can_use_the_farm() {
        let access = Access::new(None, None, Open::default(), Limits::default());
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
            assert!(allows(&access, "/render", &with(header::HOST, host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4000",
            "10.0.0.1:4000",
            "localhost.evil.example",
            "",
        ] {
            assert!(!allows(&access, "/render", &with(header::HOST, host)), "{host}");
        }
        assert!(!allows(
            &access,
            "/v1/jobs",
            &with(header::ORIGIN, "http://evil.example")
        ));
        assert!(allows(&access, "/v1/jobs", &HeaderMap::new()));
    }

    #[test]
    fn a_token_for_looking_is_told_from_the_farms_own() {
        let own = Tokens::from_value("X", "0123456789abcdef").unwrap();
        let looking = Tokens::from_value("X", "look-look-look-look").unwrap();
        let access = Access::new(Some(own), Some(looking), Open::default(), Limits::default());
        let judge = |token: &str| access.0.judge("/v1/jobs", &headers(&format!("Bearer {token}")));
        assert_eq!(judge("look-look-look-look"), Verdict::Looking);
        assert_eq!(judge("0123456789abcdef"), Verdict::Allowed);
        assert_eq!(judge("look-look-look-lool"), Verdict::WrongToken);
    }

    #[test]
    fn with_a_token_only_health_is_open() {
        let tokens = Tokens::from_value("X", "0123456789abcdef").unwrap();
        let access = Access::new(Some(tokens.clone()), None, Open::default(), Limits::default());
        assert!(allows(&access, "/health", &HeaderMap::new()));
        for path in [
            "/", "/job", "/job/1", "/render", "/v1/node", "/health/", "//health", "/healthy",
        ] {
            assert!(!allows(&access, path, &HeaderMap::new()), "{path}");
            assert!(
                !allows(&access, path, &headers("Bearer 0123456789abcdeX")),
                "{path}"
            );
            assert!(!allows(&access, path, &headers("0123456789abcdef")), "{path}");
            assert!(
                allows(&access, path, &headers("bearer 0123456789abcdef")),
                "{path}"
            );
        }
        let doors = Open {
            seed: true,
            join: true,
        };
        let open = Access::new(Some(tokens), None, doors, Limits::default());
        assert!(allows(&open, "/job/7", &HeaderMap::new()) && !allows(&open, "/v1/node", &HeaderMap::new()));
        let joins = |access: &Access, path| access.0.judge(path, &HeaderMap::new()) == Verdict::Joining;
        assert!(joins(&open, "/v1/join") && !joins(&access, "/v1/join"));
        assert!(!joins(&open, "/v1/join/") && !joins(&open, "/v1/certificates"));
    }
}
