//! The farm's event stream as a client wants it: for ever, resuming by itself, and saying when it cannot.

use std::time::Duration;

use farmhand_http::{Received, RetryDelay, follow};
use farmhand_protocol::farm::FarmEvent;
use futures_util::Stream;

use crate::FarmClient;

/// What following a farm yields.
pub type FarmSignal = Received<FarmEvent>;

/// The server sends at least a comment every two seconds.
const SILENCE: Duration = Duration::from_secs(8);
const RETRY: RetryDelay = RetryDelay {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(8),
};

impl FarmClient {
    /// Follows the farm until dropped. The first event of a new stream is [`FarmEvent::Reset`]: read the lists
    /// then.
    pub fn events(&self) -> impl Stream<Item = FarmSignal> + Send + use<> {
        let client = self.clone();
        follow(
            move |after| {
                let request = client.get("/v1/events");
                match after {
                    Some(id) => request.query(&[("after", id.to_string())]),
                    None => request,
                }
            },
            SILENCE,
            RETRY,
        )
    }
}
