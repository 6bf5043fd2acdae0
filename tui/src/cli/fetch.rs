//! `fetch`: a job's frames and films onto this machine's own disk.

use std::path::PathBuf;

use color_eyre::eyre::Result;
use farmhand_client::{FarmClient, FrameFetcher};
use farmhand_protocol::JobId;

use super::print;
use super::submit::{conclude, fetch_with_retry, films_of, follow};
use crate::words;

pub(crate) async fn fetch(farm: &FarmClient, id: JobId, folder: PathBuf, wait: bool) -> Result<()> {
    let job = farm.job(id).await?.job; // Before any folder is made for a job that does not exist.
    if wait && !job.state.has_ended() {
        let ended = follow(farm, job, Some(folder)).await?;
        return conclude(&ended, false);
    }
    let mut fetcher = FrameFetcher::new(farm.clone(), id, folder.clone());
    fetcher.and_films(films_of(&job));
    let brought = fetch_with_retry(&mut fetcher).await?;
    let known = match brought.known {
        0 => String::new(),
        known => format!(", {known} were there already"),
    };
    Ok(print::text(&format!(
        "{} files ({}) in {}{known}\n",
        brought.files,
        words::bytes(brought.bytes),
        folder.display()
    ))?)
}
