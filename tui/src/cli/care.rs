//! `fsck` and `backup`: a farm's data folder, looked after.

use std::path::Path;

use color_eyre::eyre::{Result, eyre};
use farmhand_orchestrator::{Checkup, back_up as copy, check_up as look};
use serde_json::json;

use super::print;
use crate::place::Place;

pub(crate) fn check_up(place: &Place, as_json: bool) -> Result<()> {
    let found = look(place.data())?.ok_or_else(|| eyre!("there is no farm in {}", place.data().display()))?;
    if as_json {
        print::json(&json!({
            "jobs": found.jobs, "frames": found.frames, "files": found.files, "bytes": found.bytes,
            "findings": found.findings,
        }))?;
    } else {
        print::text(&in_words(&found))?;
    }
    match found.findings.len() {
        0 => Ok(()),
        1 => Err(eyre!("1 thing is not as it should be")),
        n => Err(eyre!("{n} things are not as they should be")),
    }
}

fn in_words(found: &Checkup) -> String {
    let mut lines = found.findings.clone();
    lines.push(format!(
        "looked at {} jobs, {} delivered frames, {} files, {} MB",
        found.jobs,
        found.frames,
        found.files,
        found.bytes / 1_000_000
    ));
    if found.findings.is_empty() {
        lines.push("all is well".to_owned());
    }
    lines.join("\n") + "\n"
}

pub(crate) fn back_up(place: &Place, to: &Path) -> Result<()> {
    let made = copy(place.data(), &std::path::absolute(to)?)?;
    print::text(&format!(
        "journal of {} kB and {} new scene files copied to {}; farmhand serve --data {} goes on from there\n",
        made.journal_bytes / 1000,
        made.blobs,
        to.display(),
        to.display()
    ))?;
    Ok(())
}
