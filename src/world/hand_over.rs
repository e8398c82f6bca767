//! Replaces the process by the next program on `PATH` that is called `sentry`: Sentry's official CLI has that name too.
//!
//! Separate from [`Inheritance`], which replaces a process by any program.
//!
//! Rules: never to this program itself, by any name or symlink; nothing has been changed before (limits, signals,
//! descriptors), and the environment gets one variable, so that two installations of this program do not start each
//! other in a loop.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::arguments;
use super::files::commands_in;
use crate::platform::files::identity;
use crate::platform::inheritance::Inheritance;
use crate::platform::process::RUNNING_FILE;

/// The programs that have replaced themselves, each by its identity.
const HANDED_OVER: &str = "SENTRY_CREDENTIAL_HANDED_OVER";

/// How often one program may do so before that is a loop: programs may start each other a few times.
const MOST: usize = 8;

/// Why this process is still this program.
pub(crate) enum NotHandedOver {
    /// There is no other `sentry`.
    Alone,
    /// The other program starts this one repeatedly.
    Circle(PathBuf),
    /// The other program cannot be run.
    Failed(PathBuf, io::Error),
}

/// Replaces the process, with arguments, streams and environment unchanged. Returns if that fails.
pub(crate) fn hand_over() -> NotHandedOver {
    let running = RUNNING_FILE.and_then(|running| identity(Path::new(running)).ok());
    let by_path = || identity(&std::env::current_exe().ok()?).ok();
    let Some(itself) = running.or_else(by_path) else {
        return NotHandedOver::Alone;
    };
    let before = std::env::var(HANDED_OVER).unwrap_or_default();
    let before: Vec<&str> = before.split_whitespace().collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    // npm installs Sentry's official CLI as a script on Windows.
    let mut others = commands_in(&path, "sentry");
    let next = others.find(|other| {
        identity(other).is_ok_and(|other| other != itself && !before.contains(&other.as_str()))
    });
    let Some(next) = next else {
        return NotHandedOver::Alone;
    };
    if before.iter().filter(|other| **other == itself).count() >= MOST {
        return NotHandedOver::Circle(next);
    }
    let mut command = Command::new(&next);
    command.args(arguments());
    let handed_over = before.into_iter().chain([itself.as_str()]);
    command.env(HANDED_OVER, handed_over.collect::<Vec<_>>().join(" "));
    let error = Inheritance::note().hand_over(command, || Some(next.clone()), || {});
    NotHandedOver::Failed(next, error)
}
