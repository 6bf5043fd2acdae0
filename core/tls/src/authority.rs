//! The authority of one farm: a key and a certificate in a folder, made once, which sign those of the orchestrator
//! and of nodes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};

use crate::anchor::{Anchor, AnchorError};
use crate::config::provider;
use crate::files;
use crate::identity::{Identity, IdentityError};
use crate::verify::Role;

/// Years that an authority lasts.
const YEARS_OF_AN_AUTHORITY: i64 = 10;
/// Days that a certificate lasts; two thirds in, it is renewed.
const DAYS_OF_A_CERTIFICATE: i64 = 90;
/// Clocks of machines may differ by so much.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
/// Longest name in a certificate, in characters; the standard's own bound.
const LONGEST_NAME: usize = 64;

const KEY: &str = "ca-key.pem";
const CERTIFICATE: &str = "ca.pem";

/// A farm's authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    anchor: Anchor,
}

/// A certificate for a node, as PEM text.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The node's certificate, and behind it the authority's.
    pub chain: String,
    /// When it is of no use any more.
    pub expires: Timestamp,
}

/// Why there is no authority, or it does not sign.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It would replace another one.
    #[error(
        "there is a CA in {0} already; every node that joined with it would have to join again. To replace it all the \
         same, move that folder away first"
    )]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its certificate cannot be used.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// Its key cannot be used, or what is to be signed is wrong.
    #[error("the CA cannot sign: {0}")]
    Sign(String),
    /// What was issued cannot be presented.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Sign(error.to_string())
    }
}

impl Authority {
    /// The folder of a farm's authority in the farm's data folder.
    pub fn folder_in(data: &Path) -> PathBuf {
        data.join("ca")
    }

    /// The file that those who dial the farm need.
    pub fn certificate_in(data: &Path) -> PathBuf {
        Self::folder_in(data).join(CERTIFICATE)
    }

    /// Makes one in a folder where there is none.
    ///
    /// # Errors
    /// When there is one, or it cannot be written.
    pub fn make(folder: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let key_file = folder.join(KEY);
        if key_file.exists() || folder.join(CERTIFICATE).exists() {
            return Err(AuthorityError::Exists(folder.to_owned()));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let name = format!("Farmhand CA {}", files::hex(&random::<4>()));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        lasts(
            &mut params,
            now,
            SignedDuration::from_hours(24 * 365 * YEARS_OF_AN_AUTHORITY),
        );
        let certificate = params.self_signed(&key)?.pem();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::Io { path, source }
        };
        files::make_folder(folder).map_err(io(folder))?;
        // The key first: without a certificate there is no authority yet, and a second try starts afresh.
        files::write(&key_file, key.serialize_pem().as_bytes(), true).map_err(io(&key_file))?;
        let path = folder.join(CERTIFICATE);
        files::write(&path, certificate.as_bytes(), false).map_err(io(&path))?;
        Self::open(folder).and_then(|made| {
            made.ok_or_else(|| AuthorityError::Sign("what was written cannot be read".to_owned()))
        })
    }

    /// Opens the one in a folder; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(folder: &Path) -> Result<Option<Self>, AuthorityError> {
        let path = folder.join(CERTIFICATE);
        if !path.exists() {
            return Ok(None);
        }
        let anchor = Anchor::from_file(&path)?;
        let path = folder.join(KEY);
        let key = std::fs::read_to_string(&path).map_err(|source| AuthorityError::Io { path, source })?;
        let issuer = Issuer::from_ca_cert_der(anchor.certificate(), KeyPair::from_pem(&key)?)?;
        Ok(Some(Self { issuer, anchor }))
    }

    /// What those who dial the farm trust.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// A certificate of the orchestrator, which listens under these names and addresses, with a new key.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue_farm(&self, names: &[String], now: Timestamp) -> Result<Identity, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut names = names.to_vec();
        names.insert(0, Role::Farm.name().to_owned());
        let certificate = self.sign("Farmhand orchestrator", names, &key, now)?;
        Ok(Identity::from_pem(&certificate.chain, &key.serialize_pem())?)
    }

    /// A certificate of a node called so, for the key that its request proves. Whatever else is asked for there is not
    /// given: a node cannot become the farm.
    ///
    /// # Errors
    /// When the request is none, or not signed by the key that it names.
    pub fn issue_node(&self, name: &str, request: &str, now: Timestamp) -> Result<Issued, AuthorityError> {
        let request = CertificateSigningRequestParams::from_pem(request)?;
        self.sign(name, vec![Role::Node.name().to_owned()], &request.public_key, now)
    }

    /// The public key that a request is for.
    ///
    /// # Errors
    /// When the request is none.
    pub fn key_of(request: &str) -> Result<Vec<u8>, AuthorityError> {
        let request = CertificateSigningRequestParams::from_pem(request)?;
        Ok(request.public_key.der_bytes().to_vec())
    }

    fn sign(
        &self,
        name: &str,
        names: Vec<String>,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let mut params = CertificateParams::new(names)?;
        let name: String = name
            .chars()
            .filter(|letter| !letter.is_control())
            .take(LONGEST_NAME)
            .collect();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        lasts(
            &mut params,
            now,
            SignedDuration::from_hours(24 * DAYS_OF_A_CERTIFICATE),
        );
        let own = params.signed_by(key, &self.issuer)?;
        let expires = crate::anchor::expires(own.der());
        Ok(Issued {
            chain: format!("{}{}", own.pem(), self.anchor.pem()),
            expires: expires.ok_or_else(|| AuthorityError::Sign("it made no certificate".to_owned()))?,
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({:?}, key hidden)", self.anchor)
    }
}

/// A new key for a node and a request for a certificate of it, both PEM text.
///
/// # Errors
/// When the key is none; only one that was kept can be.
pub fn new_request(kept_key: Option<&str>) -> Result<(String, String), AuthorityError> {
    let key = match kept_key {
        Some(text) => KeyPair::from_pem(text)?,
        None => KeyPair::generate()?,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let request = params.serialize_request(&key)?.pem()?;
    Ok((key.serialize_pem(), request))
}

/// When a certificate that lasts until `expires` should be renewed: when a third of its time is left.
pub(crate) fn renewal(expires: Timestamp) -> Timestamp {
    expires - SignedDuration::from_hours(24 * DAYS_OF_A_CERTIFICATE / 3)
}

fn lasts(params: &mut CertificateParams, now: Timestamp, time: SignedDuration) {
    let at = |time: Timestamp| {
        let seconds = u64::try_from(time.as_second()).unwrap_or(0);
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
    };
    params.not_before = at(now - SLACK).into();
    params.not_after = at(now + time).into();
    let mut serial = random::<16>();
    serial[0] &= 0x7f; // It is a positive number.
    params.serial_number = Some(SerialNumber::from_slice(&serial));
}

pub(crate) fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_authority_is_made_once_its_key_is_its_owners_and_it_is_the_same_when_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("farm/ca");
        assert!(Authority::open(&folder).unwrap().is_none());
        let made = Authority::make(&folder, Timestamp::now()).unwrap();
        let permissions = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (permissions(&folder), permissions(&folder.join(KEY))),
            (0o700, 0o600)
        );
        let error = Authority::make(&folder, Timestamp::now()).unwrap_err();
        assert!(matches!(error, AuthorityError::Exists(_)), "{error}");
        let opened = Authority::open(&folder).unwrap().unwrap();
        assert_eq!(opened.anchor().pin(), made.anchor().pin());
        let now = Timestamp::now();
        assert!(opened.anchor().expires() > now + SignedDuration::from_hours(24 * 3000));
        let shown = format!("{opened:?}");
        assert!(shown.contains("key hidden"), "{shown}");
    }

    #[test]
    fn what_is_no_request_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(folder.path(), Timestamp::now()).unwrap();
        for text in [
            "",
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        ] {
            let error = authority.issue_node("n", text, Timestamp::now()).unwrap_err();
            assert!(error.to_string().starts_with("the CA cannot sign"), "{error}");
            assert!(Authority::key_of(text).is_err());
        }
    }
}
