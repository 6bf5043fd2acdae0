//! Figures for Prometheus: a program's registry, its text form, and how its HTTP calls go.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Why making a figure never fails: names and labels stand in the source, and each is used once.
const FIXED: &str = "names of figures are fixed, valid and used once";

/// The figures of one program. Cheap to clone.
///
/// Names follow Prometheus' conventions: base units, `_total` on what only grows. What has labels with known
/// values starts with all of them at 0, so that a rate has a beginning.
#[derive(Debug, Clone, Default)]
pub struct Figures(Registry);

impl Figures {
    /// Something that only grows.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help).expect(FIXED))
    }

    /// Several that only grow, told apart by `label`.
    pub fn counters(&self, name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
        let counters = self.add(IntCounterVec::new(Opts::new(name, help), &[label]).expect(FIXED));
        for value in values {
            counters.with_label_values(&[value]);
        }
        counters
    }

    /// Something that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help).expect(FIXED))
    }

    /// Something that goes up and down in fractions.
    pub fn fraction(&self, name: &str, help: &str) -> Gauge {
        self.add(Gauge::new(name, help).expect(FIXED))
    }

    /// Several that go up and down, told apart by `label`.
    pub fn gauges(&self, name: &str, help: &str, label: &str, values: &[&str]) -> IntGaugeVec {
        let gauges = self.add(IntGaugeVec::new(Opts::new(name, help), &[label]).expect(FIXED));
        for value in values {
            gauges.with_label_values(&[value]);
        }
        gauges
    }

    /// How often something was how large: `buckets` are upper bounds, rising.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(opts).expect(FIXED))
    }

    /// What every program shows: its version, and when it was started.
    pub fn program(&self, version: &str) {
        let info = self.gauges(
            "farmhand_build_info",
            "Always 1; the label has the version.",
            "version",
            &[version],
        );
        info.with_label_values(&[version]).set(1);
        let started = self.fraction(
            "process_start_time_seconds",
            "Start of the process, in seconds since 1970.",
        );
        started.set(jiff::Timestamp::now().as_duration().as_secs_f64());
    }

    /// All of them, in the text form that Prometheus reads.
    pub fn text(&self) -> String {
        let encoder = TextEncoder::new();
        encoder.encode_to_string(&self.0.gather()).expect(FIXED)
    }

    /// [`Self::text`] as a response.
    pub fn respond(&self) -> Response {
        let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
        ([kind], self.text()).into_response()
    }

    fn add<C: Collector + Clone + 'static>(&self, figure: C) -> C {
        self.0.register(Box::new(figure.clone())).expect(FIXED);
        figure
    }
}

/// How the HTTP calls of a server go.
#[derive(Debug, Clone)]
pub struct CallFigures {
    calls: IntCounterVec,
    seconds: HistogramVec,
}

/// Upper bounds in seconds. A call that waits for a job's end, or streams, is in the last ones.
const CALL_SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

impl CallFigures {
    /// Begins to count.
    pub fn new(figures: &Figures) -> Self {
        let calls = Opts::new("farmhand_http_requests_total", "HTTP calls that were answered.");
        let seconds = HistogramOpts::new(
            "farmhand_http_request_duration_seconds",
            "Time from a call to the head of its answer.",
        );
        let seconds = seconds.buckets(CALL_SECONDS.to_vec());
        Self {
            calls: figures.add(IntCounterVec::new(calls, &["method", "route", "status"]).expect(FIXED)),
            seconds: figures.add(HistogramVec::new(seconds, &["route"]).expect(FIXED)),
        }
    }

    /// Middleware for the whole router: `middleware::from_fn_with_state(calls, CallFigures::count)`. It must
    /// be the outermost layer that sees the matched route.
    pub async fn count(State(figures): State<Self>, request: Request, next: Next) -> Response {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = known(request.method());
        let begun = Instant::now();
        let response = next.run(request).await;
        // Not the path itself: whoever asks could make up as many as he likes.
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        let status = response.status();
        figures
            .calls
            .with_label_values(&[method, route, status.as_str()])
            .inc();
        figures
            .seconds
            .with_label_values(&[route])
            .observe(begun.elapsed().as_secs_f64());
        response
    }
}

/// Methods can be made up too.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_help_and_type_and_known_labels_start_at_nothing() {
        let figures = Figures::default();
        let frames = figures.counters("farmhand_x_total", "Things.", "state", &["done", "lost"]);
        frames.with_label_values(&["done"]).inc_by(3);
        figures
            .histogram("farmhand_x_seconds", "Times.", &[1.0])
            .observe(0.5);
        let text = figures.text();
        for line in [
            "# HELP farmhand_x_total Things.",
            "# TYPE farmhand_x_total counter",
            "farmhand_x_total{state=\"done\"} 3",
            "farmhand_x_total{state=\"lost\"} 0",
            "# TYPE farmhand_x_seconds histogram",
            "farmhand_x_seconds_bucket{le=\"1\"} 1",
            "farmhand_x_seconds_sum 0.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
