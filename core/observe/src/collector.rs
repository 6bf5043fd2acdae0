//! Which OpenTelemetry collector spans go to.
#![expect(
    clippy::doc_markdown,
    reason = "some of these comments are help texts, printed as they stand"
)]

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// What a command line may say of traces.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceArgs {
    /// OpenTelemetry collector that gets a span for each stage of each frame, by OTLP over HTTP as JSON, at
    /// URL/v1/traces: http://127.0.0.1:4318 [default: no traces].
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp: Option<Collector>,
}

/// The base address of a collector.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector(Url);

/// Why a text is not the address of a collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorError {
    /// No URL, or one without a host.
    #[error("it is not an address such as http://127.0.0.1:4318")]
    NotAnAddress,
}

impl Collector {
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Where spans are posted to.
    pub(crate) fn traces(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for Collector {
    type Err = CollectorError;

    fn from_str(text: &str) -> Result<Self, CollectorError> {
        let url = Url::parse(text.trim()).map_err(|_| CollectorError::NotAnAddress)?;
        match url.scheme() {
            "http" | "https" if url.has_host() && url.query().is_none() && url.fragment().is_none() => {
                Ok(Self(url))
            }
            _ => Err(CollectorError::NotAnAddress),
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

/// What stands before an `@` in the address is nobody's business.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({:?})", self.0.host_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_stands_behind_what_was_named() {
        for (named, posted_to) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("http://tempo/otlp/", "http://tempo/otlp/v1/traces"),
            ("https://otlp.example:443", "https://otlp.example/v1/traces"),
        ] {
            let collector: Collector = named.parse().unwrap();
            assert_eq!(collector.traces().as_str(), posted_to);
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_in_words() {
        let error = |text: &str| text.parse::<Collector>().unwrap_err();
        for wrong in ["", "tempo", "tempo:4318", "grpc://tempo:4317", "http://tempo?a=b"] {
            assert_eq!(error(wrong), CollectorError::NotAnAddress, "{wrong}");
        }
    }
}
