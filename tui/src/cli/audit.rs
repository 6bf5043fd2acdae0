//! `audit`: who changed what.

use color_eyre::eyre::Result;
use farmhand_client::FarmClient;
use farmhand_protocol::AuditEntry;
use jiff::tz::TimeZone;

use super::print;

pub(crate) async fn audit(farm: &FarmClient, newest: u32, as_json: bool) -> Result<()> {
    let mut entries = farm.audit(newest as usize).await?;
    entries.reverse();
    if as_json {
        return Ok(print::json(&entries)?);
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    let titles = ["WHEN", "USER", "ADDRESS", "ANSWER", "CALL"];
    Ok(print::text(&print::table(&titles, &[3], &rows))?)
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let known = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let body = entry.body.as_deref().unwrap_or_default();
    let call = format!("{} {body}", entry.call);
    vec![
        TimeZone::system()
            .to_datetime(entry.at)
            .strftime("%F %T")
            .to_string(),
        known(&entry.user),
        known(&entry.address),
        entry.status.to_string(),
        // A name may hold anything, and shall not move a terminal's cursor.
        call.trim().replace(char::is_control, " "),
    ]
}
