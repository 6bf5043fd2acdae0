//! Getting blobs from other nodes that have them: several at a time, each verified, each from the next source
//! where one fails. Must not know why they are wanted, or what a scene is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use farmhand_http::{Part, cause_of};
use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::{BlobsPulled, PullBlobs};
use farmhand_tls::Trust;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use reqwest::header;

use crate::agent::Agent;
use crate::metrics::Way;

const AT_A_TIME: usize = 4;
/// A source that says nothing for so long is left for the next one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gets what it can.
pub(crate) async fn pull(agent: &Arc<Agent>, request: PullBlobs) -> BlobsPulled {
    let sources = &request.sources;
    let got = stream::iter(request.blobs)
        .map(|hash| async move { (hash, from_any(agent, sources, hash).await) })
        .buffer_unordered(AT_A_TIME);
    let nothing = BlobsPulled {
        missing: Vec::new(),
        bytes: 0,
    };
    got.fold(nothing, |mut all, (hash, got)| async move {
        match got {
            Some(bytes) => all.bytes += bytes,
            None => all.missing.push(hash),
        }
        all
    })
    .await
}

/// Bytes that came; nothing where no source has it.
async fn from_any(agent: &Arc<Agent>, sources: &[String], hash: BlobHash) -> Option<u64> {
    if agent.blobs.size(hash).is_some() {
        agent.blobs.touch(hash);
        return Some(0);
    }
    for source in sources {
        let before = agent.blobs.received(hash);
        match from_one(agent, source, hash, before).await {
            Ok(()) => return Some(agent.blobs.size(hash).unwrap_or(0).saturating_sub(before)),
            Err(error) => tracing::debug!(source, %hash, error, "a blob did not come from there"),
        }
    }
    None
}

async fn from_one(agent: &Arc<Agent>, source: &str, hash: BlobHash, from: u64) -> Result<(), String> {
    let mut request = agent.peers.get(format!("{source}/v1/blobs/{hash}"));
    if from > 0 {
        request = request.header(header::RANGE, format!("bytes={from}-"));
    }
    if let Some(tokens) = &agent.config.tokens {
        request = request.bearer_auth(tokens.first());
    }
    let answered = tokio::time::timeout(PATIENCE, request.send()).await;
    let response = answered
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| cause_of(&error))?;
    let from = match response.status() {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT => from,
        status => return Err(status.to_string()),
    };
    let size = response.content_length().map(|rest| rest + from);
    if let Some(size) = size.filter(|size| agent.blobs.lacks_room_for(*size)) {
        let agent = Arc::clone(agent);
        let _it_is_logged = tokio::task::spawn_blocking(move || agent.make_room(size)).await;
    }
    let chunks = response
        .bytes_stream()
        .inspect_ok(|chunk| agent.metrics.travelled(Way::In, chunk.len() as u64));
    let content = not_silent(chunks);
    let put = agent.blobs.put(hash, Part { from, size }, content).await;
    put.map(drop).map_err(words)
}

/// The stream, ended by an error when nothing comes for a while.
fn not_silent<E: std::fmt::Display>(
    chunks: impl Stream<Item = Result<Bytes, E>>,
) -> impl Stream<Item = Result<Bytes, String>> {
    stream::unfold(Some(Box::pin(chunks)), |chunks| async {
        let mut chunks = chunks?;
        match tokio::time::timeout(PATIENCE, chunks.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Ok(None) => None,
            Err(_) => Some((Err("the source fell silent".to_owned()), None)),
        }
    })
}

/// A client for other nodes.
pub(crate) fn client(trust: &Trust) -> reqwest::Client {
    farmhand_http::client(trust)
        .connect_timeout(Duration::from_secs(2))
        .build()
        .expect("a client with fixed options can always be built")
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
