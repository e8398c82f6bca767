//! `sentry auth doctor`: finds what may prevent a login from working, and names the command that fixes it.
//!
//! Separate from `status`, which describes one working login. The doctor has to finish on a machine where nothing
//! works: a check that fails to run is a line of the report, never an error.
//!
//! Rules: nothing is changed (no token is refreshed; only `--repair` moves files); a warning does not change the exit
//! code; the content of other programs' files is shown only where it cannot be a secret.

mod administrator;
mod bound;
mod check;
mod database;
mod docker;
mod environment;
mod files;
mod git;
mod network;
mod programs;
mod reach;
mod sessions;
mod snapshot;
mod stored;
#[cfg(test)]
mod tests;
mod version;

use std::process::ExitCode;

use serde::Serialize;

use crate::auth::{print, print_json};
use crate::cli::{DoctorArgs, Format};
use crate::world::World;

use check::{Check, State};
use snapshot::Snapshot;

/// The report with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    checks: &'a [Check],
}

pub(super) fn doctor(world: &World, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let checks = match args.repair {
        true => vec![database::repair(world)?],
        false => examine(world),
    };
    let is_ok = checks.iter().all(|check| check.state != State::Problem);
    match args.json.into() {
        Format::Json => print_json(&Report {
            ok: is_ok,
            checks: &checks,
        })?,
        Format::Text => {
            let lines: Vec<String> = checks.iter().map(Check::to_text).collect();
            print(&lines.join("\n"))?;
        }
    }
    Ok(match is_ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn examine(world: &World) -> Vec<Check> {
    let mut checks = vec![version::version(world)];
    let mut snapshot = match world.config_dir() {
        Ok(dir) => database::database(world, &dir, &mut checks),
        Err(error) => {
            checks.push(Check::failed("directory", &error));
            Snapshot::default()
        }
    };
    checks.extend(administrator::administrator(world, &mut snapshot));
    checks.extend(environment::environment(world, &snapshot));
    checks.extend(sessions::sessions(world, &snapshot));
    checks.extend(programs::programs(world));
    checks.extend(git::git(world, &snapshot));
    checks.extend(docker::docker(world, &snapshot));
    checks.extend(bound::bound(world, &snapshot));
    checks.extend(stored::stored(world, &snapshot));
    checks.extend(network::network(world, &snapshot));
    checks
}
