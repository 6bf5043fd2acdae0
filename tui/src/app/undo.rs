//! Taking back what was just done: the act is sent at once, and for a while a key sends its contrary.

use jiff::{SignedDuration, Timestamp};

use super::{Act, Command, Model, Target, Tone, act};

/// How long an act can be taken back.
const WHILE: SignedDuration = SignedDuration::from_secs(8);

/// What would take the last act back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) target: Target,
    pub(crate) act: Act,
    pub(crate) until: Timestamp,
}

impl Undo {
    /// Seconds that are left, rounded up; nothing once it is over.
    pub(crate) fn seconds_left(&self, now: Timestamp) -> Option<i64> {
        let left = self.until.duration_since(now).as_millis();
        (left > 0).then(|| i64::try_from(left.div_euclid(1000)).unwrap_or(0) + i64::from(left % 1000 > 0))
    }
}

/// The farm has done what was asked, and this would take it back.
pub(crate) fn offer(model: &mut Model, target: Target, act: Act) {
    let until = model.now.saturating_add(WHILE).unwrap_or(Timestamp::MAX);
    model.undo = Some(Undo { target, act, until });
}

pub(crate) fn availability(model: &Model) -> Result<(), String> {
    let undo = model.undo.as_ref().and_then(|undo| undo.seconds_left(model.now));
    undo.map(drop)
        .ok_or_else(|| "nothing to undo: it can be done for 8 seconds".to_owned())
}

/// Sends the contrary of the last act.
pub(crate) fn undo(model: &mut Model) -> Vec<Command> {
    if let Err(reason) = availability(model) {
        model.say(Tone::Plain, reason);
        return Vec::new();
    }
    let Some(undo) = model.undo.take() else {
        return Vec::new();
    };
    let (_, done) = act::wording(&undo.act);
    act::start(model, undo.target, undo.act, "undoing", format!("undone: {done}"))
}
