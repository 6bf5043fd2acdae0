//! Where things are: the data folder and what lies in it, the farm's address, the token.

use std::path::{Path, PathBuf};

use color_eyre::eyre::{Context, Result, eyre};
use etcetera::BaseStrategy;
use farmhand_client::{FarmAddress, FarmClient};
use farmhand_http::Tokens;
use farmhand_tls::{Anchor, AnchorError, Authority};
use serde::Deserialize;

use crate::cli::Common;

/// The folder that a farm keeps on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    data: PathBuf,
}

/// What an orchestrator writes while it holds a data folder.
#[derive(Debug, Deserialize)]
struct RunningOrchestrator {
    address: String,
    #[serde(default)]
    pid: Option<i32>,
    #[serde(default)]
    https: bool,
}

impl Place {
    pub(crate) fn new(data: Option<PathBuf>) -> Result<Self> {
        let data = match data {
            Some(data) => std::path::absolute(data)?,
            None => etcetera::choose_base_strategy()
                .wrap_err("cannot find your home folder; name a data folder with --data")?
                .data_dir()
                .join("farmhand"),
        };
        Ok(Self { data })
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.data.join("output")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }

    /// The draft of the submit form.
    pub(crate) fn draft(&self) -> PathBuf {
        self.data.join("draft.json")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.data.join("token")
    }

    /// The farm's authority, where it has one.
    pub(crate) fn anchor(&self) -> Result<Option<Anchor>, AnchorError> {
        let file = Authority::certificate_in(&self.data);
        file.exists().then(|| Anchor::from_file(&file)).transpose()
    }

    /// The orchestrator that holds the folder, as far as its note tells; it may have died since.
    pub(crate) fn noted_orchestrator(&self) -> Option<FarmAddress> {
        let text = std::fs::read(self.data.join("orchestrator.json")).ok()?;
        let note: RunningOrchestrator = serde_json::from_slice(&text).ok()?;
        let alive = note.pid.is_none_or(is_alive);
        // An address that stands for all of this machine's is none that one can connect to.
        let address = note
            .address
            .replace("0.0.0.0", "127.0.0.1")
            .replace("[::]", "[::1]");
        let scheme = if note.https { "https" } else { "http" };
        alive
            .then(|| format!("{scheme}://{address}").parse().ok())
            .flatten()
    }

    /// The orchestrator that holds the folder and answers.
    pub(crate) async fn running_orchestrator(&self, token: Option<&Tokens>) -> Option<FarmClient> {
        let anchor = self.anchor().ok().flatten();
        let client = client(self.noted_orchestrator()?, token.cloned(), anchor);
        client.health().await.ok()?;
        Some(client)
    }
}

fn is_alive(pid: i32) -> bool {
    use nix::errno::Errno;
    use nix::sys::signal::kill;
    !matches!(kill(nix::unistd::Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// The farm that a verb asks.
pub(crate) fn farm(common: &Common) -> Result<FarmClient> {
    let place = Place::new(common.data.clone())?;
    let anchor = anchor(common, &place)?;
    if let Some(address) = &common.farm {
        return Ok(client(address.clone(), named_token(common)?, anchor));
    }
    let address = match place.noted_orchestrator() {
        Some(address) => address,
        None => default_farm(),
    };
    Ok(client(address, own_token(common, &place)?, anchor))
}

/// A client that tells the farm who uses it, and sends another token once the file has another.
pub(crate) fn client(address: FarmAddress, token: Option<Tokens>, authority: Option<Anchor>) -> FarmClient {
    if let Some(token) = token.clone() {
        tokio::spawn(token.keep_fresh());
    }
    let client = FarmClient::new(address, token).used_by(user());
    match authority {
        Some(authority) => client.trusting(authority),
        None => client,
    }
}

/// The authority that a flag names, else that of the data folder, which is the farm's own on the farm's machine.
pub(crate) fn anchor(common: &Common, place: &Place) -> Result<Option<Anchor>> {
    match &common.ca {
        Some(file) => Ok(Some(Anchor::from_file(file)?)),
        None => Ok(place.anchor()?),
    }
}

/// Who sits here, as this machine has it.
pub(crate) fn user() -> String {
    ["FARMHAND_USER", "USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_default()
}

fn default_farm() -> FarmAddress {
    "http://127.0.0.1:4000"
        .parse()
        .expect("a fixed address is an address")
}

/// The token of the farm of this data folder: the named one, else the file that `farmhand token` makes.
pub(crate) fn own_token(common: &Common, place: &Place) -> Result<Option<Tokens>> {
    let file = place.token_file();
    match named_token(common)? {
        Some(token) => Ok(Some(token)),
        None if file.exists() => Ok(Some(Tokens::from_file(&file)?)),
        None => Ok(None),
    }
}

/// The token that a flag or a variable names. Never one of our own folder: that is not for other farms.
pub(crate) fn named_token(common: &Common) -> Result<Option<Tokens>> {
    if let Some(file) = &common.token_file {
        return Ok(Some(Tokens::from_file(file)?));
    }
    match std::env::var("FARMHAND_TOKEN") {
        Ok(value) => Ok(Some(Tokens::from_value("FARMHAND_TOKEN", &value)?)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(eyre!("FARMHAND_TOKEN holds no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(text: &str) -> Option<String> {
        let folder = std::env::temp_dir().join(format!("farmhand-place-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("orchestrator.json"), text).unwrap();
        let place = Place::new(Some(folder.clone())).unwrap();
        let address = place.noted_orchestrator().map(|address| address.to_string());
        std::fs::remove_dir_all(folder).unwrap();
        address
    }

    #[test]
    fn a_note_of_a_dead_orchestrator_is_not_believed() {
        let own = std::process::id();
        let living = format!(r#"{{"address":"0.0.0.0:4321","pid":{own}}}"#);
        assert_eq!(noted(&living).as_deref(), Some("http://127.0.0.1:4321"));
        let encrypted = format!(r#"{{"address":"10.0.0.1:4321","pid":{own},"https":true}}"#);
        assert_eq!(noted(&encrypted).as_deref(), Some("https://10.0.0.1:4321"));
        assert_eq!(noted(r#"{"address":"127.0.0.1:1","pid":999999999}"#), None);
        assert_eq!(noted("{"), None);
    }
}
