//! What a new node is given: how to know the farm, and a secret by which the farm knows the node.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::files::hex;

/// Fingerprint of an authority: the SHA-256 of its public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(Self(
            Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into(),
        ))
    }

    pub(crate) fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        Self::of(certificate).as_ref() == Some(self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// `farmhand-join.PIN.SECRET`, one line.
#[derive(Clone)]
pub struct JoinToken {
    /// Of the farm's authority.
    pub pin: Pin,
    /// What the farm keeps the hash of.
    pub secret: String,
}

/// A text that is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no join token: `farmhand ca token` on the farm's machine prints one, a line that begins with farmhand-join"
)]
pub struct JoinTokenError;

impl FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let rest = text.trim().strip_prefix("farmhand-join.").ok_or(JoinTokenError)?;
        let (pin, secret) = rest.split_once('.').ok_or(JoinTokenError)?;
        let is_hex = |part: &str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex(pin) || !is_hex(secret) {
            return Err(JoinTokenError);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(pin.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| JoinTokenError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| JoinTokenError)?;
        }
        Ok(Self {
            pin: Pin(bytes),
            secret: secret.to_owned(),
        })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "farmhand-join.{}.{}", self.pin, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({}, secret hidden)", self.pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_its_secret_is_not_shown() {
        let text = format!("farmhand-join.{}.{}", "0a".repeat(32), "b1".repeat(32));
        let token: JoinToken = format!(" {text}\n").parse().unwrap();
        assert_eq!(token.to_string(), text);
        assert!(!format!("{token:?}").contains("b1b1"));
        for wrong in [
            "",
            "farmhand-join",
            "farmhand-join..",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
        ] {
            assert!(wrong.parse::<JoinToken>().is_err(), "{wrong}");
        }
    }
}
