//! What the farm's own authority does while the orchestrator runs: it keeps the orchestrator's certificate fresh and
//! issues those of nodes. Must not know what a node does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use farmhand_http::Tokens;
use farmhand_protocol::{JoinFarm, Joined, RenewCertificate};
use farmhand_tls::{Authority, AuthorityError, Presented, RedeemError, Role, Tickets, Trust};
use jiff::{SignedDuration, Timestamp};

/// The certificates are looked at so often. By the clock, since a machine may sleep.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// An authority that ends within this time is complained about.
const WARN: SignedDuration = SignedDuration::from_hours(24 * 60);

/// The authority of a farm at work.
#[derive(Debug)]
pub(crate) struct Certificates {
    authority: Authority,
    tickets: Tickets,
    tokens: Option<Tokens>,
    /// Under which names the orchestrator is reached, for browsers and others that ask for them.
    names: Vec<String>,
    presented: Presented,
}

/// Why a node gets no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Ticket(#[from] RedeemError),
    #[error(transparent)]
    Request(#[from] AuthorityError),
    #[error(
        "this farm has no CA and speaks plain http: make one with `farmhand ca init`, or leave the join token out"
    )]
    NoAuthority,
}

impl Certificates {
    /// Where a data folder has an authority, its certificates; nothing where it has none.
    pub(crate) fn open(
        data: &Path,
        names: Vec<String>,
        tokens: Option<Tokens>,
    ) -> Result<Option<Self>, AuthorityError> {
        let folder = Authority::folder_in(data);
        let Some(authority) = Authority::open(&folder)? else {
            return Ok(None);
        };
        let now = Timestamp::now();
        let expires = authority.anchor().expires();
        if expires < now + WARN {
            tracing::warn!(%expires, "the farm's CA ends soon: see docs/security.md for how to replace it");
        }
        let presented = Presented::new(authority.issue_farm(&names, now)?);
        Ok(Some(Self {
            authority,
            tickets: Tickets::of(&folder),
            tokens,
            names,
            presented,
        }))
    }

    /// What the orchestrator presents to those who dial it.
    pub(crate) fn presented(&self) -> Presented {
        self.presented.clone()
    }

    /// Whom it believes when it dials an agent.
    pub(crate) fn trust_in_agents(&self) -> Trust {
        Trust::Farm(self.authority.anchor().clone(), Role::Node)
    }

    /// Renews what is presented before it expires, for ever.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Timestamp::now();
            if self.presented.renewal() > now {
                continue;
            }
            match self.authority.issue_farm(&self.names, now) {
                Ok(identity) => {
                    tracing::info!(expires = %identity.expires(), "the orchestrator's certificate is renewed");
                    self.presented.change(identity);
                }
                Err(error) => tracing::error!(%error, "the orchestrator's certificate cannot be renewed"),
            }
        }
    }

    /// Lets a node in that has a join token.
    pub(crate) fn join(&self, asked: &JoinFarm) -> Result<Joined, JoinError> {
        // What cannot be signed must not use a token up.
        let key = Authority::key_of(&asked.request)?;
        self.tickets.redeem(&asked.secret, &key, Timestamp::now())?;
        self.issue(&asked.name, &asked.request)
    }

    /// Gives a node that belongs to the farm another certificate.
    pub(crate) fn renew(&self, asked: &RenewCertificate) -> Result<Joined, JoinError> {
        self.issue(&asked.name, &asked.request)
    }

    fn issue(&self, name: &str, request: &str) -> Result<Joined, JoinError> {
        let issued = self.authority.issue_node(name, request, Timestamp::now())?;
        tracing::info!(node = name, expires = %issued.expires, "a node's certificate is issued");
        Ok(Joined {
            certificate: issued.chain,
            authority: self.authority.anchor().pem().to_owned(),
            tokens: self.tokens.as_ref().map(Tokens::all).unwrap_or_default(),
        })
    }
}
