//! The farm token: who has it may submit, and a .blend is code, so who has it may run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use subtle::{Choice, ConstantTimeEq};

/// A token file is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Valid tokens, the one to send first. More than one only while a farm changes from one to the next. All clones
/// are the same tokens: what [`Self::keep_fresh`] reads anew holds for each.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    /// Where they are read again, unless they came from a variable.
    file: Option<PathBuf>,
    /// Never empty.
    valid: RwLock<Vec<String>>,
}

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
        let valid = read(path)?;
        Ok(Self::of(valid, Some(path.to_owned())))
    }

    /// Reads tokens as [`Self::from_file`] does from the value of a variable named `variable`.
    ///
    /// # Errors
    /// When the value holds no token.
    pub fn from_value(variable: &str, value: &str) -> Result<Self, TokenError> {
        let valid = parse(value).ok_or_else(|| TokenError::Malformed(variable.to_owned()))?;
        Ok(Self::of(valid, None))
    }

    fn of(valid: Vec<String>, file: Option<PathBuf>) -> Self {
        Self(Arc::new(Shared {
            file,
            valid: RwLock::new(valid),
        }))
    }

    /// Reads the file again and again, for ever; one that cannot be used changes nothing but the log. Tokens from a
    /// variable stay what they are.
    pub async fn keep_fresh(self) {
        let mut complaint = None;
        while self.0.file.is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.look().await;
            if let Some(error) = now.as_ref().filter(|_| now != complaint) {
                tracing::error!(error, "the tokens stay what they were");
            }
            complaint = now;
        }
    }

    /// Reads the file once more, now. Says what is wrong with it.
    pub async fn look(&self) -> Option<String> {
        let file = self.0.file.clone()?;
        let path = file.clone();
        // Where the folder hangs, nothing else does.
        let found = tokio::task::spawn_blocking(move || read(&path)).await.ok()?;
        match found {
            Ok(found) => {
                if found != *self.valid() {
                    tracing::info!(file = %file.display(), tokens = found.len(), "the token file has changed");
                    *self.0.valid.write().unwrap_or_else(PoisonError::into_inner) = found;
                }
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// The token to send.
    pub fn first(&self) -> String {
        self.valid()[0].clone()
    }

    /// All of them, for a program of the farm.
    pub fn all(&self) -> Vec<String> {
        self.valid().clone()
    }

    /// What tells these tokens from others without telling what they are.
    pub fn mark(&self) -> String {
        let hash = blake3::hash(self.valid().join("\n").as_bytes());
        hash.to_hex()[..16].to_owned()
    }

    /// Whether `presented` is one of them; takes the same time for every wrong token of a length.
    pub fn accepts(&self, presented: &str) -> bool {
        let equal = |token: &String| token.as_bytes().ct_eq(presented.as_bytes());
        self.valid()
            .iter()
            .map(equal)
            .fold(Choice::from(0), |any, equal| any | equal)
            .into()
    }

    fn valid(&self) -> std::sync::RwLockReadGuard<'_, Vec<String>> {
        self.0.valid.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<Vec<String>, TokenError> {
    let text = std::fs::read_to_string(path).map_err(|source| TokenError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).ok_or_else(|| TokenError::Malformed(path.display().to_string()))
}

fn parse(text: &str) -> Option<Vec<String>> {
    let tokens: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let valid =
        |token: &String| token.len() >= Tokens::SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic());
    (!tokens.is_empty() && tokens.iter().all(valid)).then_some(tokens)
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} hidden)", self.valid().len())
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

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_is_read_again_and_one_that_holds_nothing_keeps_the_old_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let (old, new) = ("old-token-old-token", "new-token-new-token");
        std::fs::write(&file, old).unwrap();
        let tokens = Tokens::from_file(&file).unwrap();
        tokio::spawn(tokens.clone().keep_fresh());
        let held = tokens.clone();
        for (text, first, accepted) in [
            (format!("{new}\n{old}\n"), new, &[new, old][..]),
            (String::new(), new, &[new, old]),
            ("short".to_owned(), new, &[new, old]),
            (new.to_owned(), new, &[new]),
        ] {
            std::fs::write(&file, &text).unwrap();
            // Two looks: the first may have begun before the file was written.
            tokio::time::sleep(3 * LOOK_EVERY).await;
            assert_eq!(held.first(), first, "{text:?}");
            for token in [new, old] {
                assert_eq!(held.accepts(token), accepted.contains(&token), "{text:?} {token}");
            }
        }
        std::fs::remove_file(&file).unwrap();
        tokio::time::sleep(3 * LOOK_EVERY).await;
        assert!(held.accepts(new));
    }
}
