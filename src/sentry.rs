//! The programs `sentry` and `sentry-credential`: dispatches, and chooses the exit code.
//!
//! Separate from [`auth`] and [`doctor`], which do not depend on each other. `sentry` is also the name of Sentry's
//! official CLI: commands that this program does not have go to the next program of that name.
//!
//! Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted; those of env(1) for `exec`.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use crate::auth::{self, say};
use crate::cli::{self, Command, ExecArgs, LoginArgs, StatusArgs, Task, Typed};
use crate::doctor;
use crate::failure::{Failure, hint_of, is_usage};
use crate::platform::inheritance::note_ignored_signals_before_main;
use crate::platform::process::note_limits;
use crate::session;
use crate::world::{self, NotHandedOver, Program, World};

/// The exit code of env(1) if env itself fails.
const NO_TOKEN: u8 = 125;

/// The other `sentry` exists but cannot be run: the exit code of shells.
const CANNOT_RUN: u8 = 126;

/// Runs `sentry`, or `sentry-credential` by that name.
pub fn sentry_main() -> ExitCode {
    note_ignored_signals_before_main();
    let program = Program::by_name();
    let words: Vec<OsString> = world::arguments().collect();
    let is_ours = program != Program::Sentry || cli::is_ours(&words) || session::is_worker();
    // Before anything is changed that the other program would inherit.
    let stayed = (!is_ours).then(world::hand_over);
    // A limit that is lowered permanently would be inherited.
    if world::arguments().take(2).any(|word| word == "exec") {
        note_limits();
    }
    world::harden();
    let world = World::real();
    if let Some(code) = session::run_if_worker(&world) {
        return code;
    }
    program.begin();
    match stayed.and_then(|stayed| not_ours(stayed, &words)) {
        Some((code, failure)) => {
            report(&failure.into());
            ExitCode::from(code)
        }
        None => run(world, program, &words),
    }
}

/// Runs the command line under one of the program's names.
pub(crate) fn run(world: World, program: Program, words: &[OsString]) -> ExitCode {
    let Typed { task, output } = match cli::parse(program, world::program_name(), words) {
        Ok(typed) => typed,
        Err(usage) => {
            // clap writes help to standard output and errors to standard error.
            usage.print().ok();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    let world = match output.verbose {
        true => world.verbosely(),
        false => world,
    };
    let result = match task {
        Task::Auth(command) => dispatch(&world, command),
        Task::Link(args) => auth::link(&world, &args),
    };
    result.unwrap_or_else(|error| report(&error))
}

/// Explains why a command that is not ours reached no other program. For `auth` the parser's error is clearer.
fn not_ours(stayed: NotHandedOver, words: &[OsString]) -> Option<(u8, Failure)> {
    let first = words.first().and_then(|word| word.to_str());
    match stayed {
        NotHandedOver::Alone if first == Some("auth") => None,
        NotHandedOver::Alone => {
            let what = "this `sentry` is Sentry's credential helper for git and docker, which has `sentry auth` alone, and \
                        there is no other `sentry` on PATH";
            let hint = match first.filter(|word| cli::is_command(word)) {
                Some(command) => format!("`sentry auth {command}`"),
                None => "`sentry auth --help`".to_owned(),
            };
            Some((2, Failure::new(what).hint(hint)))
        }
        NotHandedOver::Circle(other) => {
            let what = format!("{} starts this program again and again", other.display());
            Some((CANNOT_RUN, Failure::new(what)))
        }
        NotHandedOver::Failed(other, error) => {
            let what = format!("cannot run {}: {error}", other.display());
            Some((CANNOT_RUN, Failure::new(what)))
        }
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
        Some(Command::Completions(args)) => auth::completions(&args),
        None if auth::is_logged_in(world)? => auth::status(world, &StatusArgs::default()),
        None => auth::login(world, &LoginArgs::default()),
    }
}

/// Returns only if the command did not run.
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
