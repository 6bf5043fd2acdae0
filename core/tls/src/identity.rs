//! What a program presents to those who dial it: a certificate with its chain, and the key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::anchor::expires;
use crate::authority::renewal;
use crate::config::provider;

/// A certificate that was issued, and its key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    expires: Timestamp,
}

/// Why there is nothing to present.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not there or not readable.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} holds no {what}: it is PEM text, as `farmhand ca issue` writes it")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// They do not belong together, or are of no use.
    #[error("this certificate and this key cannot be used: {0}")]
    Unusable(String),
}

impl Identity {
    /// From a chain, the own certificate first, and the key, both PEM text.
    ///
    /// # Errors
    /// When one of them is not that, or they do not belong together.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, IdentityError> {
        Self::read((chain, Path::new("the certificate")), (key, Path::new("the key")))
    }

    /// The same from files.
    ///
    /// # Errors
    /// When one cannot be read or is not that, or they do not belong together.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, IdentityError> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| IdentityError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Self::read((&text(chain)?, chain), (&text(key)?, key))
    }

    fn read(chain: (&str, &Path), key: (&str, &Path)) -> Result<Self, IdentityError> {
        let malformed = |path: &Path, what| IdentityError::Malformed {
            path: path.to_owned(),
            what,
        };
        let certificates = CertificateDer::pem_slice_iter(chain.0.as_bytes());
        let certificates: Vec<_> = certificates.flatten().collect();
        let expires = certificates.first().and_then(expires);
        let expires = expires.ok_or_else(|| malformed(chain.1, "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(key.0.as_bytes());
        let private = private.map_err(|_| malformed(key.1, "key"))?;
        let certified = CertifiedKey::from_der(certificates, private, &provider())
            .map_err(|error| IdentityError::Unusable(error.to_string()))?;
        Ok(Self {
            certified: Arc::new(certified),
            expires,
        })
    }

    /// When it is of no use any more.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    #[cfg(test)]
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.certified.cert.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(until {})", self.expires)
    }
}

/// What is presented at the moment; may be changed while connections are taken. Clones are the same.
#[derive(Debug, Clone)]
pub struct Presented(Arc<RwLock<Identity>>);

impl Presented {
    /// Presents this from now on.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(RwLock::new(identity)))
    }

    /// Presents another one to those who connect from now on.
    pub fn change(&self, identity: Identity) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// When what is presented expires.
    pub fn expires(&self) -> Timestamp {
        self.0.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// When it should be changed for a new one.
    pub fn renewal(&self) -> Timestamp {
        renewal(self.expires())
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let identity = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&identity.certified))
    }
}
