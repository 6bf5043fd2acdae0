//! The farm token: who has it may submit, and a .blend is code, so who has it may run.

use std::fmt;
use std::path::{Path, PathBuf};

use subtle::{Choice, ConstantTimeEq};

/// Valid tokens, the one to send first. More than one only while a farm changes from one to the next.
#[derive(Clone)]
pub struct Tokens(Vec<String>);

/// Why no token could be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file is not there or not readable.
    #[error("cannot read the token file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Nothing in it, or something that is no token.
    #[error(
        "{0} holds no token: put 16 or more letters and digits on a line of its own, or run `farmhand token`"
    )]
    Malformed(String),
}

impl Tokens {
    /// Shortest token that is accepted, in characters.
    pub const SHORTEST: usize = 16;

    /// Reads tokens from a file, one a line; `#` starts a comment line.
    ///
    /// # Errors
    /// When the file cannot be read or holds no token.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).ok_or_else(|| TokenError::Malformed(path.display().to_string()))
    }

    /// Reads tokens as [`Self::from_file`] does from the value of a variable named `variable`.
    ///
    /// # Errors
    /// When the value holds no token.
    pub fn from_value(variable: &str, value: &str) -> Result<Self, TokenError> {
        Self::parse(value).ok_or_else(|| TokenError::Malformed(variable.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let tokens: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let valid = |token: &String| {
            token.len() >= Self::SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        (!tokens.is_empty() && tokens.iter().all(valid)).then_some(Self(tokens))
    }

    /// The token to send.
    pub fn first(&self) -> &str {
        &self.0[0]
    }

    /// Whether `presented` is one of them; takes the same time for every wrong token of a length.
    pub fn accepts(&self, presented: &str) -> bool {
        let equal = |token: &String| token.as_bytes().ct_eq(presented.as_bytes());
        self.0
            .iter()
            .map(equal)
            .fold(Choice::from(0), |any, equal| any | equal)
            .into()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} hidden)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_a_farm_changes_its_token_both_are_accepted() {
        let tokens = Tokens::from_value("X", "# new\nnew-token-new-token\nold-token-old-token\n").unwrap();
        assert_eq!(tokens.first(), "new-token-new-token");
        assert!(tokens.accepts("new-token-new-token") && tokens.accepts("old-token-old-token"));
        assert!(!tokens.accepts("") && !tokens.accepts("new-token-new-toke"));
    }

    #[test]
    fn a_token_that_anyone_could_guess_is_refused_and_never_printed() {
        for text in ["", "\n", "short", "sixteen letters with spaces"] {
            let error = Tokens::from_value("FARMHAND_TOKEN", text)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("FARMHAND_TOKEN holds no token"), "{error}");
        }
        let tokens = Tokens::from_value("X", "0123456789abcdef").unwrap();
        assert!(!format!("{tokens:?}").contains("0123"));
    }
}
