//! `sentry`: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use sentry_credential::auth;
use sentry_credential::cli::{Cli, Topic};
use sentry_credential::session;
use sentry_credential::world::{self, World};

fn main() -> ExitCode {
    world::harden();
    let world = World::real();
    if let Some(code) = session::work_if_asked(&world) {
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
    auth::run(&world, command)
}
