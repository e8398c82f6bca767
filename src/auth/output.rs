//! How commands write: results to standard output, messages to standard error.
//!
//! Separate from the commands so that none of them imports from [`super`].

use crate::world;

/// A message to the user.
pub(crate) fn say(message: &str) {
    world::print_error(&format!("{message}\n"));
}

/// A result and a newline.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn print(result: &str) -> anyhow::Result<()> {
    Ok(world::print(format!("{result}\n").as_bytes())?)
}

/// A result as indented JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{value:#}"))
}
