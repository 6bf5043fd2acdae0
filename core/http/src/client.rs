//! Clients of Farmhand's servers, all made here: with one crypto library, without a proxy, and with no roots but the
//! farm's own.

use std::error::Error;

use farmhand_tls::Trust;
use reqwest::ClientBuilder;

/// The beginning of a client. No proxy: a farm is on our own network, and one that is set for the web must not stand
/// between.
#[expect(clippy::disallowed_methods, reason = "the one place where clients begin")]
pub fn client(trust: &Trust) -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(farmhand_tls::client_config(trust))
        .no_proxy()
}

/// A client of addresses in the wide world, for webhooks; through a proxy where the environment names one.
///
/// # Errors
/// When this machine knows no authority to trust there.
#[expect(clippy::disallowed_methods, reason = "the other place where clients begin")]
pub fn client_of_the_world() -> Result<ClientBuilder, farmhand_tls::NoSystemRoots> {
    let config = farmhand_tls::world_config()?;
    Ok(reqwest::Client::builder().tls_backend_preconfigured(config))
}

/// Whether a call failed because of who answered, or of how: then trying again does not help.
pub fn is_about_trust(error: &(dyn Error + 'static)) -> bool {
    farmhand_tls::find(error).is_some()
}

/// Why a call failed, in the fewest words that help: `connection refused` rather than `error sending request`, and of
/// TLS what is wrong with whom.
pub fn cause_of(error: &(dyn Error + 'static)) -> String {
    if let Some(tls) = farmhand_tls::find(error) {
        return farmhand_tls::in_words(tls);
    }
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
