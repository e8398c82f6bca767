//! `sentry auth doctor`: what could keep the login from working, and the command that mends it.
//!
//! Apart from `status`, which tells about one login that works. A doctor must get to the end on a machine where
//! nothing works: a check that cannot be made is a line of the report, never an error.
//!
//! Rules: it looks and changes nothing (no token is renewed; only `--repair` moves files); a warning does not change
//! the exit code; what other programs' files hold is shown only where it cannot be a secret.

mod database;
mod docker;
mod environment;
mod files;
mod git;
mod network;
mod programs;
mod sessions;
mod stored;

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{print, print_json};
use crate::account::Session;
use crate::cli::{DoctorArgs, Format};
use crate::environment as variables;
use crate::failure::hint_of;
use crate::printable;
use crate::store::{Binding, Store};
use crate::world::World;

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

/// One line of the report.
struct Check {
    name: &'static str,
    state: State,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    /// Worth knowing; the login works.
    Warning,
    /// Something does not work, or will not for long.
    Problem,
}

/// What the database says; nothing where there is none, or none that can be read.
#[derive(Default)]
struct Known {
    /// It is there, and could not be read.
    unread: bool,
    store: Option<Store>,
    sessions: Vec<Session>,
    git: Vec<Binding>,
    /// Directories of repositories, and hosts that were set up for one of them only.
    in_repositories: Vec<(String, String)>,
    docker: Vec<Binding>,
}

fn examine(world: &World) -> Vec<Check> {
    let mut checks = Vec::new();
    let known = match world.config_dir() {
        Ok(dir) => database::database(world, &dir, &mut checks),
        Err(error) => {
            checks.push(Check::failed("directory", &error));
            Known::default()
        }
    };
    checks.extend(environment::environment(world, &known));
    checks.extend(sessions::sessions(world, &known));
    checks.extend(programs::programs(world));
    checks.extend(git::git(world, &known));
    checks.extend(docker::docker(world, &known));
    checks.extend(stored::stored(world, &known));
    checks.extend(network::network(world, &known));
    checks
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Ok,
            message: message.into(),
            hint: None,
        }
    }

    fn warning(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Check {
        Check {
            state: State::Warning,
            hint: Some(hint.into()),
            ..Check::ok(name, message)
        }
    }

    fn problem(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Check {
        Check {
            state: State::Problem,
            ..Check::warning(name, message, hint)
        }
    }

    fn failed(name: &'static str, error: &anyhow::Error) -> Check {
        Check {
            state: State::Problem,
            hint: hint_of(error).map(str::to_owned),
            ..Check::ok(name, format!("{error:#}"))
        }
    }

    fn to_text(&self) -> String {
        let line = format!("{:<8} {}: {}", self.state.name(), self.name, self.message);
        match &self.hint {
            Some(hint) => format!("{line}\n         hint: {hint}"),
            None => line,
        }
    }

    fn to_json(&self) -> Value {
        json!({"name": self.name, "state": self.state.name(), "message": self.message, "hint": self.hint})
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "problem",
        }
    }
}

/// Whether a set-up that names no instance knows one.
fn has_login(world: &World, known: &Known) -> bool {
    !known.sessions.is_empty()
        || matches!(variables::token(world), Ok(Some(_)))
        || matches!(variables::instance(world), Ok(Some(_)))
}

/// What makes a program be found that lies beside this one.
fn on_path(world: &World, program: &str) -> String {
    let sibling = world.sibling(program);
    match sibling.as_deref().and_then(Path::parent) {
        Some(dir) => format!("`export PATH={}:\"$PATH\"`", quoted(dir)),
        None => format!("install `{program}` in a directory on PATH"),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    printable::quoted(&path.display().to_string())
}
