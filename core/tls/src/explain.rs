//! What went wrong between two who speak TLS, in the words of who must act.

use std::error::Error as StdError;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// The TLS error in a chain of causes.
pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an I/O error wraps is not its source, but itself.
        let wrapped: Option<&'a (dyn StdError + 'static)> = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as _);
        if let Some(found) = wrapped.and_then(find) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The same in words, as a sentence about who was dialled: `its certificate expired at ...`.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(reason)) => reason.0.to_string(),
        Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
            format!(
                "its certificate expired at {}, and this machine's clock says {}",
                at(*not_after),
                at(*time)
            )
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => format!(
            "its certificate is valid from {} only, and this machine's clock says {}: set the clocks",
            at(*not_before),
            at(*time)
        ),
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            // They come as `DnsName("farm.example")`.
            let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let presented: Vec<String> = presented.iter().map(bare).collect();
            format!(
                "its certificate is for {}, not for {}",
                presented.join(", "),
                expected.to_str()
            )
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is from nobody whom this machine trusts".to_owned()
        }
        Error::InvalidMessage(_) => "it does not speak https: use http://".to_owned(),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "it speaks no version of TLS that this program does".to_owned()
        }
        other => other.to_string(),
    }
}

fn at(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}
