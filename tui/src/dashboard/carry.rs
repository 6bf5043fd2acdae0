//! Carrying out the model's commands; each answer comes back as a message.

use std::path::{Path, PathBuf};
use std::time::Duration;

use farmhand_client::{CallError, FarmClient, Upload};
use farmhand_protocol::farm::{ChangeJob, FrameState, JobDetail};
use farmhand_protocol::{FrameSet, JobId};
use tokio::sync::mpsc::Sender;

use super::look_up::look_up;
use super::{files, paths, scene_file};
use crate::app::{Act, Command, Msg, SceneFile, Snapshot, expand};
use crate::new_job::NewJob;
use crate::words;

/// How long a picture of a play is seen.
const PLAY_FRAME: Duration = Duration::from_millis(80);

/// Starts carrying a command out. Never waits for it.
/// `draft` is the file of the submit form's draft.
pub(crate) fn carry_out(command: Command, farm: &FarmClient, inbox: &Sender<Msg>, draft: &Path) {
    let (farm, inbox, draft) = (farm.clone(), inbox.clone(), draft.to_owned());
    tokio::spawn(async move {
        let message = answer(command, &farm, &inbox, &draft).await;
        if let Some(message) = message {
            let _dashboard_ended = inbox.send(message).await;
        }
    });
}

/// Looks into a .blend on a thread that may wait for the disk.
async fn read_file(
    path: PathBuf,
    read: fn(&Path) -> Result<SceneFile, String>,
) -> Option<Result<SceneFile, String>> {
    tokio::task::spawn_blocking(move || read(&path)).await.ok()
}

async fn answer(command: Command, farm: &FarmClient, inbox: &Sender<Msg>, draft_file: &Path) -> Option<Msg> {
    Some(match command {
        Command::LoadFarm { generation } => Msg::FarmLoaded {
            generation,
            result: snapshot(farm)
                .await
                .map(Box::new)
                .map_err(|error| error.to_string()),
        },
        Command::LoadJob { job } => Msg::JobLoaded {
            job,
            result: farm
                .job(job)
                .await
                .map(Box::new)
                .map_err(|error| error.to_string()),
        },
        Command::Act {
            generation,
            target,
            act,
        } => {
            if let Some(act) = contrary(farm, &act).await {
                let target = target.clone();
                let message = Msg::CanUndo {
                    generation,
                    target,
                    act,
                };
                let _dashboard_ended = inbox.send(message).await;
            }
            Msg::Acted {
                generation,
                target,
                result: perform(farm, act).await.map_err(|error| error.to_string()),
            }
        }
        Command::ReadFile { generation, path } => {
            let path = expand(&path);
            // Its range first: that takes a moment, all of a large scene a few.
            let result = read_file(path.clone(), scene_file::quick).await?;
            let ends_here = result.is_err();
            let first = Msg::FileRead { generation, result };
            if ends_here {
                return Some(first);
            }
            inbox.send(first).await.ok()?;
            let result = read_file(path, scene_file::whole).await?;
            Msg::FileRead { generation, result }
        }
        Command::KeepDraft(draft) => {
            let path = draft_file.to_owned();
            let kept = tokio::task::spawn_blocking(move || scene_file::keep_draft(&path, draft.as_ref()));
            if let Ok(Err(error)) = kept.await {
                tracing::warn!(%error, "the form's draft is not kept");
            }
            return None;
        }
        Command::ListPaths {
            generation,
            typed,
            blends_only,
        } => {
            let listed = tokio::task::spawn_blocking(move || paths::hits(&typed, blends_only));
            Msg::PathsListed {
                generation,
                hits: listed.await.ok()?,
            }
        }
        Command::Submit { generation, job } => submit(generation, *job, farm, inbox).await,
        Command::LoadLog {
            generation,
            job,
            frame,
        } => Msg::LogLoaded {
            generation,
            result: farm
                .frame_log(job, frame)
                .await
                .map_err(|error| error.to_string()),
        },
        Command::PlayOn { generation } => {
            tokio::time::sleep(PLAY_FRAME).await;
            Msg::PlayOn { generation }
        }
        Command::SaveText { name, text } => {
            let saved = tokio::task::spawn_blocking(move || files::save(&name, &text));
            match saved.await.ok()? {
                Ok(path) => Msg::Done(format!("saved as {}", path.display())),
                Err(error) => Msg::Trouble(error),
            }
        }
        Command::OpenOutside { path } => match files::open_outside(&path) {
            Ok(()) => Msg::Done(format!("opening {path}")),
            Err(error) => Msg::Trouble(error),
        },
        command => return look_up(command, farm).await,
    })
}

async fn snapshot(farm: &FarmClient) -> Result<Snapshot, CallError> {
    let (view, jobs, nodes) = tokio::join!(farm.farm(), farm.jobs(), farm.nodes());
    Ok(Snapshot {
        farm: view?,
        jobs: jobs?,
        nodes: nodes?,
    })
}

async fn perform(farm: &FarmClient, act: Act) -> Result<(), CallError> {
    match act {
        Act::CancelJob(id) => farm.cancel_job(id, None).await.map(drop),
        Act::RetryJob(id) => farm.retry_job(id, None).await.map(drop),
        Act::Pause(id) => farm.pause_job(id).await.map(drop),
        Act::Resume(id) => farm.resume_job(id).await.map(drop),
        Act::CancelBatch(id) => farm.cancel_batch(id).await.map(drop),
        Act::RetryBatch(id) => farm.retry_batch(id).await.map(drop),
        Act::CancelFrames { job, frames } => farm.cancel_job(job, Some(frames)).await.map(drop),
        Act::RetryFrames { job, frames } => farm.retry_job(job, Some(frames)).await.map(drop),
        Act::SetPriority { job, priority } => {
            let change = ChangeJob {
                priority: Some(priority),
                ..ChangeJob::default()
            };
            farm.change_job(job, &change).await
        }
        Act::CancelJobs(ids) => {
            for id in ids {
                farm.cancel_job(id, None).await?;
            }
            Ok(())
        }
        Act::Drain { node, now, until } => farm.drain_node(node, now, until).await,
        Act::Undrain(node) => farm.undrain_node(node).await,
        Act::AddNode(address) => farm.add_node(&address).await,
        Act::Verify(job) => farm.verify_job(job).await.map(drop),
        Act::MakeFilms(job) => farm.make_films(job).await.map(drop),
        Act::ForgetJob(job) => farm.delete_job(job).await,
        Act::ForgetNode(node) => farm.remove_node(node).await,
    }
}

/// What takes an act back, as the farm stands before it. Frames are named one by one, so that only what the act
/// changes is changed back.
async fn contrary(farm: &FarmClient, act: &Act) -> Option<Act> {
    match act {
        Act::Pause(id) => Some(Act::Resume(*id)),
        Act::Resume(id) => Some(Act::Pause(*id)),
        Act::CancelFrames { job, frames } => Some(Act::RetryFrames {
            job: *job,
            frames: frames.clone(),
        }),
        Act::RetryFrames { job, frames } => {
            let detail = farm.job(*job).await.ok()?;
            // Frames that were delivered cannot become so again by cancelling them.
            let again = frames.difference(&in_states(&detail, &[FrameState::Delivered]));
            (again == *frames).then(|| Act::CancelFrames {
                job: *job,
                frames: frames.clone(),
            })
        }
        Act::CancelJob(job) => {
            let detail = farm.job(*job).await.ok()?;
            let open = [FrameState::Pending, FrameState::Leased, FrameState::Rendering];
            some_frames(*job, in_states(&detail, &open), |job, frames| Act::RetryFrames {
                job,
                frames,
            })
        }
        Act::RetryJob(job) => {
            let detail = farm.job(*job).await.ok()?;
            let ended = [FrameState::Failed, FrameState::Cancelled];
            some_frames(*job, in_states(&detail, &ended), |job, frames| {
                Act::CancelFrames { job, frames }
            })
        }
        Act::CancelBatch(id) => {
            let batch = farm.batch(*id).await.ok()?;
            let open = batch
                .frames
                .difference(&batch.delivered)
                .difference(&batch.failed);
            some_frames(batch.job, open, |job, frames| Act::RetryFrames { job, frames })
        }
        Act::RetryBatch(id) => {
            let batch = farm.batch(*id).await.ok()?;
            let detail = farm.job(batch.job).await.ok()?;
            let ended = in_states(&detail, &[FrameState::Failed, FrameState::Cancelled]);
            // Those of the batch, and no others.
            let others = ended.difference(&batch.frames);
            some_frames(batch.job, ended.difference(&others), |job, frames| {
                Act::CancelFrames { job, frames }
            })
        }
        Act::SetPriority { job, .. } => Some(Act::SetPriority {
            job: *job,
            priority: farm.job(*job).await.ok()?.job.priority,
        }),
        Act::Drain { node, .. } => Some(Act::Undrain(*node)),
        Act::Undrain(node) => Some(Act::Drain {
            node: *node,
            now: false,
            until: None,
        }),
        Act::CancelJobs(_)
        | Act::AddNode(_)
        | Act::Verify(_)
        | Act::MakeFilms(_)
        | Act::ForgetJob(_)
        | Act::ForgetNode(_) => None,
    }
}

fn in_states(detail: &JobDetail, states: &[FrameState]) -> FrameSet {
    let chosen = detail.states.iter().filter(|one| states.contains(&one.state));
    chosen.fold(FrameSet::default(), |all, one| all.union(&one.frames))
}

fn some_frames(job: JobId, frames: FrameSet, act: impl FnOnce(JobId, FrameSet) -> Act) -> Option<Act> {
    (!frames.is_empty()).then(|| act(job, frames))
}

async fn submit(generation: u64, job: NewJob, farm: &FarmClient, inbox: &Sender<Msg>) -> Msg {
    let told = |upload: Upload| {
        let doing = format!(
            "uploading {} of {}, {} of {} files",
            words::bytes(upload.sent_bytes),
            words::bytes(upload.bytes),
            upload.sent,
            upload.files
        );
        // Where the dashboard is busy the next one will do.
        let _full = inbox.try_send(Msg::Submitting { generation, doing });
    };
    let result = job.submit(farm, told).await;
    Msg::Submitted {
        generation,
        result: result.map(Box::new).map_err(|error| words::error(&error)),
    }
}
