//! What screens ask of the farm about one job, frame, batch or node.

use farmhand_client::FarmClient;

use crate::app::{Command, Msg, WhySubject};

/// The answer to a question; nothing to what is none, or where nothing went wrong.
pub(super) async fn look_up(command: Command, farm: &FarmClient) -> Option<Msg> {
    Some(match command {
        Command::LoadOutput { job, newest } => Msg::OutputLoaded {
            job,
            result: farm
                .output(job, newest)
                .await
                .map(Box::new)
                .map_err(|error| error.to_string()),
        },
        Command::LoadFrame { job, frame } => Msg::FrameLoaded {
            job,
            result: farm
                .frame(job, frame)
                .await
                .map(|view| view.map(Box::new))
                .map_err(|error| error.to_string()),
        },
        Command::LoadWhy { subject } => {
            let answer = match subject {
                WhySubject::Job(job) => farm.why(job).await,
                WhySubject::Frame(job, frame) => farm.why_frame(job, frame).await,
                WhySubject::Batch(batch) => farm.why_batch(batch).await,
                WhySubject::Node(node) => farm.why_node(node).await,
            };
            Msg::WhyLoaded {
                subject,
                result: answer.map_err(|error| error.to_string()),
            }
        }
        Command::LoadHistory { node, cursor, limit } => {
            let result = farm.node_batches(node, cursor.as_deref(), limit).await;
            Msg::HistoryLoaded {
                node,
                cursor,
                result: result.map_err(|error| error.to_string()),
            }
        }
        Command::OpenFolder { path } => Msg::Trouble(open_folder(&path).await?),
        // The loop itself does these.
        _ => return None,
    })
}

/// Shows a folder in the desktop's file manager. Says what went wrong, if something did.
async fn open_folder(path: &str) -> Option<String> {
    if !tokio::fs::metadata(path).await.is_ok_and(|found| found.is_dir()) {
        return Some(format!(
            "{path} is not on this machine: `farmhand fetch` brings pictures here"
        ));
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let shown = tokio::process::Command::new(opener)
        .arg(path)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match shown.await {
        Ok(status) if status.success() => None,
        Ok(_) => Some(format!("no program here opens folders; it is {path}")),
        Err(error) => Some(format!("cannot start {opener} ({error}); the folder is {path}")),
    }
}
