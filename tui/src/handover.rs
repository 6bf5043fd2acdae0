//! Handing a farm over: a detached `farmhand serve` takes up the same data, as after any restart.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use color_eyre::eyre::{Result, WrapErr};

use crate::host::{Host, HostPlan};

/// Stops the orchestrator of this process and starts one that outlives it, at the same address. Returns the
/// address; nodes render on meanwhile.
///
/// # Errors
/// When the program cannot be started again.
pub(crate) async fn hand_over(host: Host, plan: &HostPlan) -> Result<SocketAddr> {
    let address = host.listening_on();
    if let Err(error) = host.stop().await {
        // The next one replays the journal whatever this one's end was.
        tracing::error!(%error, "the orchestrator ended badly before it was handed over");
    }
    let program = std::env::current_exe().wrap_err("cannot find this program to start it again")?;
    let mut command = Command::new(program);
    command
        .args(plan.serve_arguments(address))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    detach(&mut command);
    command.spawn().wrap_err("cannot start `farmhand serve`")?;
    Ok(address)
}

/// Makes the child leader of a session of its own, so that the terminal's end does not reach it.
fn detach(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; `setsid` is one.
    #[expect(unsafe_code, reason = "the standard library has no way to start a session")]
    unsafe {
        command.pre_exec(|| {
            let _already_leader = nix::unistd::setsid();
            Ok(())
        });
    }
}
