//! Carrying out the model's commands; each answer comes back as a message.

use farmhand_client::{CallError, FarmClient, Upload};
use tokio::sync::mpsc::Sender;

use super::paths;
use crate::app::{Act, Command, Msg, Snapshot};
use crate::new_job::{NewJob, default_frames, head_of};
use crate::words;

/// Starts carrying a command out. Never waits for it.
pub(crate) fn carry_out(command: Command, farm: &FarmClient, inbox: &Sender<Msg>) {
    let (farm, inbox) = (farm.clone(), inbox.clone());
    tokio::spawn(async move {
        let message = answer(command, &farm, &inbox).await;
        if let Some(message) = message {
            let _dashboard_ended = inbox.send(message).await;
        }
    });
}

async fn answer(command: Command, farm: &FarmClient, inbox: &Sender<Msg>) -> Option<Msg> {
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
        } => Msg::Acted {
            generation,
            target,
            result: perform(farm, act).await.map_err(|error| error.to_string()),
        },
        Command::ReadHead { generation, path } => {
            let read = tokio::task::spawn_blocking(move || {
                let path = crate::app::expand(&path);
                head_of(&path)
                    .map(|head| default_frames(&head))
                    .map_err(|error| format!("{error:#}"))
            });
            Msg::HeadRead {
                generation,
                result: read.await.ok()?,
            }
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
        // The loop itself does these.
        Command::Suspend | Command::Quit(_) => return None,
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
        Act::Drain { node, now } => farm.drain_node(node, now).await,
        Act::Undrain(node) => farm.undrain_node(node).await,
        Act::AddNode(address) => farm.add_node(&address).await,
    }
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
        result: result.map(Box::new).map_err(|error| format!("{error:#}")),
    }
}
