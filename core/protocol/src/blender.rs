//! Versions of Blender.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;

/// A Blender version, `3.4.1`. Files name theirs without a patch level, which then is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlenderVersion {
    /// 3 of 3.4.1.
    pub major: u16,
    /// 4 of 3.4.1.
    pub minor: u16,
    /// 1 of 3.4.1.
    pub patch: u16,
}

/// A text that is no Blender version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Blender version such as 4.2.0")]
pub struct BlenderVersionError(String);

impl BlenderVersion {
    /// `(major, minor)`: what decides whether a file was made for this Blender.
    pub fn series(self) -> (u16, u16) {
        (self.major, self.minor)
    }
}

impl fmt::Display for BlenderVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl FromStr for BlenderVersion {
    type Err = BlenderVersionError;

    /// Reads `4.2`, `4.2.0` and what Blender calls itself: `5.0.1 LTS`, `4.3.0 Alpha`.
    fn from_str(text: &str) -> Result<Self, BlenderVersionError> {
        let error = || BlenderVersionError(text.chars().take(40).collect());
        let number = |part: Option<&str>| part.unwrap_or("0").parse().map_err(|_| error());
        let mut parts = text.split_whitespace().next().ok_or_else(error)?.split('.');
        let (major, minor) = (
            number(parts.next())?,
            number(Some(parts.next().ok_or_else(error)?))?,
        );
        Ok(Self {
            major,
            minor,
            patch: number(parts.next())?,
        })
    }
}
string_form!(BlenderVersion);
