//! Writes the output of commands: results to standard output, messages to standard error.
//!
//! Separate from [`super`] so that no command imports from its parent.

use serde::Serialize;

use crate::rollout::ADMINISTRATORS_FILE;
use crate::store::Binding;
use crate::world;

/// Prints a message to the user.
pub(crate) fn say(message: &str) {
    world::print_error(&format!("{message}\n"));
}

/// Prints a result and a newline, the commands in it as the user types them.
///
/// # Errors
/// Standard output cannot be written to.
pub(crate) fn print(result: &str) -> anyhow::Result<()> {
    Ok(world::print(
        format!("{}\n", world::as_typed(result)).as_bytes(),
    )?)
}

/// Prints a result as indented JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// Where a binding comes from that no command of the user's ends.
pub(crate) fn by_administrator() -> String {
    format!("set by the administrator in {ADMINISTRATORS_FILE}")
}

/// Says of a binding of the administrator's that it is still there.
pub(crate) fn stays_bound(binding: &Binding) -> String {
    let (server, instance) = (&binding.server, &binding.origin);
    let name = server.split_once(' ').map_or(&**server, |(_, name)| name);
    format!("{name} stays bound to {instance}; {}", by_administrator())
}
