//! The program `git-credential-sentry`: a request of git, or a command of a user.
//!
//! Separate from [`crate::git`], the protocol, which knows nothing of commands. git starts the program with an operation;
//! `git credential-sentry COMMAND` starts it with what a user typed, and that name is on `PATH` wherever git finds the
//! helper.
//!
//! Rules: an unknown operation may be one of a newer git and is ignored without a message (gitcredentials(7)).

use std::process::ExitCode;

use crate::git::answer_git;
use crate::sentry::run;
use crate::session;
use crate::world::{self, Program, World};

const VERSION: &str = concat!(
    "git-credential-sentry (sentry-credential) v",
    env!("CARGO_PKG_VERSION"),
    "\n"
);
const USAGE: &str = "usage: git credential-sentry <login|status|setup|hosts|doctor>\n       \
                     git-credential-sentry <get|store|erase|capability>, by git itself\n";

/// Exit code for wrong usage.
const WRONG: u8 = 2;

/// Runs `git-credential-sentry`.
pub fn git_main() -> ExitCode {
    world::harden();
    Program::GitHelper.begin();
    let world = World::real();
    if let Some(code) = session::run_if_worker(&world) {
        return code;
    }
    let mut words = world::arguments();
    let Some(first) = words.next() else {
        // On a terminal a user typed the name; a pipe is answered as git is.
        return match world::terminal_on_stdin() {
            true => {
                world::print_error(USAGE);
                ExitCode::from(WRONG)
            }
            false => ExitCode::SUCCESS,
        };
    };
    match first.to_str().unwrap_or_default() {
        command if Program::command_of_git(command).is_some() => {
            let words: Vec<_> = std::iter::once(first).chain(words).collect();
            run(world, Program::GitHelper, &words)
        }
        "--version" | "-V" => print(VERSION),
        "--help" | "-h" | "help" => print(USAGE),
        operation => answer_git(operation, &world),
    }
}

fn print(text: &str) -> ExitCode {
    match world::print(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
