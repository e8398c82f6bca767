//! Whether git's own configuration forbids questions.
//!
//! Separate from [`super::interactive`] because it starts `git`: only when a question is about to be asked. git's
//! background maintenance says so by this setting, and by no variable.

use std::process::{Command, Stdio};

use crate::world::World;

/// Whether `credential.interactive` says so, for whoever asks, where they ask.
pub(super) fn forbids_questions(world: &World) -> bool {
    let setting = setting(world).unwrap_or_default();
    let setting = setting.trim_end_matches('\n').to_ascii_lowercase();
    matches!(setting.as_str(), "false" | "never" | "no" | "off" | "0")
}

fn setting(world: &World) -> Option<String> {
    let mut command = Command::new(world.program("git")?);
    command
        .args(["config", "--get", "credential.interactive"])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    for name in world.variables_with_prefix("SENTRY_") {
        command.env_remove(name);
    }
    String::from_utf8(command.output().ok()?.stdout).ok()
}
