//! The certificate of a farm's authority: all that a client needs to know whom it may believe.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::join_token::Pin;

/// A certificate of an authority.
#[derive(Clone)]
pub struct Anchor {
    certificate: CertificateDer<'static>,
    pem: String,
    expires: Timestamp,
}

/// Why a file gives no anchor.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file is not there or not readable.
    #[error("cannot read the CA's certificate {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What is in it is no certificate.
    #[error("{0} holds no certificate of a CA: it is the file ca.pem that `farmhand ca init` makes")]
    Malformed(String),
}

impl Anchor {
    /// Reads a file of PEM text.
    ///
    /// # Errors
    /// When it cannot be read, or holds no certificate.
    pub fn from_file(path: &Path) -> Result<Self, AnchorError> {
        let text = std::fs::read_to_string(path).map_err(|source| AnchorError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::from_pem(&text).ok_or_else(|| AnchorError::Malformed(path.display().to_string()))
    }

    /// Reads PEM text; nothing where it holds no certificate.
    pub fn from_pem(text: &str) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
        let expires = expires(&certificate)?;
        RootCertStore::empty().add(certificate.clone()).ok()?;
        Some(Self {
            certificate,
            pem: text.to_owned(),
            expires,
        })
    }

    /// The certificate as PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// When it is of no use any more.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The fingerprint of its public key.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate).expect("it was read once before")
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("it was added to such a store once before");
        roots
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchor({}, until {})", self.pin(), self.expires)
    }
}

/// When a certificate expires; nothing where it is none.
pub(crate) fn expires(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}
