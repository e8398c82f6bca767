//! The world outside: environment, paths, streams, clocks and signals.
//!
//! Separate from everything else so that the rest is a function of values: this is the only place that touches `std::env`,
//! the standard streams and the system clocks. A test makes a [`World`] of its own.

mod administrator;
mod checkout;
mod clients;
mod clock;
mod files;
mod hand_over;
mod paths;
mod process;
mod signals;
mod started;
mod streams;
#[cfg(test)]
mod tests;
mod trace;

use std::cell::{Cell, OnceCell};
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;

use crate::fast;
use crate::platform::process::VARIABLES_IGNORE_CASE;

pub(crate) use administrator::{ADMINISTRATORS_FILE, AdministratorsFile};
pub(crate) use clients::writes_configuration;
pub(crate) use clock::{Clock, SystemClock, Timestamp};
pub(crate) use files::{file_name, is_of_process, is_same_file};
pub(crate) use hand_over::{NotHandedOver, hand_over};
pub(crate) use paths::NoHome;
pub(crate) use process::{Process, arguments, harden, system};
pub(crate) use signals::{Deferral, Signals};
pub(crate) use started::{Program, as_typed, is_our_sentry, program_name};
pub(crate) use streams::{
    CHUNK, Stdin, inherited_stdin, print, print_error, read_lines, terminal_on_stderr,
    terminal_on_stdin,
};

pub(crate) use trace::Steps;
use trace::Trace;

/// The variable that names the destination of a trace.
pub(crate) const TRACE: &str = "SENTRY_CREDENTIAL_TRACE";

/// The variable that turns [`crate::fast`] off.
const FAST: &str = "SENTRY_CREDENTIAL_FAST";

/// The environment, with a clock.
pub(crate) struct World {
    variables: Variables,
    clock: Rc<dyn Clock>,
    signals: Signals,
    steps: Steps,
    /// Why a requested trace is not written; reported once.
    untraced: Cell<Option<String>>,
    quiet: bool,
    /// Whether [`crate::fast`] was not turned off.
    fast: bool,
    administrators_file: OnceCell<AdministratorsFile>,
    /// Whether this process has found, or its caller has, that no repository contains the store.
    is_of_no_checkout: Cell<bool>,
}

impl World {
    /// The process's own.
    pub(crate) fn real() -> World {
        let world = World {
            variables: Variables::Process,
            clock: Rc::new(SystemClock),
            signals: Signals::default(),
            steps: Steps::default(),
            untraced: Cell::default(),
            quiet: false,
            fast: true,
            administrators_file: OnceCell::new(),
            is_of_no_checkout: Cell::default(),
        };
        let world = world.turned_off_by_environment();
        fast::set_up(world.fast);
        let target = world.variable(TRACE);
        match target.map_or(Ok(None), |target| {
            Trace::to(&target, |file| world.check_may_create(file))
        }) {
            Ok(trace) => World {
                steps: trace.map_or_else(Steps::default, Steps::to),
                ..world
            },
            Err(why) => {
                world.untraced.set(Some(why));
                world
            }
        }
    }

    /// A world with exactly these variables.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(variables: &[(&str, &str)], clock: Rc<dyn Clock>) -> World {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let world = World {
            variables: Variables::These(variables),
            clock,
            signals: Signals::default(),
            steps: Steps::default(),
            untraced: Cell::default(),
            quiet: false,
            fast: true,
            administrators_file: OnceCell::new(),
            is_of_no_checkout: Cell::default(),
        };
        world.turned_off_by_environment()
    }

    fn turned_off_by_environment(self) -> World {
        let value = self.variable(FAST);
        let is_off = value.is_some_and(|value| value.eq_ignore_ascii_case("off"));
        World {
            fast: !is_off,
            ..self
        }
    }

    /// Whether an idle database may be read without locks.
    pub(crate) fn is_fast(&self) -> bool {
        fast::IN_BUILD && self.fast
    }

    /// A variable, trimmed; unset, blank and undecodable ones are all `None`.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        trimmed(self.value(name)?.to_str()?)
    }

    /// The same, with U+FFFD for what cannot be decoded: for a value that must not count as unset, and whose grammar
    /// refuses that character.
    pub(crate) fn variable_lossy(&self, name: &str) -> Option<String> {
        trimmed(&self.value(name)?.to_string_lossy())
    }

    /// The same for a path, which may be of any bytes.
    pub(crate) fn variable_path(&self, name: &str) -> Option<PathBuf> {
        let value = self.value(name)?;
        match value.to_str() {
            Some(text) => trimmed(text).map(PathBuf::from),
            None => Some(PathBuf::from(value)),
        }
    }

    /// The same for a list of paths, as `PATH` is one; without empty ones.
    pub(crate) fn variable_path_list(&self, name: &str) -> Vec<PathBuf> {
        let list = self.variable_path(name).unwrap_or_default();
        std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect()
    }

    /// A variable as it is, for one whose blank value means something else than none; an empty one is unset.
    pub(crate) fn variable_os(&self, name: &str) -> Option<OsString> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// Whether it is the process's own.
    fn is_of_process(&self) -> bool {
        matches!(self.variables, Variables::Process)
    }

    fn value(&self, name: &str) -> Option<OsString> {
        match &self.variables {
            Variables::Process => std::env::var_os(name),
            Variables::These(variables) => {
                let (_, value) = variables.iter().find(|(key, _)| key == name)?;
                Some(value.clone())
            }
        }
    }

    /// Names of the variables that start like this, in either case where the system ignores it.
    pub(crate) fn variables_with_prefix(&self, prefix: &str) -> impl Iterator<Item = OsString> {
        let all = match &self.variables {
            Variables::Process => std::env::vars_os().collect(),
            Variables::These(variables) => variables.clone(),
        };
        let names = all.into_iter().map(|(name, _)| name);
        names.filter(move |name| {
            let start = name.as_encoded_bytes().get(..prefix.len());
            start.is_some_and(|start| match VARIABLES_IGNORE_CASE {
                true => start.eq_ignore_ascii_case(prefix.as_bytes()),
                false => start == prefix.as_bytes(),
            })
        })
    }

    /// The clocks.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The handling of SIGINT and similar signals.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Keeps warnings off standard error, where some callers of docker's helper take them for the answer.
    pub(crate) fn quietly(self) -> World {
        World {
            quiet: true,
            ..self
        }
    }

    /// Notes steps on standard error, wherever `SENTRY_CREDENTIAL_TRACE` sends them: the option `--verbose`, which wins over
    /// the variable as options do.
    pub(crate) fn verbosely(self) -> World {
        self.untraced.take();
        World {
            steps: Steps::to(Trace::Stderr),
            ..self
        }
    }

    /// Warns about a problem that is not a failure.
    pub(crate) fn warn(&self, what: &str) {
        self.trace(|| format!("warning: {what}"));
        if !self.quiet {
            print_error(&format!("warning: {what}\n"));
        }
    }

    /// The value of `SENTRY_CREDENTIAL_TRACE` by which another process of ours notes its steps in the same place.
    pub(crate) fn trace_target(&self) -> Option<OsString> {
        match self.steps.target()? {
            Trace::Stderr => Some("1".into()),
            Trace::File(_) => self.variable_os(TRACE),
        }
    }

    /// Where steps are traced, for a part of the program that has no world.
    pub(crate) fn steps(&self) -> Steps {
        self.steps.clone()
    }

    /// Traces one step for `SENTRY_CREDENTIAL_TRACE`. The closure runs only if there is a trace; secrets print as
    /// `Secret(…)` by their type.
    pub(crate) fn trace(&self, step: impl FnOnce() -> String) {
        if let Some(trace) = self.steps.target() {
            trace.line(self.now(), &step());
        } else if let Some(why) = self.untraced.take()
            && !self.quiet
        {
            let why = crate::printable::printable(&why);
            print_error(&format!("warning: no trace by {TRACE}: {why}\n"));
        }
    }
}

fn trimmed(value: &str) -> Option<String> {
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    (!value.is_empty()).then(|| value.to_owned())
}

enum Variables {
    /// The process's variables, which nothing changes. Copying them all takes longer than looking up a few.
    Process,
    These(Vec<(OsString, OsString)>),
}
