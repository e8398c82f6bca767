//! `sentry auth`: what a person reads. One file per command, each exporting one function of the same name.
//!
//! Rules for text: results go to standard output, messages to standard error; lower case, no final period, what to type
//! in backticks, a hint on a line of its own; no colour carries meaning alone.
//!
//! Exit codes: 0 done, 1 could not, 2 wrong usage, 130 interrupted.

mod completions;
mod context;
mod doctor;
mod forget;
mod hosts;
mod list;
mod login;
mod logout;
mod refresh;
mod report;
mod setup_docker;
mod setup_git;
mod status;
mod survey;
mod switch;
mod token;
mod whoami;

use std::process::ExitCode;

use crate::cli::{Command, LoginArgs, SessionArgs, StatusArgs};
use crate::failure::{hint_of, is_usage};
use crate::world::{self, World};

use context::{Place, environment_token};

/// Runs a command and tells what went wrong.
pub fn run(world: &World, command: Option<Command>) -> ExitCode {
    match dispatch(world, command) {
        Ok(code) => code,
        Err(error) => {
            // A reader that has seen enough (`… | head`) is no failure worth a message.
            if error
                .downcast_ref::<std::io::Error>()
                .is_none_or(|error| error.kind() != std::io::ErrorKind::BrokenPipe)
            {
                say(&format!("error: {error:#}"));
            }
            if let Some(hint) = hint_of(&error) {
                say(&format!("hint: {hint}"));
            }
            match is_usage(&error) {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn dispatch(world: &World, command: Option<Command>) -> anyhow::Result<ExitCode> {
    match command {
        Some(Command::Login(args)) => login::login(world, &args),
        Some(Command::Logout(args)) => logout::logout(world, &args),
        Some(Command::Status(args)) => status::status(world, &args),
        Some(Command::Refresh(args)) => refresh::refresh(world, &args),
        Some(Command::Token(args)) => token::token(world, &args),
        Some(Command::Whoami(args)) => whoami::whoami(world, &args),
        Some(Command::List(args)) => list::list(world, args.json.into()),
        Some(Command::Switch(args)) => switch::switch(world, &args.account),
        Some(Command::Hosts(args)) => hosts::hosts(world, &args),
        Some(Command::SetupGit(args)) => setup_git::setup_git(world, &args),
        Some(Command::SetupDocker(args)) => setup_docker::setup_docker(world, &args),
        Some(Command::Doctor(args)) => doctor::doctor(world, &args),
        Some(Command::Completions { shell }) => completions::completions(shell),
        None if is_logged_in(world)? => status::status(world, &StatusArgs::default()),
        None => login::login(world, &LoginArgs::default()),
    }
}

fn is_logged_in(world: &World) -> anyhow::Result<bool> {
    let args = SessionArgs::default();
    if environment_token(world, &args)?.is_some() {
        return Ok(true);
    }
    let (_, session) = Place::of(world)?.chosen(world, &args)?;
    Ok(session.is_some_and(|session| session.tokens.is_some()))
}

/// A message to the person.
fn say(message: &str) {
    world::print_error(&format!("{message}\n"));
}

/// A result, with a line end.
fn print(result: &str) -> anyhow::Result<()> {
    Ok(world::print(format!("{result}\n").as_bytes())?)
}

fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{value:#}"))
}
