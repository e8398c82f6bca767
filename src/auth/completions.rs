//! `sentry auth completions`: prints a shell completion script.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::world;

pub(crate) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sentry", &mut script);
    world::print(&script)?;
    Ok(ExitCode::SUCCESS)
}
