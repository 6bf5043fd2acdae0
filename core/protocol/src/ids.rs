//! Names of things. On the wire every id is a string; inside, each is a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    expected: &'static str,
    text: String,
}

impl IdError {
    pub(crate) fn new(expected: &'static str, text: &str) -> Self {
        // The text may come from anyone: enough of it to recognise, not all of it.
        Self {
            expected,
            text: text.chars().take(80).collect(),
        }
    }
}

/// Serializes a type as the string that `Display` writes and `FromStr` reads.
macro_rules! string_form {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = <$name as FromStr>::Err;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::Object::with_type(utoipa::openapi::Type::String).into()
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}
pub(crate) use string_form;

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // `pad` so that a width in a format string works, as for any text in a table.
                f.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError::new($expected, text);
                let digits = text.strip_prefix($prefix).ok_or_else(error)?;
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(error());
                }
                digits.parse().map(Self).map_err(|_| error())
            }
        }

        string_form!($name);
    };
}

counted_id!(
    /// A job of one farm, counted from `j1`.
    JobId, "j", "a job id such as j7"
);
counted_id!(
    /// A batch of one farm, counted from `b1`, never reused. Across farms a [`BatchKey`] names it.
    BatchId, "b", "a batch id such as b12"
);

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::new($expected, text))
            }
        }

        string_form!($name);
    };
}

random_id!(
    /// A farm: one journal and whoever writes it. Made once, at random, with the journal.
    FarmId, "a farm id (a UUID)"
);
random_id!(
    /// A node, kept in its agent's data folder; address and name may change.
    NodeId, "a node id (a UUID)"
);

impl FarmId {
    /// The farm of batches that an agent started for itself (`POST /job`), known to no orchestrator.
    pub const LOCAL: Self = Self(Uuid::nil());
}

/// Grows by one each time a journal is opened for writing. An agent refuses a lower one of the same farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A batch, named so that no two farms that share an agent can mean different batches by it:
/// `<farm id>.b12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchKey {
    /// Whose batch it is.
    pub farm: FarmId,
    /// Which of that farm's batches.
    pub batch: BatchId,
}

impl fmt::Display for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.farm, self.batch)
    }
}

impl FromStr for BatchKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a batch key such as <farm id>.b12", text);
        let (farm, batch) = text.split_once('.').ok_or_else(error)?;
        Ok(Self {
            farm: farm.parse().map_err(|_| error())?,
            batch: batch.parse().map_err(|_| error())?,
        })
    }
}
string_form!(BatchKey);

/// One run of a process, drawn at random at its start. Event ids of different runs are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId(pub u64);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for BootId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a boot id (16 hexadecimal digits)", text);
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(error());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| error())
    }
}
string_form!(BootId);

/// Place in an event stream, `BOOT-SEQ`. Sequence numbers start at 1 and have no gaps within a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    /// The run of the process that numbered the event.
    pub boot: BootId,
    /// Its number; 0 is the place before the first event.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.boot, self.seq)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("an event id such as 00c0ffee00c0ffee-17", text);
        let (boot, seq) = text.split_once('-').ok_or_else(error)?;
        Ok(Self {
            boot: boot.parse().map_err(|_| error())?,
            seq: seq.parse().map_err(|_| error())?,
        })
    }
}
string_form!(EventId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_wire_form() {
        let farm = FarmId(Uuid::from_u128(7));
        let key = BatchKey {
            farm,
            batch: BatchId(12),
        };
        assert_eq!(
            serde_json::to_string(&(
                JobId(7),
                key,
                EventId {
                    boot: BootId(255),
                    seq: 3
                }
            ))
            .unwrap(),
            r#"["j7","00000000-0000-0000-0000-000000000007.b12","00000000000000ff-3"]"#
        );
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn what_only_looks_like_an_id_is_refused_in_words() {
        for text in [
            "",
            "j",
            "7",
            "J7",
            "j-7",
            "j+7",
            "j7 ",
            "b7",
            "__proto__",
            "j99999999999999999999",
        ] {
            let error = text.parse::<JobId>().unwrap_err();
            assert!(
                error.to_string().ends_with("is not a job id such as j7"),
                "{error}"
            );
        }
    }
}
