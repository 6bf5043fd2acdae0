//! Variables of the environment that are there and empty, as composed files and units leave them. For logs and traces
//! these count as not set, which is what OpenTelemetry asks of every program. Elsewhere an empty variable stays an
//! error: a farm whose token is said to be in no file must not run without one.

use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::{Args, Command, Id};

use crate::{LogArgs, TraceArgs};

/// The same command, to which empty variables of [`LogArgs`] and [`TraceArgs`] say nothing.
pub fn without_empty_variables(command: Command) -> Command {
    let ours = TraceArgs::augment_args(LogArgs::augment_args(Command::new("")));
    let ours: Vec<Id> = ours.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    without(command, &ours, &is_empty)
}

fn without(command: Command, ours: &[Id], is_empty: &dyn Fn(&OsStr) -> bool) -> Command {
    let command = command.mut_args(|arg| {
        if ours.contains(arg.get_id()) && arg.get_env().is_some_and(is_empty) {
            arg.env(Resettable::Reset)
        } else {
            arg
        }
    });
    command.mut_subcommands(|verb| without(verb, ours, is_empty))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn an_empty_variable_is_left_out_where_it_is_ours_and_in_verbs_too() {
        let arg = |id: &'static str, name: &'static str| Arg::new(id).long(id).env(name);
        let verb = Command::new("serve").arg(arg("otlp", "EMPTY"));
        let command = Command::new("farmhand")
            .args([arg("otlp", "EMPTY"), arg("log", "FULL"), arg("token", "EMPTY")])
            .subcommand(verb);
        let command = without(command, &["otlp".into(), "log".into()], &|name| name == "EMPTY");
        let names = |command: &Command| {
            let args = command.get_arguments();
            let names = args.map(|arg| arg.get_env().map(|name| name.to_string_lossy().into_owned()));
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&command), [None, Some("FULL".into()), Some("EMPTY".into())]);
        assert_eq!(names(command.find_subcommand("serve").unwrap()), [None]);
    }
}
