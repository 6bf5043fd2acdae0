//! Judging whom one has dialled: the chain must end at the farm's authority, and the certificate must be of the role
//! that was dialled.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use crate::join_token::Pin;

/// What a certificate of a farm is for. It is written into the certificate as a name that no machine can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The orchestrator.
    Farm,
    /// An agent.
    Node,
}

impl Role {
    /// The name that stands for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Farm => "farm.farmhand.internal",
            Self::Node => "node.farmhand.internal",
        }
    }

    fn server_name(self) -> ServerName<'static> {
        ServerName::try_from(self.name()).expect("a fixed name is a name")
    }
}

/// Why nobody is believed, beside the reasons that certificates themselves have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Distrust {
    #[error(
        "it speaks https, and this program was not told which CA to trust: name the farm's with --ca FILE or \
         FARMHAND_CA (on the farm's machine `farmhand ca show` says where the file is)"
    )]
    NoAuthority,
    #[error(
        "its certificate is not from the farm's CA that this program trusts: compare the fingerprint with what \
         `farmhand ca show` prints on the farm's machine"
    )]
    AnotherAuthority,
    #[error(
        "the CA of whoever answers there is not the one that the join token names: the token is of another farm \
         or of a CA that was replaced, or someone else answers at that address"
    )]
    AnotherPin,
}

impl From<Distrust> for Error {
    fn from(reason: Distrust) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
    }
}

/// Whom one believes.
#[derive(Debug)]
enum Judge {
    Nobody,
    /// Certificates of this role from these roots; of a farm's, such as are for the dialled name too, since a proxy
    /// may stand before it.
    Role(Arc<WebPkiServerVerifier>, Role),
    /// A farm whose authority has this fingerprint.
    Pin(Pin),
}

#[derive(Debug)]
pub(crate) struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(crate) fn nobody(provider: Arc<CryptoProvider>) -> Self {
        let judge = Judge::Nobody;
        Self { judge, provider }
    }

    pub(crate) fn of_role(roots: RootCertStore, role: Role, provider: Arc<CryptoProvider>) -> Self {
        let judge = match of_roots(roots, &provider) {
            Ok(roots) => Judge::Role(roots, role),
            Err(_no_roots) => Judge::Nobody,
        };
        Self { judge, provider }
    }

    pub(crate) fn of_pin(pin: Pin, provider: Arc<CryptoProvider>) -> Self {
        let judge = Judge::Pin(pin);
        Self { judge, provider }
    }
}

fn of_roots(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        dialled: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = match &self.judge {
            Judge::Nobody => return Err(Distrust::NoAuthority.into()),
            Judge::Role(roots, role) => {
                match roots.verify_server_cert(own, chain, &role.server_name(), ocsp, now) {
                    Err(error) if *role == Role::Farm && is_about_the_name(&error) => {
                        roots.verify_server_cert(own, chain, dialled, ocsp, now)
                    }
                    judged => judged,
                }
            }
            Judge::Pin(pin) => {
                let mut roots = RootCertStore::empty();
                let authority = chain.iter().find(|certificate| pin.is_of(certificate));
                let authority = authority.ok_or(Distrust::AnotherPin)?;
                roots.add(authority.clone().into_owned())?;
                let roots = of_roots(roots, &self.provider)?;
                roots.verify_server_cert(own, chain, &Role::Farm.server_name(), ocsp, now)
            }
        };
        judged.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                Distrust::AnotherAuthority.into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn is_about_the_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use rustls::pki_types::pem::PemObject;
    use rustls::server::ResolvesServerCert as _;

    use super::*;
    use crate::config::provider;
    use crate::{Anchor, Authority, Issued, explain, new_request};

    struct Farm {
        authority: Authority,
        _folder: tempfile::TempDir,
    }

    fn farm() -> Farm {
        let folder = tempfile::tempdir().unwrap();
        Farm {
            authority: Authority::make(&folder.path().join("ca"), Timestamp::now()).unwrap(),
            _folder: folder,
        }
    }

    fn node_of(farm: &Farm, now: Timestamp) -> Issued {
        let (_key, request) = new_request(None).unwrap();
        farm.authority.issue_node("rtx-04", &request, now).unwrap()
    }

    /// What a verifier says of a chain, dialled under this name at this time.
    fn judge(verifier: &Verifier, chain: &[CertificateDer<'_>], dialled: &str, now: Timestamp) -> String {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_second().cast_unsigned()));
        let dialled = ServerName::try_from(dialled.to_owned()).unwrap();
        match verifier.verify_server_cert(&chain[0], &chain[1..], &dialled, &[], now) {
            Ok(_) => "trusted".to_owned(),
            Err(error) => explain::in_words(&error),
        }
    }

    fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(Result::unwrap)
            .collect()
    }

    fn towards(anchor: &Anchor, role: Role) -> Verifier {
        Verifier::of_role(anchor.roots(), role, provider())
    }

    fn chain_of_farm(farm: &Farm, names: &[&str], now: Timestamp) -> Vec<CertificateDer<'static>> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        farm.authority.issue_farm(&names, now).unwrap().chain()
    }

    #[test]
    fn a_farm_is_known_by_its_role_wherever_it_is_dialled_and_a_node_cannot_pass_for_it() {
        let (farm, now) = (farm(), Timestamp::now());
        let anchor = farm.authority.anchor();
        let of_farm = chain_of_farm(&farm, &["render-box"], now);
        let of_node = certificates(&node_of(&farm, now).chain);
        let (to_farm, to_node) = (towards(anchor, Role::Farm), towards(anchor, Role::Node));
        for dialled in ["render-box", "10.0.0.1", "anything.example"] {
            assert_eq!(judge(&to_farm, &of_farm, dialled, now), "trusted", "{dialled}");
            assert_eq!(judge(&to_node, &of_node, dialled, now), "trusted", "{dialled}");
            let said = judge(&to_farm, &of_node, dialled, now);
            assert!(said.contains("is for"), "{said}");
            assert!(judge(&to_node, &of_farm, dialled, now).contains("is for"));
        }
    }

    #[test]
    fn what_a_request_asks_for_beside_its_key_is_not_given() {
        let (farm, now) = (farm(), Timestamp::now());
        let key = rcgen::KeyPair::generate().unwrap();
        let mut greedy = rcgen::CertificateParams::new(vec![Role::Farm.name().to_owned()]).unwrap();
        greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let request = greedy.serialize_request(&key).unwrap().pem().unwrap();
        let issued = farm.authority.issue_node("rtx-04", &request, now).unwrap();
        let chain = certificates(&issued.chain);
        let anchor = farm.authority.anchor();
        assert!(
            judge(
                &towards(anchor, Role::Farm),
                &chain,
                "farm.farmhand.internal",
                now
            )
            .contains("is for")
        );
        // Nor does a certificate that the node signs itself count.
        let signer = rcgen::Issuer::from_ca_cert_der(&chain[0], key).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let forged = rcgen::CertificateParams::new(vec![Role::Farm.name().to_owned()]).unwrap();
        let forged = forged.signed_by(&other, &signer).unwrap();
        let forged = [vec![forged.der().clone()], chain].concat();
        assert_ne!(
            judge(&towards(anchor, Role::Farm), &forged, "render-box", now),
            "trusted"
        );
    }

    #[test]
    fn a_stranger_an_old_certificate_and_a_wrong_clock_are_told_apart() {
        let (ours, theirs, now) = (farm(), farm(), Timestamp::now());
        let to_ours = towards(ours.authority.anchor(), Role::Farm);
        let stranger = chain_of_farm(&theirs, &[], now);
        let said = judge(&to_ours, &stranger, "render-box", now);
        assert!(said.contains("not from the farm's CA"), "{said}");
        let said = judge(&Verifier::nobody(provider()), &stranger, "render-box", now);
        assert!(said.contains("--ca FILE"), "{said}");
        let chain = chain_of_farm(&ours, &[], now);
        let later = now + SignedDuration::from_hours(24 * 91);
        let said = judge(&to_ours, &chain, "render-box", later);
        assert!(
            said.contains("expired at") && said.contains(&later.strftime("%F").to_string()),
            "{said}"
        );
        let before = now - SignedDuration::from_hours(48);
        let said = judge(&to_ours, &chain, "render-box", before);
        assert!(said.contains("valid from"), "{said}");
    }

    #[test]
    fn a_pin_lets_one_authority_through_and_only_if_it_signed() {
        let (ours, theirs, now) = (farm(), farm(), Timestamp::now());
        let pinned = Verifier::of_pin(ours.authority.anchor().pin(), provider());
        let chain = chain_of_farm(&ours, &[], now);
        assert_eq!(judge(&pinned, &chain, "10.0.0.1", now), "trusted");
        let stranger = chain_of_farm(&theirs, &[], now);
        let said = judge(&pinned, &stranger, "10.0.0.1", now);
        assert!(said.contains("join token"), "{said}");
        // The right authority's certificate is no secret: to show it is not enough.
        let borrowed = vec![stranger[0].clone(), chain[1].clone()];
        assert_ne!(judge(&pinned, &borrowed, "10.0.0.1", now), "trusted");
        let node = certificates(&node_of(&ours, now).chain);
        assert_ne!(judge(&pinned, &node, "10.0.0.1", now), "trusted");
    }

    #[test]
    fn what_is_presented_changes_while_it_is_used() {
        let (farm, now) = (farm(), Timestamp::now());
        let old = farm
            .authority
            .issue_farm(&[], now - SignedDuration::from_hours(1))
            .unwrap();
        let presented = crate::Presented::new(old.clone());
        assert!(!presented.only_raw_public_keys());
        let new = farm.authority.issue_farm(&[], now).unwrap();
        presented.clone().change(new.clone());
        assert_eq!(presented.expires(), new.expires());
        assert!(presented.expires() > old.expires() && presented.renewal() < presented.expires());
    }
}
