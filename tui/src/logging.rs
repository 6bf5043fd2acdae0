//! Logs: to a rotating file in the data folder. Never to the terminal while a dashboard owns it.

use std::path::Path;

use color_eyre::eyre::{Context, Result};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to files of this name in `folder`, and to stderr too where `also_stderr`. Lines still
/// waiting are written when the guard is dropped. `FARMHAND_LOG` chooses what is logged.
pub(crate) fn start(folder: &Path, name: &str, also_stderr: bool) -> Result<WorkerGuard> {
    std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .max_log_files(7)
        .filename_prefix(name)
        .filename_suffix("log")
        .build(folder)
        .wrap_err_with(|| format!("cannot write logs to {}", folder.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let filter = EnvFilter::builder()
        .with_env_var("FARMHAND_LOG")
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new("info,hyper=warn,reqwest=warn"));
    let to_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    let to_stderr = also_stderr.then(|| {
        tracing_subscriber::fmt::layer()
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr)
    });
    // Already set only where tests start several in one process.
    let _already_set = tracing_subscriber::registry()
        .with(filter)
        .with(to_file)
        .with(to_stderr)
        .try_init();
    Ok(guard)
}
