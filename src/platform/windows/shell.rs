//! The shell that the user types in.
//!
//! Separate from [`commands`](super::commands), which depend on no process.

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::OnceLock;

use super::commands::{self, Shell, shell_of};
use super::process::ancestors;

pub(crate) use super::commands::{path_for_git, quoted};

/// A message with its commands for the shell that the user types in. `variable` is `SHELL`.
pub(crate) fn translated(text: &str, variable: impl FnOnce() -> Option<OsString>) -> Cow<'_, str> {
    // Determined once, when the first command is printed.
    static SHELL: OnceLock<Shell> = OnceLock::new();
    commands::translated(text, || {
        *SHELL.get_or_init(|| shell_of(ancestors(), variable()))
    })
}
