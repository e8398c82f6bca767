//! Writes the output of commands: results to standard output, messages to standard error.
//!
//! Separate from [`super`] so that no command imports from its parent.

use crate::world;

/// Prints a message to the user.
pub(crate) fn say(message: &str) {
    world::print_error(&format!("{message}\n"));
}

/// Prints a result and a newline.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn print(result: &str) -> anyhow::Result<()> {
    Ok(world::print(format!("{result}\n").as_bytes())?)
}

/// Prints a result as indented JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{value:#}"))
}
