//! The way to one agent: its calls and its events. That it is HTTP, and that we dial, is known here only, so
//! that another way can stand behind the same methods. Must not know the farm.

use std::time::Duration;

use bytes::Bytes;
use farmhand_http::{Part, RECEIVED_HEADER, Received, RetryDelay, Tokens, cause_of, client, follow};
use farmhand_protocol::agent::{
    AgentEvent, BatchReport, BlobsPulled, FramesRevoked, NodeInfo, PullBlobs, RevokeFrames, StartBatch,
};
use farmhand_protocol::farm::Page;
use farmhand_protocol::{
    BatchKey, BlobHash, Frame, FrameSet, PROTOCOL, PROTOCOL_HEADER, Problem, SpanContext, TRACEPARENT_HEADER,
    TreePath,
};
use farmhand_tls::Trust;
use futures_util::{Stream, StreamExt};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

/// Time within which an ordinary call must be answered.
const PATIENCE: Duration = Duration::from_secs(15);

/// An agent beats every two seconds: this is three beats missed.
const SILENCE: Duration = Duration::from_secs(7);

const RETRY: RetryDelay = RetryDelay {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(3),
};

/// One agent as it can be called. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AgentLink {
    http: reqwest::Client,
    address: String,
    tokens: Option<Tokens>,
}

/// Why a call to an agent gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody answered, or the answer broke off: what was asked may have happened.
    #[error("no answer from {address}: {cause}")]
    Unreachable { address: String, cause: String },
    /// The agent said no, and why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// An answer that this version cannot read.
    #[error("cannot read the answer of {address}: {cause}")]
    Unreadable { address: String, cause: String },
}

/// A list, whole or in pages.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Listing {
    Page(Page<BatchReport>),
    Whole(Vec<BatchReport>),
}

/// How much of a blob an agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Whole,
    /// So many bytes of it.
    Part(u64),
}

/// A client for all agents.
pub(crate) fn http_client(trust: &Trust) -> reqwest::Client {
    client(trust)
        .connect_timeout(Duration::from_secs(3))
        .tcp_keepalive(Duration::from_secs(15))
        .build()
        .expect("a client with fixed options can always be built")
}

impl AgentLink {
    pub(crate) fn new(http: reqwest::Client, address: String, tokens: Option<Tokens>) -> Self {
        Self {
            http,
            address,
            tokens,
        }
    }

    /// The same agent at another address.
    pub(crate) fn at(&self, address: String) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The agent's events, for ever: reconnects and resumes by itself.
    pub(crate) fn events(&self) -> impl Stream<Item = Received<AgentEvent>> + Send + use<> {
        let link = self.clone();
        let request = move |after: Option<farmhand_protocol::EventId>| {
            let request = link.request(Method::GET, "/v1/events");
            match after {
                Some(id) => request.query(&[("after", id.to_string())]),
                None => request,
            }
        };
        follow(request, SILENCE, RETRY)
    }

    /// What the agent says of itself.
    pub(crate) async fn node(&self) -> Result<NodeInfo, CallError> {
        self.read(self.request(Method::GET, "/v1/node")).await
    }

    /// All batches on it, of whatever farm.
    pub(crate) async fn batches(&self) -> Result<Vec<BatchReport>, CallError> {
        let mut batches = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = self.request(Method::GET, "/v1/batches");
            let request = match &cursor {
                Some(cursor) => request.query(&[("cursor", cursor)]),
                None => request,
            };
            let (mut items, next) = match self.read(request).await? {
                Listing::Page(page) => (page.items, page.next),
                Listing::Whole(items) => (items, None),
            };
            batches.append(&mut items);
            cursor = next;
            if cursor.is_none() {
                return Ok(batches);
            }
        }
    }

    /// Hands it a batch, and tells which span its own are part of.
    pub(crate) async fn start(
        &self,
        batch: &StartBatch,
        trace: Option<SpanContext>,
    ) -> Result<(), CallError> {
        let request = self.request(Method::POST, "/v1/batches").json(batch);
        let request = match trace {
            Some(trace) => request.header(TRACEPARENT_HEADER, trace.to_string()),
            None => request,
        };
        self.done(request).await
    }

    /// Takes frames back where they have not started; returns those.
    pub(crate) async fn revoke(&self, key: BatchKey, frames: FrameSet) -> Result<FrameSet, CallError> {
        let request = self.request(Method::POST, &format!("/v1/batches/{key}/revoke"));
        let revoked: FramesRevoked = self.read(request.json(&RevokeFrames { frames })).await?;
        Ok(revoked.revoked)
    }

    /// Stops a batch and lets the agent forget it.
    pub(crate) async fn drop_batch(&self, key: BatchKey) -> Result<(), CallError> {
        self.done(self.request(Method::DELETE, &format!("/v1/batches/{key}")))
            .await
    }

    /// Lets the agent forget a frame.
    pub(crate) async fn acknowledge(&self, key: BatchKey, frame: Frame) -> Result<(), CallError> {
        let path = format!("/v1/batches/{key}/frames/{frame}/ack");
        self.done(self.request(Method::POST, &path)).await
    }

    /// A file of a finished frame, as it comes.
    pub(crate) async fn file(
        &self,
        key: BatchKey,
        frame: Frame,
        path: &TreePath,
    ) -> Result<impl Stream<Item = Result<Bytes, CallError>> + Send + use<>, CallError> {
        let request = self.request(Method::GET, &file_path(key, frame, path));
        let response = self.answer(request, Some(PATIENCE)).await?;
        let address = self.address.clone();
        Ok(response.bytes_stream().map(move |chunk| {
            chunk.map_err(|error| CallError::Unreachable {
                address: address.clone(),
                cause: cause_of(&error),
            })
        }))
    }

    /// The log of a batch, as far as it is kept.
    pub(crate) async fn log(&self, key: BatchKey) -> Result<String, CallError> {
        let request = self.request(Method::GET, &format!("/v1/batches/{key}/log"));
        let response = self.answer(request.timeout(PATIENCE), None).await?;
        response.text().await.map_err(|error| self.unreachable(&error))
    }

    /// How much of a blob the agent has.
    pub(crate) async fn held(&self, hash: BlobHash) -> Result<Held, CallError> {
        let request = self.request(Method::HEAD, &format!("/v1/blobs/{hash}"));
        let sent = request.timeout(PATIENCE).send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            status if status.is_success() => Ok(Held::Whole),
            StatusCode::NOT_FOUND => {
                let received = response.headers().get(RECEIVED_HEADER);
                let received = received.and_then(|value| value.to_str().ok()?.parse().ok());
                Ok(Held::Part(received.unwrap_or(0)))
            }
            status => Err(CallError::Refused(Box::new(problem(status, "")))),
        }
    }

    /// Sends the agent the rest of a blob, from `from` on.
    pub(crate) async fn put_blob(
        &self,
        hash: BlobHash,
        from: u64,
        size: u64,
        body: reqwest::Body,
    ) -> Result<(), CallError> {
        let mut request = self
            .request(Method::PUT, &format!("/v1/blobs/{hash}"))
            .header(reqwest::header::CONTENT_LENGTH, size - from);
        if let Some(range) = Part::header(from, size) {
            request = request.header(reqwest::header::CONTENT_RANGE, range);
        }
        self.answer(request.body(body), None).await.map(drop)
    }

    /// Has the agent get blobs from other agents; answered when it has what it could get.
    pub(crate) async fn pull(&self, request: &PullBlobs) -> Result<BlobsPulled, CallError> {
        let request = self.request(Method::POST, "/v1/blobs").json(request);
        let response = self.answer(request, None).await?;
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|error| CallError::Unreadable {
            address: self.address.clone(),
            cause: error.to_string(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.address))
            .header(PROTOCOL_HEADER, PROTOCOL.to_string());
        match &self.tokens {
            Some(tokens) => request.bearer_auth(tokens.first()),
            None => request,
        }
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), CallError> {
        self.answer(request.timeout(PATIENCE), None).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let response = self.answer(request.timeout(PATIENCE), None).await?;
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|error| CallError::Unreadable {
            address: self.address.clone(),
            cause: error.to_string(),
        })
    }

    /// Sends a request; `patience` limits the wait for the answer's head, not for its body.
    async fn answer(
        &self,
        request: RequestBuilder,
        patience: Option<Duration>,
    ) -> Result<Response, CallError> {
        let sent = request.send();
        let sent = match patience {
            Some(patience) => match tokio::time::timeout(patience, sent).await {
                Ok(sent) => sent,
                Err(_) => {
                    return Err(CallError::Unreachable {
                        address: self.address.clone(),
                        cause: "it took too long".to_owned(),
                    });
                }
            },
            None => sent.await,
        };
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.text().await.unwrap_or_default();
        Err(CallError::Refused(Box::new(problem(status, &body))))
    }

    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        CallError::Unreachable {
            address: self.address.clone(),
            cause: cause_of(error),
        }
    }
}

/// The path of a frame's file. What a path may hold and a URL may not is escaped part by part.
fn file_path(key: BatchKey, frame: Frame, path: &TreePath) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    let escaped: String = path.as_str().bytes().map(escape).collect();
    format!("/v1/batches/{key}/frames/{frame}/{escaped}")
}

fn problem(status: StatusCode, body: &str) -> Problem {
    Problem::of_answer(status.as_u16(), body, &status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_path_reaches_the_agent_whole() {
        let key = "00000000-0000-0000-0000-000000000001.b4".parse().unwrap();
        let path = "käse #1/0007.exr".parse().unwrap();
        assert_eq!(
            file_path(key, 7i64.try_into().unwrap(), &path),
            "/v1/batches/00000000-0000-0000-0000-000000000001.b4/frames/7/k%C3%A4se%20%231/0007.exr"
        );
    }
}
