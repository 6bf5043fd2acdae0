//! From the command line to the verb, and from its result to the exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use color_eyre::eyre::{Result, WrapErr};
use farmhand_client::CallError;
use farmhand_observe::without_empty_variables;

use super::args::{Cli, Verb};
use super::{
    audit, ca, care, control, demo, fetch, info, inspect, jobs, nodes, serve, shell, submit, token, why,
};
use crate::dashboard;
use crate::place::{self, Place};
use crate::scene::BadScene;
use crate::words;

/// Runs the program. Exit code 0 only on success, 2 for a command line or a scene that cannot be used, else 1;
/// an error is one line on stderr.
pub fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = match error.downcast_ref() {
                Some(CallError::Unreachable { .. }) => {
                    "; start one with `farmhand` or `farmhand serve`, or name another with --farm URL"
                }
                _ => "",
            };
            // Where stderr is gone too, there is nobody to tell.
            let _closed = writeln!(std::io::stderr(), "farmhand: {}{hint}", words::error(&error));
            match error.downcast_ref::<BadScene>() {
                Some(_) => ExitCode::from(2),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .wrap_err("cannot start threads")?;
    let ended = runtime.block_on(run(cli));
    // A blocked terminal or disk must not keep us from leaving.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}

async fn run(cli: Cli) -> Result<()> {
    let Some(verb) = cli.verb else {
        return match cli.dashboard.connect.clone() {
            Some(address) => dashboard::connect(&cli.common, &cli.host.logs, address, cli.dashboard).await,
            None if cli.common.farm.is_some() => {
                let client = place::farm(&cli.common)?;
                dashboard::connect(
                    &cli.common,
                    &cli.host.logs,
                    client.address().clone(),
                    cli.dashboard,
                )
                .await
            }
            None => dashboard::open(&cli.common, cli.host, cli.dashboard).await,
        };
    };
    let farm = || place::farm(&cli.common);
    match verb {
        Verb::Serve(args) => serve::serve(&cli.common, args).await,
        Verb::Submit(args) => submit::submit(&farm()?, args).await,
        Verb::Inspect { file, print } => inspect::inspect(file, print.json).await,
        Verb::Jobs(print) => jobs::list(&farm()?, print.json).await,
        Verb::Job { id, print } => jobs::show(&farm()?, id, print.json).await,
        Verb::Nodes(args) => nodes::list(&farm()?, &args).await,
        Verb::Node { node, print } => nodes::show(&farm()?, &node, print.json).await,
        Verb::Cancel(args) => control::cancel(&farm()?, args).await,
        Verb::Retry(args) => control::retry(&farm()?, args).await,
        Verb::Frames { id, print } => jobs::frames(&farm()?, id, print.json).await,
        Verb::Verify { id, print } => control::verify(&farm()?, id, print.json).await,
        Verb::Video { id } => control::video(&farm()?, id).await,
        Verb::Pause { id } => control::pause(&farm()?, id).await,
        Verb::Resume { id } => control::resume(&farm()?, id).await,
        Verb::Forget { ids } => control::forget(&farm()?, &ids).await,
        Verb::Fetch { id, dir, wait } => fetch::fetch(&farm()?, id, dir, wait).await,
        Verb::Drain { node, now } => nodes::drain(&farm()?, &node, now).await,
        Verb::Undrain { node } => nodes::undrain(&farm()?, &node).await,
        Verb::Why { what, frame, print } => why::why(&farm()?, &what, frame, print.json).await,
        Verb::Info(print) => info::info(&cli.common, cli.dashboard.config, print.json).await,
        Verb::Audit { newest, print } => audit::audit(&farm()?, newest, print.json).await,
        Verb::Token { show } => token::token(&Place::new(cli.common.data.clone())?, show),
        Verb::Ca { what } => ca::ca(&Place::new(cli.common.data.clone())?, what),
        Verb::Completions { shell } => shell::completions(shell),
        Verb::Man { dir } => shell::man(dir.as_deref()),
        Verb::Fsck(print) => care::check_up(&Place::new(cli.common.data.clone())?, print.json),
        Verb::Backup { to } => care::back_up(&Place::new(cli.common.data.clone())?, &to),
        Verb::Demo { headless } => demo::demo(&cli.common, headless).await,
    }
}
