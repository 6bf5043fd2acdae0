//! BLAKE3 hashes as names of bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;

/// A text that is not a BLAKE3 hash in lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a BLAKE3 hash has 64 lower-case hexadecimal digits")]
pub struct DigestError;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The hash of these bytes.
            pub fn of(bytes: &[u8]) -> Self {
                Self(blake3::hash(bytes).into())
            }

            /// The first 8 digits: enough for a person to tell two apart.
            pub fn short(&self) -> String {
                self.to_string()[..8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = DigestError;
            fn from_str(text: &str) -> Result<Self, DigestError> {
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(DigestError); // One hash, one name: it is also a file's name.
                }
                blake3::Hash::from_hex(text).map(|hash| Self(hash.into())).map_err(|_| DigestError)
            }
        }

        impl From<blake3::Hash> for $name {
            fn from(hash: blake3::Hash) -> Self {
                Self(hash.into())
            }
        }

        string_form!($name);
    };
}

digest!(
    /// The content of one file.
    BlobHash
);
digest!(
    /// A scene: the hash of its manifest's canonical bytes, see [`crate::Manifest::encode`].
    SceneHash
);

impl From<SceneHash> for BlobHash {
    /// A manifest travels as a blob like any other.
    fn from(scene: SceneHash) -> Self {
        Self(scene.0)
    }
}
