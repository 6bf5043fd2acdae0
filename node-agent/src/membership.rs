//! What an agent has from the farm that it joined by a join token: a certificate, the farm's authority and its tokens,
//! kept in the data folder. Must not know batches or frames.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use farmhand_http::{FarmAddress, Tokens, cause_of, client, is_about_trust};
use farmhand_protocol::{JoinFarm, Joined, PROTOCOL, PROTOCOL_HEADER, Problem, RenewCertificate};
use farmhand_tls::{Anchor, AnchorError, Identity, IdentityError, JoinToken, Presented, Role, Trust};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Serialize;

use crate::Config;

/// Time within which a call must be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// A farm that does not answer is called again after so long.
const PAUSE: Duration = Duration::from_secs(2);

const IDENTITY: &str = "identity.pem";
const AUTHORITY: &str = "ca.pem";
const TOKENS: &str = "farm-token";
const FIRST_KEY: &str = "join-key.pem";
const JOINED_BY: &str = "joined-by";

/// Whom an agent believes, and what it presents.
#[derive(Debug)]
pub(crate) struct Membership {
    /// What it presents to those who dial it; nothing where it speaks plain http.
    pub(crate) presented: Option<Presented>,
    /// The farm's authority, where it knows one.
    pub(crate) anchor: Option<Anchor>,
    /// What callers must show, and farm and nodes are shown.
    pub(crate) tokens: Option<Tokens>,
    /// Where it is kept, if it came from the farm: then it is renewed there.
    kept: Option<PathBuf>,
    /// Whether its tokens came from the farm too, and not from whoever started it.
    has_tokens_of_farm: bool,
}

/// Why an agent does not belong to a farm.
#[derive(Debug, thiserror::Error)]
pub enum JoinFarmError {
    /// Whoever answers is not the farm, or does not let this agent in.
    #[error("cannot join the farm at {farm}: {reason}")]
    Refused {
        /// The farm.
        farm: FarmAddress,
        /// Why, in words.
        reason: String,
    },
    /// The certificate has expired, and there is nothing to get another one by.
    #[error(
        "this agent's certificate expired at {0} while it was away: give it a new join token with --join-token-file \
         (`farmhand ca token` on the farm's machine prints one)"
    )]
    Expired(Timestamp),
    /// Nothing says whom to believe.
    #[error(
        "{0} speaks https: give a join token with --join-token-file (`farmhand ca token` on the farm's machine prints \
         one), or name the farm's CA with --ca and a certificate of this node with --tls-cert and --tls-key"
    )]
    NoToken(FarmAddress),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The farm's authority cannot be used.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The kept tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] farmhand_http::TokenError),
    /// What came from the farm cannot be kept.
    #[error("cannot keep what the farm gave in {path}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a call for a certificate gave none.
enum NoCertificate {
    /// It may do the next time.
    Passing(String),
    Refused(String),
}

impl Membership {
    /// What an agent with these settings belongs to. Joins first where it has a join token and has not used it: waits
    /// for the farm then.
    pub(crate) async fn establish(config: &Config, data: &Path) -> Result<Self, JoinFarmError> {
        let named = config.authority.as_deref().map(Anchor::from_file).transpose()?;
        if let Some((certificate, key)) = &config.certificate {
            return Ok(Self {
                presented: Some(Presented::new(Identity::from_files(certificate, key)?)),
                anchor: named,
                tokens: config.tokens.clone(),
                kept: None,
                has_tokens_of_farm: false,
            });
        }
        let Some(farm) = config.join.as_ref().filter(|farm| farm.is_encrypted()) else {
            return Ok(Self {
                presented: None,
                anchor: named,
                tokens: config.tokens.clone(),
                kept: None,
                has_tokens_of_farm: false,
            });
        };
        let folder = data.join("farm");
        let kept = Self::read(&folder, config)?;
        match (kept, &config.join_token) {
            (Some(kept), None) => Ok(kept),
            // Another token is given to a node that shall join anew.
            (Some(kept), Some(token)) if was_used(&folder, token) => Ok(kept),
            (_, Some(token)) => {
                join(farm, &config.name, token, &folder).await?;
                let joined = Self::read(&folder, config)?;
                joined.ok_or_else(|| JoinFarmError::NoToken(farm.clone()))
            }
            (_, None) => Err(JoinFarmError::NoToken(farm.clone())),
        }
    }

    /// What is kept in the data folder; nothing where nothing is, or where it is of no use and can be had anew.
    fn read(folder: &Path, config: &Config) -> Result<Option<Self>, JoinFarmError> {
        let file = folder.join(IDENTITY);
        if !file.exists() {
            return Ok(None);
        }
        let identity = Identity::from_files(&file, &file)?;
        if identity.expires() <= Timestamp::now() {
            return match config.join_token {
                Some(_) => Ok(None),
                None => Err(JoinFarmError::Expired(identity.expires())),
            };
        }
        let tokens = folder.join(TOKENS);
        let kept = tokens.exists().then(|| Tokens::from_file(&tokens)).transpose()?;
        Ok(Some(Self {
            presented: Some(Presented::new(identity)),
            anchor: Some(Anchor::from_file(&folder.join(AUTHORITY))?),
            tokens: config.tokens.clone().or(kept),
            kept: Some(folder.to_owned()),
            has_tokens_of_farm: config.tokens.is_none(),
        }))
    }

    /// Whom it believes in this role.
    pub(crate) fn trust(&self, role: Role) -> Trust {
        match &self.anchor {
            Some(anchor) => Trust::Farm(anchor.clone(), role),
            None => Trust::Nobody,
        }
    }

    /// `http` or `https`, whichever it serves.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.presented.is_some() { "https" } else { "http" }
    }

    /// Whether its certificate should be renewed, or the farm's tokens are no longer those that are kept: the farm
    /// says with its answers which it has, by this mark.
    pub(crate) fn is_stale(&self, tokens_of_farm: Option<&str>) -> bool {
        let Some(presented) = self.presented.as_ref().filter(|_| self.kept.is_some()) else {
            return false;
        };
        let differs = |mark: &str| self.tokens.as_ref().is_some_and(|own| own.mark() != mark);
        let others = self.has_tokens_of_farm && tokens_of_farm.is_some_and(differs);
        others || presented.renewal() <= Timestamp::now()
    }

    /// Gets another certificate and the farm's tokens of now.
    pub(crate) async fn renew(
        &self,
        http: &reqwest::Client,
        farm: &FarmAddress,
        name: &str,
    ) -> Result<(), String> {
        let (Some(folder), Some(presented)) = (&self.kept, &self.presented) else {
            return Ok(());
        };
        let (key, request) = farmhand_tls::new_request(None).map_err(|error| error.to_string())?;
        let asked = RenewCertificate {
            name: name.to_owned(),
            request,
        };
        let token = self.tokens.as_ref().map(Tokens::first);
        let joined = ask(http, farm, "/v1/certificates", token, &asked).await;
        let joined = joined.map_err(|error| match error {
            NoCertificate::Passing(why) | NoCertificate::Refused(why) => why,
        })?;
        let identity = Identity::from_pem(&joined.certificate, &key).map_err(|error| error.to_string())?;
        keep(folder, &joined, &key).map_err(|error| error.to_string())?;
        if let Some(tokens) = &self.tokens {
            tokens.look().await;
        }
        tracing::info!(expires = %identity.expires(), "this agent's certificate is renewed");
        presented.change(identity);
        Ok(())
    }
}

/// Gets the first certificate. Waits for a farm that does not answer.
async fn join(farm: &FarmAddress, name: &str, token: &JoinToken, folder: &Path) -> Result<(), JoinFarmError> {
    let io = |source| JoinFarmError::Io {
        path: folder.to_owned(),
        source,
    };
    let refused = |reason: String| JoinFarmError::Refused {
        farm: farm.clone(),
        reason,
    };
    // Kept, so that a second try after a lost answer is known to be the same node's.
    let file = folder.join(FIRST_KEY);
    let kept = std::fs::read_to_string(&file).ok();
    let (key, request) =
        farmhand_tls::new_request(kept.as_deref()).map_err(|error| refused(error.to_string()))?;
    farmhand_tls::keep_secret(&file, key.as_bytes()).map_err(io)?;
    let http = client(&Trust::Pinned(token.pin))
        .connect_timeout(Duration::from_secs(3))
        .timeout(PATIENCE)
        .build()
        .expect("a client with fixed options can always be built");
    let asked = JoinFarm {
        secret: token.secret.clone(),
        name: name.to_owned(),
        request,
    };
    let mut complaint = String::new();
    let joined = loop {
        match ask(&http, farm, "/v1/join", None, &asked).await {
            Ok(joined) => break joined,
            Err(NoCertificate::Refused(reason)) => return Err(refused(reason)),
            Err(NoCertificate::Passing(reason)) if reason != complaint => {
                tracing::warn!(%farm, reason, "waiting for the farm to join it");
                complaint = reason;
            }
            Err(NoCertificate::Passing(_)) => {}
        }
        tokio::time::sleep(PAUSE).await;
    };
    let anchor = Anchor::from_pem(&joined.authority).filter(|anchor| anchor.pin() == token.pin);
    if anchor.is_none() {
        return Err(refused("it names another CA than the join token does".to_owned()));
    }
    Identity::from_pem(&joined.certificate, &key)?;
    keep(folder, &joined, &key).map_err(io)?;
    let used = fingerprint(token);
    farmhand_tls::keep_secret(&folder.join(JOINED_BY), used.as_bytes()).map_err(io)?;
    let _of_no_use_any_more = std::fs::remove_file(&file);
    tracing::info!(%farm, "joined by a join token: certificate and token are kept in {}", folder.display());
    Ok(())
}

/// Whether what is kept was had for this token.
fn was_used(folder: &Path, token: &JoinToken) -> bool {
    std::fs::read_to_string(folder.join(JOINED_BY)).is_ok_and(|used| used == fingerprint(token))
}

fn fingerprint(token: &JoinToken) -> String {
    blake3::hash(token.to_string().as_bytes()).to_hex().to_string()
}

fn keep(folder: &Path, joined: &Joined, key: &str) -> io::Result<()> {
    let tokens = joined.tokens.join("\n");
    if !tokens.is_empty() {
        farmhand_tls::keep_secret(&folder.join(TOKENS), tokens.as_bytes())?;
    }
    farmhand_tls::keep_secret(&folder.join(AUTHORITY), joined.authority.as_bytes())?;
    // Last: with it there is a membership. Chain and key in one file, so that they always belong together.
    let identity = format!("{}{key}", joined.certificate);
    farmhand_tls::keep_secret(&folder.join(IDENTITY), identity.as_bytes())
}

async fn ask(
    http: &reqwest::Client,
    farm: &FarmAddress,
    path: &str,
    token: Option<String>,
    body: &impl Serialize,
) -> Result<Joined, NoCertificate> {
    let call = http
        .post(farm.join(path))
        .header(PROTOCOL_HEADER, PROTOCOL.to_string())
        .json(body);
    let call = match token {
        Some(token) => call.bearer_auth(token),
        None => call,
    };
    let answer = call.send().await.map_err(|error| {
        if is_about_trust(&error) {
            NoCertificate::Refused(cause_of(&error))
        } else {
            NoCertificate::Passing(cause_of(&error))
        }
    })?;
    let status = answer.status();
    if status.is_success() {
        let joined = answer.json::<Joined>().await;
        return joined.map_err(|error| NoCertificate::Passing(cause_of(&error)));
    }
    let text = answer.text().await.unwrap_or_default();
    let why = match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => problem.detail,
        Err(_) => status.to_string(),
    };
    Err(
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            NoCertificate::Passing(why)
        } else {
            NoCertificate::Refused(why)
        },
    )
}
