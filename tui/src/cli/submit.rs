//! `submit`: pack, upload, ask, and where wanted wait for the end and bring the frames home.

use std::path::PathBuf;
use std::time::Duration;

use color_eyre::eyre::{Result, bail};
use farmhand_client::{FarmClient, FrameFetcher, Upload};
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{Existing, FilmState, JobState, JobView};
use farmhand_protocol::{Denoise, RenderSettings};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::SubmitArgs;
use super::print;
use super::watch::{Seen, watch};
use crate::new_job::NewJob;
use crate::words;

pub(crate) async fn submit(farm: &FarmClient, args: SubmitArgs) -> Result<()> {
    let bar = bar("{spinner} uploading {bytes}/{total_bytes} {wide_bar} {bytes_per_sec}");
    bar.set_message("packing");
    let as_json = args.print.json;
    let (wait, download) = (args.wait, args.download.clone());
    let job = asked(args)
        .submit(farm, |upload: Upload| {
            bar.set_length(upload.bytes);
            bar.set_position(upload.sent_bytes);
        })
        .await;
    bar.finish_and_clear();
    let job = job?;
    if !wait && download.is_none() {
        return if as_json {
            Ok(print::json(&job)?)
        } else {
            Ok(print::text(&announce(&job))?)
        };
    }
    if !as_json {
        print::text(&announce(&job))?;
    }
    let ended = follow(farm, job, download).await?;
    if as_json {
        print::json(&ended)?;
    }
    conclude(&ended, as_json)
}

fn asked(args: SubmitArgs) -> NewJob {
    NewJob {
        scene: args.scene,
        with: args.with,
        shared: args.shared,
        frames: args.frames,
        name: args.name,
        output: args.output,
        existing: args.existing.map_or_else(Existing::default, Existing::from),
        priority: args.priority,
        settings: RenderSettings {
            device: args.device,
            denoise: if args.no_denoise {
                Denoise::Off
            } else {
                Denoise::Scene
            },
            allow_missing: args.allow_missing,
            allow_blocked_scripts: args.allow_blocked_scripts,
            allow_cpu: args.allow_cpu,
            allow_older_blender: args.allow_older_blender,
            frame_timeout_seconds: args.frame_timeout,
            scene: args.scene_name,
            view_layers: args.view_layers,
            resolution_percentage: args.percentage,
            samples: args.samples,
            engine: args.engine,
        },
        tags: args.tags,
        batch_size: args.batch_size,
        after: args.after,
        max_nodes: args.max_nodes,
        preview: args.preview,
        video: args.video,
    }
}

fn announce(job: &JobView) -> String {
    format!(
        "{} {}: {} ({}) to {}\n",
        job.id,
        job.name,
        words::frames(job.frames.len()),
        job.frames,
        job.output
    )
}

/// Shows a job's progress until it has ended; brings its frames on the way where a folder is given.
pub(crate) async fn follow(farm: &FarmClient, job: JobView, download: Option<PathBuf>) -> Result<JobView> {
    let bar = bar("{prefix} {wide_bar} {pos}/{len} {msg}");
    bar.set_prefix(job.id.to_string());
    let mut fetcher = download
        .clone()
        .map(|folder| FrameFetcher::new(farm.clone(), job.id, folder));
    let mut brought = 0;
    let ended = watch(farm, job.id, async |seen| match seen {
        Seen::Job(job) => {
            bar.set_length(job.counts.total().into());
            bar.set_position(job.counts.delivered.into());
            bar.set_message(state_line(job));
            // Frames come home while others are rendered; what fails here is tried again at the end.
            if let Some(fetcher) = &mut fetcher
                && job.counts.delivered >= brought + 8
                && fetcher.pass(|_| ()).await.is_ok()
            {
                brought = job.counts.delivered;
            }
        }
        Seen::Lost(error) => bar.set_message(format!("farm out of reach, trying again: {error}")),
    })
    .await;
    bar.finish_and_clear();
    let ended = ended?;
    let ended = after_films(farm, ended).await?;
    if let (Some(mut fetcher), Some(folder)) = (fetcher, download) {
        fetcher.and_films(films_of(&ended));
        fetch_with_retry(&mut fetcher).await?;
        eprintln!("frames are in {}", folder.display());
    }
    Ok(ended)
}

/// Films of a job that are there to be brought.
pub(crate) fn films_of(job: &JobView) -> Vec<FrameFile> {
    let made = job.film.as_ref().filter(|film| film.state == FilmState::Made);
    made.map(|film| film.files.clone()).unwrap_or_default()
}

/// The job once its films are made, or could not be.
async fn after_films(farm: &FarmClient, mut job: JobView) -> Result<JobView> {
    let is_due = |job: &JobView| {
        let film = job.film.as_ref().map(|film| film.state);
        job.state == JobState::Completed && matches!(film, Some(FilmState::Waiting | FilmState::Making))
    };
    while is_due(&job) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        match farm.job(job.id).await {
            Ok(detail) => job = detail.job,
            Err(error) if error.is_passing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(job)
}

/// The last pass: everything must be here afterwards.
pub(crate) async fn fetch_with_retry(fetcher: &mut FrameFetcher) -> Result<farmhand_client::Fetched> {
    let bar = bar("{spinner} fetching {msg}");
    let mut tries = 0;
    loop {
        let pass = fetcher
            .pass(|fetched| {
                bar.set_message(format!("{} files, {}", fetched.files, HumanBytes(fetched.bytes)));
                bar.tick();
            })
            .await;
        match pass {
            Ok(brought) => {
                bar.finish_and_clear();
                return Ok(brought);
            }
            Err(farmhand_client::FetchError::Call(error)) if tries < 5 && error.is_passing() => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(500 << tries)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn state_line(job: &JobView) -> String {
    let eta = job.eta_ms.filter(|_| !job.state.has_ended());
    let failed = (job.counts.failed > 0).then(|| format!("{} failed", job.counts.failed));
    let left = eta.map(|eta| format!("{} left", words::duration(Duration::from_millis(eta))));
    let reason = job.reason.clone().filter(|_| job.state == JobState::Waiting);
    [Some(job.state.word().to_owned()), failed, left, reason]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// The last line: success, or an error with the reason.
pub(crate) fn conclude(job: &JobView, quiet: bool) -> Result<()> {
    let counts = &job.counts;
    match job.state {
        JobState::Completed => {
            if !quiet {
                let frames = words::frames(counts.delivered);
                print::text(&format!("{} completed: {frames} in {}\n", job.id, job.output))?;
                if let Some(film) = &job.film {
                    print::text(&format!("{} film: {}\n", job.id, words::film(film)))?;
                }
            }
            Ok(())
        }
        JobState::Cancelled => bail!(
            "{} cancelled: {} of {} delivered",
            job.id,
            counts.delivered,
            words::frames(counts.total())
        ),
        _ => {
            let reason = job.reason.as_deref().unwrap_or("see `farmhand job`");
            bail!(
                "{} failed: {reason} ({} of {} failed)",
                job.id,
                counts.failed,
                words::frames(counts.total())
            )
        }
    }
}

/// A progress bar on stderr; nothing where that is no terminal.
fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
