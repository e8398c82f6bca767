//! `sentry auth doctor`: what could keep the login from working, and the command that fixes it.
//!
//! Separate from `status`, which tells about one login that works. A doctor must get to the end on a machine where
//! nothing works: a check that cannot be made is a line of the report, never an error.
//!
//! Rules: it looks and changes nothing (no token is renewed; only `--repair` moves files); a warning does not change
//! the exit code; what other programs' files hold is shown only where it cannot be a secret.

mod check;
mod database;
mod docker;
mod environment;
mod files;
mod git;
mod network;
mod programs;
mod sessions;
mod snapshot;
mod stored;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::auth::{print, print_json};
use crate::cli::{DoctorArgs, Format};
use crate::world::World;

use check::{Check, State};
use snapshot::Snapshot;

pub(super) fn doctor(world: &World, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let checks = match args.repair {
        true => vec![database::repair(world)?],
        false => examine(world),
    };
    let well = checks.iter().all(|check| check.state != State::Problem);
    match args.json.into() {
        Format::Json => {
            let checks: Vec<Value> = checks.iter().map(Check::to_json).collect();
            print_json(&json!({"ok": well, "checks": checks}))?;
        }
        Format::Text => {
            let lines: Vec<String> = checks.iter().map(Check::to_text).collect();
            print(&lines.join("\n"))?;
        }
    }
    Ok(match well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn examine(world: &World) -> Vec<Check> {
    let mut checks = Vec::new();
    let snapshot = match world.config_dir() {
        Ok(dir) => database::database(world, &dir, &mut checks),
        Err(error) => {
            checks.push(Check::failed("directory", &error));
            Snapshot::default()
        }
    };
    checks.extend(environment::environment(world, &snapshot));
    checks.extend(sessions::sessions(world, &snapshot));
    checks.extend(programs::programs(world));
    checks.extend(git::git(world, &snapshot));
    checks.extend(docker::docker(world, &snapshot));
    checks.extend(stored::stored(world, &snapshot));
    checks.extend(network::network(world, &snapshot));
    checks
}
