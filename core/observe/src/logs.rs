//! Starting logs: what is logged, where to, and in which form.
#![expect(
    clippy::doc_markdown,
    reason = "some of these comments are help texts, printed as they stand"
)]

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde_json::Map;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::files::{BoundedFiles, Bounds};
use crate::lines::{Everywhere, Lines};

/// 64 MB in all.
const BOUNDS: Bounds = Bounds {
    file_bytes: 8 << 20,
    files: 8,
};

/// What is logged where nobody says otherwise.
const LEVELS: &str = "info,hyper=warn,reqwest=warn";

/// What a command line may say of logs.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Folder of the log files: JSON lines, 64 MB at most [default: `logs` in the data folder].
    #[arg(long, value_name = "DIR", env = "FARMHAND_LOG_DIR")]
    pub log_dir: Option<PathBuf>,
    /// Form of what goes to stderr [default: text].
    #[arg(long, value_name = "FORM", env = "FARMHAND_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug or trace, also by part: info,farmhand_orchestrator=debug.
    #[arg(long = "log", value_name = "LEVELS", env = "FARMHAND_LOG")]
    pub levels: Option<String>,
}

/// Form of log lines on stderr. Files are always JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

impl LogFormat {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder cannot be written.
    #[error("cannot write logs to {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The levels make no sense.
    #[error("cannot read the log levels {levels:?}: write info, debug, or info,farmhand_orchestrator=debug")]
    Levels {
        /// As they were given.
        levels: String,
        /// What is wrong with them.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
}

/// Running logs. Lines that wait are written when it is dropped.
#[derive(Debug)]
pub struct Logs {
    everywhere: Everywhere,
    _writing: WorkerGuard,
}

impl Logs {
    /// Every line in the files has this field from now on.
    pub fn every_line(&self, field: &str, value: &str) {
        let mut fields = self
            .everywhere
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        fields.insert(field.to_owned(), value.into());
    }
}

/// Starts logging to files `<name>.log` in the folder that `args` names, else in `folder`; and to stderr where
/// `also_stderr`, which nothing may be while a dashboard owns the terminal.
///
/// # Errors
/// When the folder cannot be written, or the levels make no sense.
pub fn start(args: &LogArgs, folder: &Path, name: &str, also_stderr: bool) -> Result<Logs, LogError> {
    let folder = args.log_dir.as_deref().unwrap_or(folder);
    let levels = args.levels.as_deref().unwrap_or(LEVELS);
    let filter = EnvFilter::try_new(levels).map_err(|source| LogError::Levels {
        levels: levels.to_owned(),
        source,
    })?;
    let files = std::fs::create_dir_all(folder).and_then(|()| BoundedFiles::open(folder, name, BOUNDS));
    let files = files.map_err(|source| LogError::Folder {
        folder: folder.to_owned(),
        source,
    })?;
    // A slow disk loses lines and never holds up who writes them.
    let (files, writing) = tracing_appender::non_blocking(files);
    let everywhere = Everywhere::new(Map::new().into());
    let to_files = tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(Lines(everywhere.clone()))
        .with_writer(files);
    let to_stderr = also_stderr.then(|| match args.log_format.unwrap_or_default() {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(io::stderr)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(Lines(everywhere.clone()))
            .with_writer(io::stderr)
            .boxed(),
    });
    // Already set only where tests start several in one process.
    let _already_set = tracing_subscriber::registry()
        .with(filter)
        .with(to_files)
        .with(to_stderr)
        .try_init();
    Ok(Logs {
        everywhere,
        _writing: writing,
    })
}
