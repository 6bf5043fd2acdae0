//! Secrets of join tokens that were given out: kept as hashes, a file each, until they are used up or expire. The
//! command line makes and withdraws them while the orchestrator redeems.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::authority::random;
use crate::files::{self, hex};

/// What lets nodes join: so many, until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// SHA-256 of the secret.
    hash: String,
    /// When it is of no use any more.
    pub expires: Timestamp,
    /// Nodes that may join with it.
    pub uses: u32,
    /// Hashes of the keys of those that have: a node whose answer was lost may ask again.
    used_by: BTreeSet<String>,
}

impl Ticket {
    /// Nodes that may still join with it.
    pub fn left(&self) -> u32 {
        let used = u32::try_from(self.used_by.len()).unwrap_or(u32::MAX);
        self.uses.saturating_sub(used)
    }
}

/// Why a secret lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// It never was one, or was withdrawn.
    #[error("the farm does not know this join token, or it was withdrawn: make one with `farmhand ca token`")]
    Unknown,
    /// Too late.
    #[error("the join token expired at {0}: make another one with `farmhand ca token`")]
    Expired(Timestamp),
    /// Too many.
    #[error(
        "the join token has been used as often as it may be ({0}): make another one with `farmhand ca token`"
    )]
    UsedUp(u32),
    /// Its use cannot be written down.
    #[error("cannot write down that a join token was used")]
    Io(#[source] io::Error),
}

/// The tickets of one farm.
#[derive(Debug)]
pub struct Tickets {
    folder: PathBuf,
    /// One is redeemed at a time.
    turn: Mutex<()>,
}

impl Tickets {
    /// Those in the folder of a farm's authority.
    pub fn of(authority: &Path) -> Self {
        Self {
            folder: authority.join("join"),
            turn: Mutex::default(),
        }
    }

    /// Makes one; returns its secret, which is kept nowhere.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn make(&self, uses: u32, expires: Timestamp) -> io::Result<String> {
        files::make_folder(&self.folder)?;
        self.sweep(Timestamp::now());
        let secret = hex(&random::<32>());
        let ticket = Ticket {
            hash: hash(secret.as_bytes()),
            expires,
            uses,
            used_by: BTreeSet::new(),
        };
        self.write(&ticket)?;
        Ok(secret)
    }

    /// Lets a node in whose public key this is.
    ///
    /// # Errors
    /// When the secret is no longer good for that, or never was.
    pub fn redeem(&self, secret: &str, key: &[u8], now: Timestamp) -> Result<(), RedeemError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let hash_of_secret = hash(secret.as_bytes());
        let mut ticket = self.read(&hash_of_secret).ok_or(RedeemError::Unknown)?;
        if !bool::from(ticket.hash.as_bytes().ct_eq(hash_of_secret.as_bytes())) {
            return Err(RedeemError::Unknown);
        }
        if ticket.expires <= now {
            return Err(RedeemError::Expired(ticket.expires));
        }
        let key = hash(key);
        if ticket.used_by.contains(&key) {
            return Ok(());
        }
        if ticket.left() == 0 {
            return Err(RedeemError::UsedUp(ticket.uses));
        }
        ticket.used_by.insert(key);
        self.write(&ticket).map_err(RedeemError::Io)
    }

    /// Those that still let someone in.
    pub fn open(&self, now: Timestamp) -> Vec<Ticket> {
        let tickets = self.all().into_iter().map(|(_, ticket)| ticket);
        tickets
            .filter(|ticket| ticket.expires > now && ticket.left() > 0)
            .collect()
    }

    /// Withdraws all; says how many there were that let someone in.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn withdraw_all(&self) -> io::Result<usize> {
        let open = self.open(Timestamp::now()).len();
        for (file, _) in self.all() {
            std::fs::remove_file(file)?;
        }
        Ok(open)
    }

    /// Removes those that have been of no use for long: for a while their nodes are told why.
    fn sweep(&self, now: Timestamp) {
        for (file, ticket) in self.all() {
            if ticket.expires + SignedDuration::from_hours(24 * 30) < now {
                let _stays_for_the_next_time = std::fs::remove_file(file);
            }
        }
    }

    fn all(&self) -> Vec<(PathBuf, Ticket)> {
        let files = self.folder.read_dir().into_iter().flatten().flatten();
        files
            .map(|file| file.path())
            .filter_map(|file| {
                let ticket = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
                Some((file, ticket))
            })
            .collect()
    }

    fn read(&self, hash: &str) -> Option<Ticket> {
        serde_json::from_slice(&std::fs::read(self.path(hash)).ok()?).ok()
    }

    fn write(&self, ticket: &Ticket) -> io::Result<()> {
        let text = serde_json::to_vec(ticket)?;
        files::write(&self.path(&ticket.hash), &text, true)
    }

    /// Named by a part of the hash, so that the file that a secret belongs to is found without reading all.
    fn path(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{}.json", &hash[..16]))
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_lets_so_many_nodes_in_and_each_of_them_again() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::of(folder.path());
        let now = Timestamp::now();
        let secret = tickets.make(2, now + SignedDuration::from_hours(1)).unwrap();
        tickets.redeem(&secret, b"first", now).unwrap();
        tickets.redeem(&secret, b"first", now).unwrap();
        assert_eq!(tickets.open(now)[0].left(), 1);
        // Another process sees the same.
        let tickets = Tickets::of(folder.path());
        tickets.redeem(&secret, b"second", now).unwrap();
        let error = tickets.redeem(&secret, b"third", now).unwrap_err();
        assert!(matches!(error, RedeemError::UsedUp(2)), "{error}");
        tickets.redeem(&secret, b"second", now).unwrap();
        assert!(tickets.open(now).is_empty());
    }

    #[test]
    fn what_was_never_given_out_is_withdrawn_or_is_late_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::of(folder.path());
        let now = Timestamp::now();
        let expires = now + SignedDuration::from_hours(1);
        let secret = tickets.make(9, expires).unwrap();
        let late = tickets.redeem(&secret, b"key", expires).unwrap_err();
        assert!(matches!(late, RedeemError::Expired(_)), "{late}");
        let other = "0".repeat(64);
        for wrong in [other.as_str(), "", &secret[..63], "../../etc/passwd"] {
            let error = tickets.redeem(wrong, b"key", now).unwrap_err();
            assert!(matches!(error, RedeemError::Unknown), "{wrong}: {error}");
        }
        assert_eq!(tickets.withdraw_all().unwrap(), 1);
        let error = tickets.redeem(&secret, b"key", now).unwrap_err();
        assert!(matches!(error, RedeemError::Unknown), "{error}");
        let kept: Vec<_> = folder.path().join("join").read_dir().unwrap().collect();
        assert!(kept.is_empty(), "{kept:?}");
    }

    #[test]
    fn the_secret_is_in_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::of(folder.path());
        let secret = tickets
            .make(1, Timestamp::now() + SignedDuration::from_hours(1))
            .unwrap();
        for file in folder.path().join("join").read_dir().unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains(&secret), "{text}");
        }
    }
}
