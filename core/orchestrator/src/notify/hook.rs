//! Notices to a program of the farm's owner: run for each, without a shell, the notice as JSON on its standard
//! input.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::Notice;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{Semaphore, mpsc};

use crate::metrics::Metrics;

/// Programs that run at a time.
const AT_A_TIME: usize = 4;

/// Runs the program for every notice of a queue. All end with this future.
pub(super) async fn run_all(
    program: PathBuf,
    limit: Duration,
    mut waiting: mpsc::Receiver<Arc<Notice>>,
    metrics: Arc<Metrics>,
) {
    let slots = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = tokio::task::JoinSet::new();
    while let Some(notice) = waiting.recv().await {
        while running.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (program, metrics) = (program.clone(), Arc::clone(&metrics));
        running.spawn(async move {
            let event = notice.event.name();
            let ended = tokio::time::timeout(limit, run(&program, &notice)).await;
            let reason = match ended {
                Ok(Ok(())) => {
                    tracing::info!(event, id = %notice.id, program = %program.display(), "notice taken");
                    metrics.notice("sent");
                    drop(slot);
                    return;
                }
                Ok(Err(reason)) => reason,
                // Dropping its future has killed it.
                Err(_) => format!("it took more than {} seconds", limit.as_secs_f32()),
            };
            tracing::warn!(event, id = %notice.id, program = %program.display(), reason, "a notice was not taken");
            metrics.notice("failed");
            drop(slot);
        });
    }
}

async fn run(program: &Path, notice: &Notice) -> Result<(), String> {
    let mut body = serde_json::to_vec(notice).expect("a notice is plain data with string keys");
    body.push(b'\n');
    let mut child = Command::new(program)
        .env("FARMHAND_EVENT", notice.event.name())
        .env_remove("FARMHAND_TOKEN") // It is told of the farm, not let in.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input has closed it; its exit code counts.
        let _not_read = input.write_all(&body).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}
