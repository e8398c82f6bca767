//! `sentry auth completions`: prints a shell completion script.

use std::process::ExitCode;

use crate::cli::{CompletionsArgs, command_line};
use crate::world::{self, Program};

/// Completes the command line of the program that is named; any other name means the one that was started.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let started = Program::running();
    let name = match (&args.name, started) {
        (Some(name), _) => name,
        (None, Program::Sentry) => "sentry",
        (None, _) => "sentry-credential",
    };
    let program = match name {
        "sentry" => Program::Sentry,
        "sentry-credential" => Program::SentryCredential,
        _ => started,
    };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(program), name, &mut script);
    world::print(&script)?;
    Ok(ExitCode::SUCCESS)
}
