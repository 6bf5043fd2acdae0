//! How Farmhand's programs speak TLS: with one crypto library, and with no roots but those that are named.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::anchor::Anchor;
use crate::identity::Presented;
use crate::join_token::Pin;
use crate::verify::{Role, Verifier};

/// Whom a client believes when it speaks https.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Nobody: it speaks plain http only.
    Nobody,
    /// Those who have a certificate of this role from this authority.
    Farm(Anchor, Role),
    /// The orchestrator of the farm whose authority has this fingerprint.
    Pinned(Pin),
}

/// The system has no certificates of public authorities.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "https needs this machine's CA certificates, and there are none{0}: install the package ca-certificates, or name \
     a file of them in SSL_CERT_FILE"
)]
pub struct NoSystemRoots(String);

/// A client's side of TLS.
pub fn client_config(trust: &Trust) -> ClientConfig {
    let verifier = match trust {
        Trust::Nobody => Verifier::nobody(provider()),
        Trust::Farm(anchor, role) => Verifier::of_role(anchor.roots(), *role, provider()),
        Trust::Pinned(pin) => Verifier::of_pin(*pin, provider()),
    };
    let versions = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions");
    versions
        .dangerous() // The verifier is ours; it is in `verify`, whole.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth()
}

/// A client's side of TLS towards the world, which is believed as far as this machine's authorities go.
///
/// # Errors
/// When the machine knows none.
pub fn world_config() -> Result<ClientConfig, NoSystemRoots> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first();
        return Err(NoSystemRoots(
            why.map(|error| format!(" ({error})")).unwrap_or_default(),
        ));
    }
    let versions = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions");
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// A server's side of TLS: the newest version only, since all that dial a farm speak it.
pub fn server_config(presented: Presented) -> ServerConfig {
    let versions = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3");
    let mut config = versions
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(presented));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
