//! What Farmhand's programs tell of themselves beside their APIs: logs, as JSON lines in files of bounded size,
//! and for people on stderr; and spans of traces, to an OpenTelemetry collector.
//!
//! Must not know which program it is in, or what its ids mean.

mod collector;
mod export;
mod files;
mod lines;
mod logs;
mod otlp;
mod span;
mod variables;

pub use collector::{Collector, CollectorError, TraceArgs};
pub use export::{Counted, Exporter, Spans};
pub use logs::{LogArgs, LogError, LogFormat, Logs, start};
pub use otlp::Program;
pub use span::{Kind, Span, Value};
pub use variables::without_empty_variables;
