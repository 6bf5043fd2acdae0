//! Notices by HTTP: one after the other to each address, signed, and tried again for a while.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use farmhand_http::{cause_of, client, client_of_the_world};
use farmhand_protocol::Notice;
use farmhand_tls::{NoSystemRoots, Trust};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use reqwest::{ClientBuilder, StatusCode};
use sha2::Sha256;
use tokio::sync::mpsc;

use super::Notify;
use crate::metrics::Metrics;

/// Attempts at one notice. With a first wait of a second the last one is made after some four minutes.
const ATTEMPTS: u32 = 9;

/// A receiver must answer within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// An address that notices are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook(reqwest::Url);

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Not a URL.
    #[error("{0:?} is no address such as https://host/path")]
    NotAnAddress(String),
}

impl FromStr for Webhook {
    type Err = WebhookError;
    fn from_str(text: &str) -> Result<Self, WebhookError> {
        let url: reqwest::Url = text
            .parse()
            .map_err(|_| WebhookError::NotAnAddress(text.to_owned()))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url)),
            _ => Err(WebhookError::NotAnAddress(text.to_owned())),
        }
    }
}

impl Webhook {
    fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What notices are signed with, so that a receiver knows who sent them.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not there or not readable.
    #[error("cannot read the webhooks' secret {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Anyone could guess it.
    #[error("the webhooks' secret in {0} is too short: 16 bytes at least")]
    Short(PathBuf),
}

impl Secret {
    /// Reads a secret from a file; white space around it does not belong to it.
    ///
    /// # Errors
    /// When the file cannot be read or holds fewer than 16 bytes.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let bytes = std::fs::read(path).map_err(|source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let secret = bytes.trim_ascii();
        if secret.len() < 16 {
            return Err(SecretError::Short(path.to_owned()));
        }
        Ok(Self(secret.to_vec()))
    }

    /// `v1=` and the HMAC-SHA256 of `<seconds since 1970>.<body>` in hexadecimal digits. The time is in it so
    /// that a receiver can refuse what someone recorded and sends again.
    fn sign(&self, seconds: i64, body: &[u8]) -> String {
        use fmt::Write;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let mut text = "v1=".to_owned();
        for byte in mac.finalize().into_bytes() {
            let _infallible = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// What notices are posted through: to https addresses as far as this machine's authorities are trusted, which are
/// read only where there is such an address.
#[derive(Debug, Clone)]
pub(crate) struct Posts {
    plain: reqwest::Client,
    encrypted: Option<reqwest::Client>,
}

impl Posts {
    /// What these webhooks need.
    pub(crate) fn for_webhooks(hooks: &[Webhook]) -> Result<Self, NoSystemRoots> {
        let build = |begun: ClientBuilder| {
            begun
                .timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client with fixed options can always be built")
        };
        let encrypted = hooks
            .iter()
            .any(Webhook::is_encrypted)
            .then(client_of_the_world)
            .transpose()?;
        Ok(Self {
            plain: build(client(&Trust::Nobody)),
            encrypted: encrypted.map(build),
        })
    }

    fn to(&self, hook: &Webhook) -> &reqwest::Client {
        let encrypted = self.encrypted.as_ref().filter(|_| hook.is_encrypted());
        encrypted.unwrap_or(&self.plain)
    }
}

/// Posts every notice of a queue, in order.
pub(super) async fn post_all(
    hook: Webhook,
    notify: Notify,
    posts: Posts,
    mut waiting: mpsc::Receiver<Arc<Notice>>,
    metrics: Arc<Metrics>,
) {
    let http = posts.to(&hook);
    while let Some(notice) = waiting.recv().await {
        let event = notice.event.name();
        match post(http, &hook, &notify, &notice).await {
            Ok(()) => {
                tracing::info!(event, id = %notice.id, webhook = %hook, "notice posted");
                metrics.notice("sent");
            }
            Err(reason) => {
                tracing::warn!(event, id = %notice.id, webhook = %hook, reason, "a notice was not taken");
                metrics.notice("failed");
            }
        }
    }
}

async fn post(
    http: &reqwest::Client,
    hook: &Webhook,
    notify: &Notify,
    notice: &Notice,
) -> Result<(), String> {
    let body = serde_json::to_vec(notice).expect("a notice is plain data with string keys");
    let mut wait = notify.first_retry;
    let mut attempt = 1;
    loop {
        // Signed anew each time: a receiver may refuse old ones.
        let seconds = Timestamp::now().as_second();
        let mut request = http
            .post(hook.0.clone())
            .header("content-type", "application/json")
            .header("farmhand-event", notice.event.name())
            .header("farmhand-delivery", notice.id.to_string())
            .header("farmhand-timestamp", seconds);
        if let Some(secret) = &notify.secret {
            request = request.header("farmhand-signature", secret.sign(seconds, &body));
        }
        let reason = match request.body(body.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if !may_change_its_mind(answer.status()) => {
                return Err(format!("it answered {}", answer.status()));
            }
            Ok(answer) => format!("it answered {}", answer.status()),
            Err(error) => cause_of(&error),
        };
        if attempt == ATTEMPTS {
            return Err(format!("after {ATTEMPTS} attempts: {reason}"));
        }
        tracing::debug!(event = notice.event.name(), webhook = %hook, reason, attempt, "a notice waits");
        tokio::time::sleep(wait).await;
        wait *= 2;
        attempt += 1;
    }
}

fn may_change_its_mind(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = Secret(b"0123456789abcdef".to_vec());
        assert_eq!(
            secret.sign(1_700_000_000, br#"{"a":1}"#),
            "v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23"
        );
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn what_is_no_address_for_webhooks_is_refused_in_words() {
        for text in ["http://10.0.0.9:8080/farm", "https://chat.example/hooks/x"] {
            assert!(text.parse::<Webhook>().is_ok(), "{text}");
        }
        for text in ["", "host", "ftp://host/", "file:///etc/passwd", "https://"] {
            let error = text.parse::<Webhook>().unwrap_err().to_string();
            assert!(error.contains("https://host/path"), "{text}: {error}");
        }
    }
}
