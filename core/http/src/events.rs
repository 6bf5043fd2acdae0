//! The sending end of an event stream: numbered events kept for a while, passing ones that are not.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use farmhand_protocol::{BootId, EventId};
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

/// Query of an event stream: `?after=BOOT-SEQ`. Anything that is no known place is answered by a reset.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
pub struct AfterEvent {
    /// The last event that the caller has seen, as its `id` said.
    pub after: Option<String>,
}

/// Events of one process, with ids `BOOT-SEQ`. A reader that falls too far behind is cut off, and resumes
/// where it was, or is told to read everything anew.
#[derive(Debug)]
pub struct EventLog {
    boot: BootId,
    capacity: usize,
    reset: Arc<str>,
    kept: Mutex<Kept>,
    live: broadcast::Sender<Sent>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    newest: VecDeque<Sent>,
}

#[derive(Debug, Clone)]
struct Sent {
    seq: Option<u64>,
    json: Arc<str>,
}

impl EventLog {
    /// A log that keeps the `capacity` newest events (at least 1). `reset` is sent to readers from elsewhere.
    pub fn new<E: Serialize>(boot: BootId, capacity: usize, reset: &E) -> Self {
        let live = broadcast::Sender::new(capacity.max(1));
        Self {
            boot,
            capacity: capacity.max(1),
            reset: encode(reset),
            kept: Mutex::default(),
            live,
        }
    }

    /// Place of the newest event.
    pub fn last(&self) -> EventId {
        EventId {
            boot: self.boot,
            seq: self.lock().last,
        }
    }

    /// Numbers an event, keeps it, and sends it to all readers.
    pub fn publish<E: Serialize>(&self, event: &E) {
        let json = encode(event);
        let mut kept = self.lock();
        kept.last += 1;
        let sent = Sent {
            seq: Some(kept.last),
            json,
        };
        if kept.newest.len() == self.capacity {
            kept.newest.pop_front();
        }
        kept.newest.push_back(sent.clone());
        let _nobody_listens = self.live.send(sent);
    }

    /// Sends an event to those who read just now; it has no number and is not kept.
    pub fn publish_passing<E: Serialize>(&self, event: &E) {
        if self.live.receiver_count() > 0 {
            let _nobody_listens = self.live.send(Sent {
                seq: None,
                json: encode(event),
            });
        }
    }

    /// The stream from behind `after`, as a response.
    pub fn respond(&self, after: Option<&str>) -> Response {
        let events = self.read(after).map(Ok::<_, Infallible>);
        // The comment keeps proxies from closing a quiet stream and tells the reader that we live.
        Sse::new(events)
            .keep_alive(KeepAlive::new().interval(Duration::from_secs(2)))
            .into_response()
    }

    fn read(&self, after: Option<&str>) -> impl Stream<Item = Event> + Send + use<> {
        let boot = self.boot;
        let (mut missed, mut live) = {
            let kept = self.lock(); // Held over both, so that no event falls between them.
            (self.missed(&kept, after), self.live.subscribe())
        };
        async_stream::stream! {
            for sent in missed.drain(..) {
                yield event(boot, &sent);
            }
            loop {
                match live.recv().await {
                    Ok(sent) => yield event(boot, &sent),
                    // Cutting a slow reader off costs it a reconnect; waiting for it would cost everyone.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        }
    }

    fn missed(&self, kept: &Kept, after: Option<&str>) -> Vec<Sent> {
        let after: Option<EventId> = after.and_then(|text| text.parse().ok());
        let known = after
            .filter(|id| id.boot == self.boot && id.seq <= kept.last)
            .map(|id| id.seq);
        match known.and_then(|seq| usize::try_from(kept.last - seq).ok()) {
            Some(behind) if behind <= kept.newest.len() => kept
                .newest
                .iter()
                .skip(kept.newest.len() - behind)
                .cloned()
                .collect(),
            _ => vec![Sent {
                seq: Some(kept.last),
                json: Arc::clone(&self.reset),
            }],
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it is held, and counters stay true even then.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(boot: BootId, sent: &Sent) -> Event {
    let event = Event::default().data(&*sent.json);
    match sent.seq {
        Some(seq) => event.id(EventId { boot, seq }.to_string()),
        None => event,
    }
}

fn encode<E: Serialize>(event: &E) -> Arc<str> {
    serde_json::to_string(event)
        .expect("events are plain data with string keys")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(log: &EventLog, after: Option<&str>) -> Vec<String> {
        log.missed(&log.lock(), after)
            .iter()
            .map(|sent| format!("{:?} {}", sent.seq, sent.json))
            .collect()
    }

    #[test]
    fn a_reader_resumes_where_it_was_or_is_told_to_read_anew() {
        let log = EventLog::new(BootId(1), 3, &"reset");
        (1..=5).for_each(|n| log.publish(&n));
        log.publish_passing(&"never kept");
        assert_eq!(seen(&log, Some("0000000000000001-3")), ["Some(4) 4", "Some(5) 5"]);
        assert_eq!(seen(&log, Some("0000000000000001-5")), [""; 0]);
        let anew = [r#"Some(5) "reset""#];
        for place in [
            None,
            Some("0000000000000001-1"),
            Some("0000000000000001-6"),
            Some("0000000000000002-5"),
            Some("x"),
        ] {
            assert_eq!(seen(&log, place), anew, "{place:?}");
        }
    }
}
