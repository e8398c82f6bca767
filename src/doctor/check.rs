//! One line of the report: the subject, its state, and the command that fixes it.
//!
//! Separate from the subjects so that they all report in the same form.

use std::path::Path;

use serde::Serialize;

use crate::failure::hint_of;
use crate::printable;
use crate::setup::path_with;
use crate::world::World;

/// A line of the report.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// Worth knowing; the login works.
    Warning,
    /// Something does not work, or will not for long.
    Problem,
}

impl Check {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Ok,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn warning(
        name: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Check {
        Check {
            state: State::Warning,
            hint: Some(hint.into()),
            ..Check::ok(name, message)
        }
    }

    pub(super) fn problem(
        name: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Check {
        Check {
            state: State::Problem,
            ..Check::warning(name, message, hint)
        }
    }

    /// The same as a warning, if it is minor.
    pub(super) fn warning_if(self, is_minor: bool) -> Check {
        let state = if is_minor { State::Warning } else { self.state };
        Check { state, ..self }
    }

    /// A warning that no command fixes.
    pub(super) fn notice(name: &'static str, message: impl Into<String>) -> Check {
        Check {
            state: State::Warning,
            ..Check::ok(name, message)
        }
    }

    /// A problem that no command fixes.
    pub(super) fn fault(name: &'static str, message: impl Into<String>) -> Check {
        Check {
            state: State::Problem,
            ..Check::ok(name, message)
        }
    }

    pub(super) fn failed(name: &'static str, error: &anyhow::Error) -> Check {
        Check {
            state: State::Problem,
            hint: hint_of(error).map(str::to_owned),
            ..Check::ok(name, format!("{error:#}"))
        }
    }

    pub(super) fn to_text(&self) -> String {
        let line = format!("{:<8} {}: {}", self.state.name(), self.name, self.message);
        match &self.hint {
            Some(hint) => format!("{line}\n         hint: {hint}"),
            None => line,
        }
    }
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "problem",
        }
    }
}

/// Reports a program that is configured but not on PATH; the hint adds the directory of this program.
pub(super) fn not_on_path(name: &'static str, world: &World, program: &str) -> Check {
    let what = format!("{name} is configured to call `sentry`, but `{program}` is not on PATH");
    match path_with(world, program) {
        Some(command) => Check::problem(name, what, command),
        None => Check::fault(name, format!("{what}, nor beside this program")),
    }
}

/// Quotes a path for a shell.
pub(super) fn quoted(path: &Path) -> String {
    printable::quoted(&path.display().to_string())
}
