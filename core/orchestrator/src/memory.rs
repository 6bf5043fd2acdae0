//! From what a journal gives back to a farm: the newest snapshot, then every fact since.

use farmhand_engine::{Farm, Stamped, narrate};
use farmhand_protocol::FarmId;
use farmhand_protocol::farm::Note;

use crate::journal::Remembered;

/// A farm as it was when it was last written.
pub(crate) struct Recalled {
    pub(crate) farm: Farm,
    /// The diary of the facts that were replayed.
    pub(crate) notes: Vec<Note>,
}

impl Recalled {
    /// A farm that begins.
    pub(crate) fn nothing(farm: FarmId) -> Self {
        Self {
            farm: Farm::new(farm),
            notes: Vec::new(),
        }
    }
}

/// Replays.
///
/// # Errors
/// In words, when something remembered cannot be read.
pub(crate) fn recall(remembered: &Remembered) -> Result<Recalled, String> {
    let mut farm = match &remembered.snapshot {
        Some(state) => serde_json::from_str(state).map_err(|error| format!("its snapshot: {error}"))?,
        None => Farm::new(remembered.farm),
    };
    if farm.id() != remembered.farm {
        return Err("its snapshot is another farm's".to_owned());
    }
    let mut notes = Vec::new();
    for (number, fact) in remembered.facts.iter().enumerate() {
        let fact: Stamped = serde_json::from_str(fact)
            .map_err(|error| format!("fact {} since its snapshot: {error}", number + 1))?;
        farm.apply(&fact);
        notes.extend(narrate(&farm, &fact));
    }
    Ok(Recalled { farm, notes })
}
