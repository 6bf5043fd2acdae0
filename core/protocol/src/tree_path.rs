//! Paths of files within a scene.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;

/// A relative path with `/` between its parts that cannot leave the folder it is joined to, on any system.
///
/// At most 1,024 bytes in parts of at most 255; no `..`, no `.`, no empty part, no `\`, `:` or control
/// character, no part that ends in a dot or a space, and no Windows device name (`con`, `nul`, `com1` ...).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(String);

/// Why a text is not a [`TreePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} {reason}")]
pub struct TreePathError {
    path: String,
    reason: &'static str,
}

impl TreePath {
    /// The path, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TreePath {
    type Err = TreePathError;

    fn from_str(text: &str) -> Result<Self, TreePathError> {
        match text
            .split('/')
            .find_map(fault)
            .or((text.len() > 1024).then_some("is longer than 1024 bytes"))
        {
            Some(reason) => Err(TreePathError {
                path: text.chars().take(200).collect(),
                reason,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }
}
string_form!(TreePath);

/// What is wrong with one part of a path.
fn fault(part: &str) -> Option<&'static str> {
    let stem = part
        .split('.')
        .next()
        .unwrap_or(part)
        .trim_end()
        .to_ascii_lowercase();
    let numbered = |name: &str| {
        stem.strip_prefix(name)
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt");
    match part {
        "" => Some("is absolute or has an empty part"),
        "." | ".." => Some("has a part that is . or .."),
        _ if part.len() > 255 => Some("has a part longer than 255 bytes"),
        _ if part.contains(['\\', ':']) => Some("has a \\ or : in it"),
        _ if part.chars().any(char::is_control) => Some("has a control character in it"),
        _ if part.ends_with(['.', ' ']) => Some("has a part that ends in a dot or a space"),
        _ if device => Some("has a part that is a device on Windows"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;
    use crate::nasty_path::nasty_path;

    #[test]
    fn no_path_leaves_its_folder() {
        for path in [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "C:/x",
            "a\\b",
            "a\nb",
            "a.",
            "a ",
            "nul",
            "x/COM1.png",
            "aux.blend",
        ] {
            assert!(path.parse::<TreePath>().is_err(), "{path:?}");
        }
        assert!("x".repeat(256).parse::<TreePath>().is_err());
        assert!("x/".repeat(600).parse::<TreePath>().is_err());
        assert!("textures/käse wood.png".parse::<TreePath>().is_ok());
    }

    proptest! {
        #[test]
        fn whatever_is_written_a_path_stays_below_its_folder(text in nasty_path()) {
            if let Ok(path) = text.parse::<TreePath>() {
                let folder = Path::new("/farm/tree");
                let joined = folder.join(path.as_str());
                let inside = joined.strip_prefix(folder).unwrap();
                prop_assert!(inside.components().count() > 0);
                prop_assert!(inside.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert!(joined.as_os_str().len() <= folder.as_os_str().len() + 1 + 1024);
            }
        }
    }
}
