//! An agent of another version: a real one behind a server that changes what it says.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http;

/// Stands before an agent and makes it one of protocol `1.minor`: every object of JSON has a member that today's
/// version does not know, and every event is followed by one that it does not know. What it is asked stays as it is:
/// an agent refuses settings that it does not know rather than render something else, so that an orchestrator of a
/// newer version leaves out what a job does not use. Dropped, it goes.
#[derive(Debug)]
pub struct Translator {
    /// Its base address.
    pub address: String,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Agent {
    address: String,
    minor: u16,
}

impl Translator {
    /// Starts one before the agent at `agent`.
    ///
    /// # Panics
    /// Where loopback has no port left.
    pub async fn start(agent: &str, minor: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let agent = Agent {
            address: agent.to_owned(),
            minor,
        };
        let routes = Router::new().fallback(pass_on).with_state(agent);
        Self {
            address: format!("http://{address}"),
            server: tokio::spawn(async move {
                axum::serve(listener, routes).await.expect("loopback is there");
            }),
        }
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass_on(State(agent): State<Agent>, request: Request) -> Response {
    match translate(&agent, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn translate(
    agent: &Agent,
    request: Request,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    let url = format!("{}{}", agent.address, parts.uri);
    let call = http().request(parts.method, url).headers(headers).body(body);
    let answer = call.send().await?;

    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let body = if speaks(&headers, "text/event-stream") {
        let agent = agent.clone();
        Body::from_stream(answer.bytes_stream().scan(Vec::new(), move |kept, piece| {
            std::future::ready(
                piece
                    .ok()
                    .map(|piece| Ok::<_, axum::Error>(events(kept, &piece, agent.minor))),
            )
        }))
    } else if speaks(&headers, "application/json") {
        headers.remove(header::CONTENT_LENGTH);
        Body::from(newer(&answer.bytes().await?, agent.minor))
    } else {
        Body::from_stream(answer.bytes_stream())
    };
    Ok((status, headers, body).into_response())
}

fn speaks(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(kind.as_bytes()))
}

/// JSON of the newer version; what is none, such as an empty body, stays as it is.
fn newer(json: &[u8], minor: u16) -> Bytes {
    let Ok(mut value) = serde_json::from_slice(json) else {
        return Bytes::copy_from_slice(json);
    };
    add_members(&mut value, minor);
    value.to_string().into()
}

/// The whole lines of what has come, events changed. What is not yet a line is kept.
fn events(kept: &mut Vec<u8>, piece: &[u8], minor: u16) -> Bytes {
    kept.extend_from_slice(piece);
    let Some(end) = kept.iter().rposition(|byte| *byte == b'\n') else {
        return Bytes::new();
    };
    let whole: Vec<u8> = kept.drain(..=end).collect();
    let mut said = String::new();
    for line in String::from_utf8_lossy(&whole).lines() {
        if let Some(data) = line.strip_prefix("data:") {
            let data = newer(data.trim().as_bytes(), minor);
            said.extend(["data: ", &String::from_utf8_lossy(&data), "\n\n"]);
            said.push_str("data: {\"type\":\"eclipse\",\"of\":\"the sun\"}\n");
        } else {
            said.extend([line, "\n"]);
        }
    }
    said.into()
}

fn add_members(value: &mut Value, minor: u16) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(|member| add_members(member, minor));
            if members.contains_key("major") {
                members.insert("minor".to_owned(), json!(minor));
            }
            members.insert("of_a_newer_version".to_owned(), json!({"certainty": [0.5, null]}));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| add_members(value, minor)),
        _ => {}
    }
}
