//! `completions` and `man`: the command line as shells and `man` want it.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use color_eyre::eyre::{Result, WrapErr};

use super::args::Cli;
use super::print;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "farmhand", &mut script);
    Ok(print::text(&String::from_utf8(script)?)?)
}

/// Prints the program's page; with `folder` writes it there, and one for each verb.
pub(crate) fn man(folder: Option<&Path>) -> Result<()> {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
        return clap_mangen::generate_to(Cli::command(), folder)
            .wrap_err_with(|| format!("cannot write pages to {}", folder.display()));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(print::text(&String::from_utf8(page)?)?)
}
