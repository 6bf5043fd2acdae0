//! The receiving end of an event stream: connects, resumes behind the last event seen, and says when it
//! cannot.

use std::time::Duration;

use eventsource_stream::Eventsource;
use farmhand_protocol::EventId;
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::cause_of;

/// What following a stream yields.
#[derive(Debug)]
pub enum Received<E> {
    /// The stream is open; what was missed comes next, or a reset.
    Connected,
    /// An event.
    Event(E),
    /// The stream ended or could not be opened. It is tried again by itself.
    Lost {
        /// Why, in words.
        error: String,
        /// After which time.
        retry_in: Duration,
    },
}

/// How long to wait before the next try: doubles from `first` to `longest` while tries fail.
#[derive(Debug, Clone, Copy)]
pub struct RetryDelay {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

/// Follows an event stream for ever. `request` makes the call, given the last event seen, which it passes on
/// as `?after=`. A stream that is silent for `silence`, even of comments, counts as lost.
pub fn follow<E, R>(
    request: R,
    silence: Duration,
    delay: RetryDelay,
) -> impl Stream<Item = Received<E>> + Send
where
    E: DeserializeOwned + Send,
    R: Fn(Option<EventId>) -> reqwest::RequestBuilder + Send,
{
    async_stream::stream! {
        let mut last = None;
        let mut wait = delay.first;
        loop {
            let error = match open(request(last), silence).await {
                Err(error) => error,
                Ok(response) => {
                    yield Received::Connected;
                    let bytes = Box::pin(until_silent(response, silence));
                    let mut events = bytes.eventsource();
                    loop {
                        match events.next().await {
                            Some(Ok(event)) => {
                                wait = delay.first;
                                if let Ok(id) = event.id.parse() {
                                    last = Some(id);
                                }
                                match serde_json::from_str(&event.data) {
                                    Ok(event) => yield Received::Event(event),
                                    Err(error) => tracing::warn!(%error, data = event.data, "unreadable event"),
                                }
                            }
                            Some(Err(error)) => break error.to_string(),
                            None => break "the stream ended".to_owned(),
                        }
                    }
                }
            };
            yield Received::Lost { error, retry_in: wait };
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(delay.longest);
        }
    }
}

async fn open(request: reqwest::RequestBuilder, patience: Duration) -> Result<reqwest::Response, String> {
    let response = timeout(patience, request.send())
        .await
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| cause_of(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = timeout(patience, response.text())
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let problem: Option<farmhand_protocol::Problem> = serde_json::from_str(&body).ok();
    Err(problem.map_or_else(|| status.to_string(), |problem| problem.detail))
}

fn until_silent(
    response: reqwest::Response,
    silence: Duration,
) -> impl Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send {
    async_stream::stream! {
        let mut chunks = response.bytes_stream();
        loop {
            match timeout(silence, chunks.next()).await {
                Ok(Some(chunk)) => yield chunk.map_err(std::io::Error::other),
                Ok(None) => return,
                Err(_) => {
                    yield Err(std::io::Error::other("the stream fell silent"));
                    return;
                }
            }
        }
    }
}
