//! Sending spans to a collector. Nothing here can slow a farm: the queue is bounded, what finds it full is dropped,
//! and what a collector does not take after a few attempts is dropped too; all of it is counted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use farmhand_http::{client, client_of_the_world};
use farmhand_tls::{NoSystemRoots, Trust};
use reqwest::StatusCode;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;
use crate::otlp::{Program, request};
use crate::span::Span;

/// Spans that may wait for the collector: some megabytes at most.
const QUEUE: usize = 8192;
/// Spans of one request at most.
const BATCH: usize = 512;
/// How long a span waits for others to go with.
const GATHER: Duration = Duration::from_secs(1);
/// Time for one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Attempts at one request; the wait after each is twice the one before.
const ATTEMPTS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// What waits at the end of the program gets so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// What became of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The collector has them.
    Sent,
    /// The collector did not take them.
    Failed,
    /// They found the queue full.
    Dropped,
}

impl Counted {
    /// All of them, as labels of a figure.
    pub const ALL: [&str; 3] = ["sent", "failed", "dropped"];

    /// The label.
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize]
    }
}

type Count = Arc<dyn Fn(Counted, u64) + Send + Sync>;

/// Where spans begin their way. Cheap to clone; the default one leads nowhere.
#[derive(Clone, Default)]
pub struct Spans(Option<Way>);

#[derive(Clone)]
struct Way {
    queue: mpsc::Sender<Span>,
    count: Count,
}

impl Spans {
    /// Whether anyone wants spans.
    pub fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of something that has ended. Never waits.
    pub fn tell(&self, span: Span) {
        if let Some(way) = &self.0
            && way.queue.try_send(span).is_err()
        {
            (way.count)(Counted::Dropped, 1);
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spans").field(&self.are_wanted()).finish()
    }
}

/// Sends spans until it is ended. Dropped, it sends nothing more.
#[derive(Debug)]
pub struct Exporter {
    spans: Spans,
    sending: Option<JoinHandle<()>>,
    end: CancellationToken,
}

impl Exporter {
    /// Starts to send spans to a collector, where there is one; must be called within a Tokio runtime. `count` is
    /// told what becomes of spans.
    pub fn start(
        collector: Option<&Collector>,
        program: Program,
        count: impl Fn(Counted, u64) + Send + Sync + 'static,
    ) -> Self {
        let end = CancellationToken::new();
        let http = collector.map(|collector| (collector, client_of(collector)));
        let (collector, http) = match http {
            Some((collector, Ok(http))) => (collector, http),
            Some((_, Err(error))) => {
                tracing::error!(%error, "no spans are sent");
                return Self::idle(end);
            }
            None => return Self::idle(end),
        };
        let count: Count = Arc::new(count);
        let (queue, waiting) = mpsc::channel(QUEUE);
        let post = Post {
            http,
            url: collector.traces(),
            program,
            count: Arc::clone(&count),
            end: end.clone(),
            is_troubled: false,
        };
        tracing::info!(?collector, "spans are sent");
        Self {
            spans: Spans(Some(Way { queue, count })),
            sending: Some(tokio::spawn(post.all(waiting))),
            end,
        }
    }

    fn idle(end: CancellationToken) -> Self {
        Self {
            spans: Spans::default(),
            sending: None,
            end,
        }
    }

    /// Where spans begin their way.
    pub fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// Sends what waits, within two seconds, and ends.
    pub async fn end(mut self) {
        self.end.cancel();
        if let Some(sending) = &mut self.sending {
            let _left_unsent = tokio::time::timeout(FAREWELL, sending).await;
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(sending) = &self.sending {
            sending.abort();
        }
    }
}

/// A collector that is reached without encryption is on our own network.
fn client_of(collector: &Collector) -> Result<reqwest::Client, NoSystemRoots> {
    let begun = if collector.is_encrypted() {
        client_of_the_world()?
    } else {
        client(&Trust::Nobody)
    };
    let client = begun
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    Ok(client.expect("a client with fixed options can always be built"))
}

/// One way to a collector.
struct Post {
    http: reqwest::Client,
    url: reqwest::Url,
    program: Program,
    count: Count,
    end: CancellationToken,
    /// The latest request failed: that is logged when it begins and when it ends.
    is_troubled: bool,
}

impl Post {
    async fn all(mut self, mut waiting: mpsc::Receiver<Span>) {
        let mut spans = Vec::new();
        let end = self.end.clone();
        while end
            .run_until_cancelled(waiting.recv_many(&mut spans, BATCH))
            .await
            .is_some_and(|received| received > 0)
        {
            let gather = async {
                let mut room = BATCH - spans.len();
                while room > 0 {
                    match waiting.recv_many(&mut spans, room).await {
                        0 => break,
                        more => room -= more,
                    }
                }
            };
            let _alone = tokio::time::timeout(GATHER, end.run_until_cancelled(gather)).await;
            self.send(&spans).await;
            spans.clear();
        }
        waiting.close();
        while waiting.recv_many(&mut spans, BATCH).await > 0 {
            self.send(&spans).await;
            spans.clear();
        }
    }

    /// Tries a few times, once only when the program ends.
    async fn send(&mut self, spans: &[Span]) {
        let body = request(&self.program, spans).to_string();
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        let reason = loop {
            let reason = match self.post(body.clone()).await {
                Ok(rejected) => return self.taken(spans.len() as u64, rejected),
                Err(Refusal { reason, for_good }) if for_good || attempt == ATTEMPTS => break reason,
                Err(Refusal { reason, .. }) => reason,
            };
            let slept = self.end.run_until_cancelled(tokio::time::sleep(wait)).await;
            if slept.is_none() {
                break reason;
            }
            wait *= 2;
            attempt += 1;
        };
        (self.count)(Counted::Failed, spans.len() as u64);
        if !std::mem::replace(&mut self.is_troubled, true) {
            tracing::warn!(
                reason,
                "the collector takes no spans: they are dropped and counted until it does"
            );
        }
    }

    fn taken(&mut self, all: u64, rejected: u64) {
        let rejected = rejected.min(all);
        (self.count)(Counted::Sent, all - rejected);
        (self.count)(Counted::Failed, rejected);
        if std::mem::take(&mut self.is_troubled) {
            tracing::info!("the collector takes spans again");
        }
    }

    /// How many of the spans the collector did not want.
    async fn post(&self, body: String) -> Result<u64, Refusal> {
        let request = self.http.post(self.url.clone());
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.map_err(|error| Refusal {
            reason: error.to_string(),
            for_good: false,
        })?;
        let status = answer.status();
        if status.is_success() {
            let said = answer.bytes().await.unwrap_or_default();
            return Ok(rejected(&said));
        }
        Err(Refusal {
            reason: format!("it answered {status}"),
            for_good: !may_change_its_mind(status),
        })
    }
}

/// Why a request was not taken.
struct Refusal {
    reason: String,
    /// It would not be the next time either.
    for_good: bool,
}

fn may_change_its_mind(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// What `ExportTraceServiceResponse` says of spans that were not wanted.
fn rejected(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(answer) else {
        return 0;
    };
    let rejected = &answer["partialSuccess"]["rejectedSpans"];
    let as_text = rejected.as_str().and_then(|text| text.parse().ok());
    as_text.or_else(|| rejected.as_u64()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::extract::State;
    use axum::routing::post;
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::span::Kind;

    /// A collector that gives these answers, one after the other, and then the last one again and again.
    #[derive(Clone)]
    struct Answers {
        answers: Arc<Mutex<Vec<(StatusCode, &'static str)>>>,
        heard: mpsc::UnboundedSender<Value>,
    }

    async fn take(State(answers): State<Answers>, body: String) -> (StatusCode, &'static str) {
        answers.heard.send(serde_json::from_str(&body).unwrap()).unwrap();
        let mut left = answers.answers.lock().unwrap();
        if left.len() > 1 { left.remove(0) } else { left[0] }
    }

    async fn collector(
        answers: &[(StatusCode, &'static str)],
    ) -> (Collector, mpsc::UnboundedReceiver<Value>) {
        let (heard, hearing) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Answers { answers, heard });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (format!("http://{address}").parse().unwrap(), hearing)
    }

    type Figures = Arc<Mutex<Vec<(Counted, u64)>>>;

    fn start(collector: &Collector) -> (Exporter, Figures) {
        let figures = Figures::default();
        let counting = Arc::clone(&figures);
        let program = Program {
            name: "farmhand",
            version: "1.0.0",
            instance: "a".to_owned(),
        };
        let exporter = Exporter::start(Some(collector), program, move |what, number| {
            counting.lock().unwrap().push((what, number));
        });
        (exporter, figures)
    }

    fn sum(figures: &Figures, what: Counted) -> u64 {
        let figures = figures.lock().unwrap();
        figures
            .iter()
            .filter(|(counted, _)| *counted == what)
            .map(|(_, number)| number)
            .sum()
    }

    fn span(number: u64) -> Span {
        let job = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let job: farmhand_protocol::SpanContext = job.parse().unwrap();
        Span {
            context: job.part(&number.to_string()),
            parent: Some(job.span),
            name: "render",
            kind: Kind::Internal,
            begun: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            attributes: Vec::new(),
            error: None,
        }
    }

    fn spans_in(request: &Value) -> usize {
        let spans = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
        spans.as_array().unwrap().len()
    }

    #[tokio::test]
    async fn spans_travel_together_and_those_that_wait_at_the_end_are_sent() {
        let (collector, mut hearing) = collector(&[(StatusCode::OK, "{}")]).await;
        let (exporter, figures) = start(&collector);
        let spans = exporter.spans();
        (0..700).for_each(|number| spans.tell(span(number)));
        exporter.end().await;
        let mut heard = Vec::new();
        while let Ok(request) = hearing.try_recv() {
            heard.push(spans_in(&request));
        }
        assert_eq!(heard.iter().sum::<usize>(), 700);
        assert!(heard.len() <= 3, "{heard:?}");
        assert_eq!(sum(&figures, Counted::Sent), 700);
    }

    #[tokio::test]
    async fn a_collector_that_asks_to_wait_is_asked_again_and_one_that_refuses_is_not() {
        let wait = (StatusCode::SERVICE_UNAVAILABLE, "");
        let (again, mut hearing) = collector(&[wait, (StatusCode::OK, "{}")]).await;
        let (exporter, figures) = start(&again);
        exporter.spans().tell(span(1));
        let first = hearing.recv().await.unwrap();
        assert_eq!(hearing.recv().await.unwrap(), first);
        exporter.end().await;
        assert_eq!(
            (sum(&figures, Counted::Sent), sum(&figures, Counted::Failed)),
            (1, 0)
        );

        let (never, mut hearing) = collector(&[(StatusCode::BAD_REQUEST, "")]).await;
        let (exporter, figures) = start(&never);
        exporter.spans().tell(span(1));
        hearing.recv().await.unwrap();
        exporter.end().await;
        assert!(hearing.try_recv().is_err(), "it is asked once");
        assert_eq!(
            (sum(&figures, Counted::Sent), sum(&figures, Counted::Failed)),
            (0, 1)
        );
    }

    #[tokio::test]
    async fn spans_that_a_collector_rejects_are_counted_as_such() {
        let partly = r#"{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}"#;
        let (collector, _hearing) = collector(&[(StatusCode::OK, partly)]).await;
        let (exporter, figures) = start(&collector);
        let spans = exporter.spans();
        (0..5).for_each(|number| spans.tell(span(number)));
        exporter.end().await;
        assert_eq!(
            (sum(&figures, Counted::Sent), sum(&figures, Counted::Failed)),
            (3, 2)
        );
    }

    #[tokio::test]
    async fn more_than_may_wait_is_dropped_and_counted_and_nobody_waits_for_it() {
        // Listens and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (exporter, figures) = start(&format!("http://{address}").parse().unwrap());
        let spans = exporter.spans();
        let told = 3 * QUEUE as u64;
        (0..told).for_each(|number| spans.tell(span(number)));
        let dropped = sum(&figures, Counted::Dropped);
        assert_eq!(dropped, told - QUEUE as u64);
    }

    #[tokio::test]
    async fn without_a_collector_nothing_is_wanted() {
        let program = Program {
            name: "farmhand",
            version: "1.0.0",
            instance: "a".to_owned(),
        };
        let exporter = Exporter::start(None, program, |_, _| panic!("nothing is counted"));
        let spans = exporter.spans();
        assert!(!spans.are_wanted());
        spans.tell(span(1));
        exporter.end().await;
    }
}
