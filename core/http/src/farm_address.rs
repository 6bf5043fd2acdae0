//! Where a farm is.

use std::fmt;
use std::str::FromStr;

/// Base address of an orchestrator: `http://host:4000` or `https://host:4000`, without a trailing
/// slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarmAddress(String);

/// A text that is no farm's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a farm's address such as http://127.0.0.1:4000")]
pub struct AddressError(String);

impl FarmAddress {
    /// Port of an orchestrator where nobody says otherwise.
    pub const PORT: u16 = 4000;

    /// Whether it is spoken to by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The address of one call; `path` starts with `/`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for FarmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for FarmAddress {
    type Err = AddressError;

    /// Reads an address; `host:4000` is taken as `http://host:4000`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError(text.chars().take(120).collect());
        let text = text.trim();
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = reqwest::Url::parse(&full).map_err(|_| error())?;
        let plain =
            matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
        if !plain || url.query().is_some() || url.fragment().is_some() {
            return Err(error());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_no_scheme_and_loses_its_last_slash() {
        for text in [
            "127.0.0.1:4000",
            "http://127.0.0.1:4000/",
            " http://127.0.0.1:4000",
        ] {
            assert_eq!(
                text.parse::<FarmAddress>().unwrap().to_string(),
                "http://127.0.0.1:4000"
            );
        }
        let encrypted: FarmAddress = "https://farm:4000/".parse().unwrap();
        assert_eq!(encrypted.to_string(), "https://farm:4000");
        assert!(encrypted.is_encrypted());
        for text in ["", "http://", "ftp://x", "https://", "http://x/?a", "a b"] {
            assert!(text.parse::<FarmAddress>().is_err(), "{text:?}");
        }
    }
}
