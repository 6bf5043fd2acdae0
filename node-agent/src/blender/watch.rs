//! How a Blender is listened to: for its answers, its silence, its weight and its end. This must not know scenes.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::{Failure, FailureKind};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::message::{Command, Message, Samples};
use super::process::{Heard, LEAVING, Process};

/// How long a Blender may take to stop a frame by itself before its group is killed.
const SOFT_CANCEL: Duration = Duration::from_millis(1500);
/// A Blender's memory is looked at so often.
const WEIGHED_EVERY: Duration = Duration::from_secs(1);

/// How one frame is watched while it renders.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    /// Without any progress for so long it has failed. What it prints is none: a program that only prints would
    /// never end.
    pub(crate) timeout: Duration,
    /// With more memory than this, in bytes, it has failed: before the system ends something else instead.
    pub(crate) memory_bytes: u64,
    /// Cancelled when the frame is not wanted any more.
    pub(crate) cancel: &'a CancellationToken,
    /// Cancelled when there is no time to be gentle.
    pub(crate) kill: &'a CancellationToken,
    /// How many threads render it, at least 1.
    pub(crate) threads: u32,
    /// Where Blender prints.
    pub(crate) log: &'a Arc<Log>,
}

/// What a slot hears while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    StartingBlender,
    LoadingScene,
    /// The scene's load had begun before, and is waited for.
    AwaitingScene,
    /// The frame began.
    Started,
    /// Where it stands, and the memory that Blender holds.
    Samples(Samples, u64),
}

/// Why a frame did not come.
#[derive(Debug)]
pub(crate) enum NoFrame {
    Cancelled,
    Failed(Failure),
}

/// The answer to a command that is no frame.
pub(super) async fn answer(process: &mut Process, watch: &Watch<'_>, when: &str) -> Result<Message, NoFrame> {
    let mut kill_at = None;
    loop {
        match listen(process, watch, &mut kill_at, when).await? {
            Message::Progress(_) => {}
            message => return Ok(message),
        }
    }
}

/// The next message; watches for silence, for a cancel, and for Blender's end on the way. `kill_at` is when a
/// Blender that was told to stop its frame is killed; it must be told once only.
pub(super) async fn listen(
    process: &mut Process,
    watch: &Watch<'_>,
    kill_at: &mut Option<Instant>,
    when: &str,
) -> Result<Message, NoFrame> {
    let quiet_until = Instant::now() + watch.timeout;
    let mut weigh_at = Instant::now() + WEIGHED_EVERY;
    loop {
        let stop = async {
            match *kill_at {
                Some(at) => sleep_until(at).await,
                None => watch.cancel.cancelled().await,
            }
        };
        tokio::select! {
            heard = process.hear() => match heard {
                Heard::Driver(message) => return Ok(message),
                Heard::Print(None) => {}
                Heard::Print(Some(samples)) => return Ok(Message::Progress(samples)),
                Heard::Gone if kill_at.is_some() => {
                    process.ended(LEAVING).await;
                    return Err(NoFrame::Cancelled);
                }
                Heard::Gone => return Err(NoFrame::Failed(ended(process, watch, when).await)),
            },
            () = stop => {
                let soft = kill_at.is_none() && process.send(&Command::Cancel).await.is_ok();
                if !soft {
                    process.kill().await;
                    return Err(NoFrame::Cancelled);
                }
                *kill_at = Some(Instant::now() + SOFT_CANCEL);
            }
            () = watch.kill.cancelled() => {
                process.kill().await;
                return Err(NoFrame::Cancelled);
            }
            () = sleep_until(weigh_at) => {
                weigh_at = Instant::now() + WEIGHED_EVERY;
                let weight = process.group_memory_bytes();
                if weight > watch.memory_bytes {
                    process.kill().await;
                    return Err(NoFrame::Failed(too_heavy(weight, watch, when)));
                }
            }
            () = sleep_until(quiet_until) => {
                process.kill().await;
                let message = format!("no progress of Blender for {} s {when}", watch.timeout.as_secs());
                let failure = Failure::new(FailureKind::TimedOut, message).with_log(watch.log.end());
                return Err(NoFrame::Failed(failure));
            }
        }
    }
}

fn too_heavy(weight: u64, watch: &Watch<'_>, when: &str) -> Failure {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let message = format!(
        "Blender took {} MB of memory {when}, more than the {} MB that this node allows it",
        megabytes(weight),
        megabytes(watch.memory_bytes)
    );
    Failure::new(FailureKind::OutOfMemory, message).with_log(watch.log.end())
}

/// How a Blender that closed its line ended.
pub(super) async fn ended(process: &mut Process, watch: &Watch<'_>, when: &str) -> Failure {
    let status = process.ended(LEAVING).await;
    death(status, when).with_log(watch.log.end())
}

fn death(status: Option<ExitStatus>, when: &str) -> Failure {
    match status.map(|status| (status.code(), status.signal())) {
        Some((_, Some(signal))) => {
            let name = nix::sys::signal::Signal::try_from(signal)
                .map_or_else(|_| signal.to_string(), |signal| signal.as_str().to_owned());
            let hint = match name.as_str() {
                "SIGKILL" => "; the machine may be out of memory",
                "SIGSEGV" => "; a scene of a newer Blender can do that",
                _ => "",
            };
            let message = format!("Blender was ended by {name} {when}{hint}");
            Failure::new(FailureKind::BlenderKilled, message)
        }
        Some((Some(code), _)) => {
            let message = format!("Blender ended with exit code {code} {when}");
            Failure::new(FailureKind::BlenderExited, message)
        }
        _ => Failure::new(FailureKind::BlenderExited, format!("Blender ended {when}")),
    }
}

/// Blender prints through other pipes than the driver: what explains a failure may still be on its way.
pub(super) async fn failure_with_log(kind: FailureKind, message: String, watch: &Watch<'_>) -> Failure {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Failure::new(kind, message).with_log(watch.log.end())
}

pub(super) async fn unexpected(message: Message, watch: &Watch<'_>) -> NoFrame {
    let said = match message {
        Message::Broken { message } => message,
        other => format!("the driver said what it must not: {other:?}"),
    };
    NoFrame::Failed(failure_with_log(FailureKind::DriverError, said, watch).await)
}
