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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use farmhand_engine::{Command, Event, JobSpec, Now, decide};
    use farmhand_protocol::{FrameSet, JobId, RenderSettings, SceneHash};

    use super::*;

    fn now() -> Now {
        Now {
            since_start: Duration::ZERO,
            wall: "2026-11-24T12:00:00Z".parse().unwrap(),
        }
    }

    fn submit(name: &str) -> Command {
        Command::Submit(Box::new(JobSpec {
            name: name.to_owned(),
            user: String::new(),
            scene: SceneHash::of(b""),
            frames: "1-100".parse().unwrap(),
            skipped: FrameSet::default(),
            settings: RenderSettings::default(),
            priority: 0,
            output: format!("/out/{name}"),
            written_by: None,
            tags: Vec::new(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        }))
    }

    #[test]
    fn a_snapshot_and_the_facts_since_make_the_same_farm_as_all_facts() {
        let id = FarmId(uuid::Uuid::from_u128(7));
        let mut farm = Farm::new(id);
        let mut facts = Vec::new();
        let mut snapshot = None;
        let commands = [
            submit("castle"),
            submit("tower"),
            Command::CancelJob {
                job: JobId(1),
                frames: Some("5-50".parse().unwrap()),
            },
            Command::Pause(JobId(2)),
            Command::RetryJob {
                job: JobId(1),
                frames: None,
            },
        ];
        for (number, command) in commands.into_iter().enumerate() {
            let decision = decide(&farm, now(), Event::Command(command)).unwrap();
            let stamped = decision.apply_to(&mut farm, now());
            facts.extend(stamped.iter().map(|fact| serde_json::to_string(fact).unwrap()));
            if number == 2 {
                snapshot = Some((serde_json::to_string(&farm).unwrap(), facts.len()));
            }
        }
        let (state, covered) = snapshot.unwrap();
        let remembered = |snapshot, facts: &[String]| Remembered {
            farm: id,
            snapshot,
            facts: facts.to_vec(),
            keys: Vec::new(),
        };
        let whole = recall(&remembered(None, &facts)).unwrap();
        let short = recall(&remembered(Some(state), &facts[covered..])).unwrap();
        let text = |farm: &Farm| serde_json::to_string(farm).unwrap();
        assert_eq!(text(&whole.farm), text(&farm));
        assert_eq!(text(&short.farm), text(&farm));
        let odd = recall(&remembered(None, &["{\"fact\":\"eclipse\"}".to_owned()]));
        assert!(odd.is_err_and(|error| error.starts_with("fact 1 ")));
    }
}
