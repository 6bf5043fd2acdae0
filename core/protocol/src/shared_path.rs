//! Paths on storage that several systems see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;

/// An absolute path on storage that several systems share, as one of them writes it: `/mnt/show/a.blend`,
/// `S:\show\a.blend`, `\\server\show\a.blend`. At most 4,096 bytes, no `..`, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SharedPath(String);

/// Why a text is not a [`SharedPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no absolute path on shared storage: {reason}")]
pub struct SharedPathError {
    path: String,
    reason: &'static str,
}

impl SharedPath {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit(['/', '\\']).next().unwrap_or(&self.0)
    }
}

impl fmt::Display for SharedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SharedPath {
    type Err = SharedPathError;

    fn from_str(text: &str) -> Result<Self, SharedPathError> {
        let drive =
            matches!(text.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
        let absolute = drive || text.starts_with('/') || text.starts_with("\\\\");
        let mut parts = text.split(['/', '\\']);
        let reason = if !absolute {
            "it does not begin with /, a drive or a server"
        } else if text.len() > 4096 {
            "it is longer than 4096 bytes"
        } else if text.chars().any(char::is_control) {
            "it has a control character in it"
        } else if parts.any(|part| part == "..") {
            "it has a part that is .."
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(SharedPathError {
            path: text.chars().take(200).collect(),
            reason,
        })
    }
}
string_form!(SharedPath);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nasty_path::nasty_path;

    proptest! {
        #[test]
        fn a_shared_path_never_climbs(text in nasty_path()) {
            if let Ok(path) = text.parse::<SharedPath>() {
                prop_assert!(!path.as_str().split(['/', '\\']).any(|part| part == ".."));
            }
        }
    }
}
