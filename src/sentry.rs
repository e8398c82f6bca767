//! The program `sentry`: parses the command line, dispatches, and chooses the exit code.
//!
//! Separate from [`auth`] and [`doctor`], which do not depend on each other.
//!
//! Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted; those of env(1) for `exec`.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use crate::auth::{self, say};
use crate::cli::{Cli, Command, ExecArgs, LoginArgs, StatusArgs, Topic};
use crate::doctor;
use crate::failure::{hint_of, is_usage};
use crate::platform::process::note_limits;
use crate::session;
use crate::world::{self, World};

/// What env(1) ends with where it fails itself.
const NO_TOKEN: u8 = 125;

/// Runs `sentry`.
pub fn sentry_main() -> ExitCode {
    // What is lowered for good cannot be handed on.
    if world::arguments().take(2).any(|word| word == "exec") {
        note_limits();
    }
    world::harden();
    let world = World::real();
    if let Some(code) = session::run_if_worker(&world) {
        return code;
    }
    let Topic::Auth { command } = match Cli::try_parse() {
        Ok(cli) => cli.topic,
        Err(usage) => {
            // clap writes help to standard output and errors to standard error.
            usage.print().ok();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    match dispatch(&world, command) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn dispatch(world: &World, command: Option<Command>) -> anyhow::Result<ExitCode> {
    match command {
        Some(Command::Login(args)) => auth::login(world, &args),
        Some(Command::Import(args)) => auth::import(world, &args),
        Some(Command::Logout(args)) => auth::logout(world, &args),
        Some(Command::Status(args)) => auth::status(world, &args),
        Some(Command::Refresh(args)) => auth::refresh(world, &args),
        Some(Command::Token(args)) => auth::token(world, &args),
        Some(Command::Exec(args)) => Ok(exec(world, &args)),
        Some(Command::Whoami(args)) => auth::whoami(world, &args),
        Some(Command::List(args)) => auth::list(world, args.json.into()),
        Some(Command::Switch(args)) => auth::switch(world, &args.account),
        Some(Command::Hosts(args)) => auth::hosts(world, &args),
        Some(Command::SetupGit(args)) => auth::setup_git(world, &args),
        Some(Command::SetupDocker(args)) => auth::setup_docker(world, &args),
        Some(Command::Doctor(args)) => doctor::doctor(world, &args),
        Some(Command::Uninstall(args)) => auth::uninstall(world, &args),
        Some(Command::Completions { shell }) => auth::completions(shell),
        None if auth::is_logged_in(world)? => auth::status(world, &StatusArgs::default()),
        None => auth::login(world, &LoginArgs::default()),
    }
}

/// Returns only where the command did not run.
fn exec(world: &World, args: &ExecArgs) -> ExitCode {
    match auth::exec(world, args) {
        Ok((code, failure)) => {
            report(&failure.into());
            code
        }
        Err(error) if is_usage(&error) => report(&error),
        Err(error) => {
            report(&error);
            ExitCode::from(NO_TOKEN)
        }
    }
}

/// Prints the error and its hint, and maps the error to an exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    // A closed pipe (`… | head`) is not worth a message.
    let is_closed_pipe = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if !is_closed_pipe {
        say(&format!("error: {error:#}"));
    }
    if let Some(hint) = hint_of(error) {
        say(&format!("hint: {hint}"));
    }
    match is_usage(error) {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}
