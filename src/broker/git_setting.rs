//! Reads whether git's configuration forbids prompts (`credential.interactive`).
//!
//! Separate from [`super::interactive`] because it starts `git`, which happens only when a prompt is about to be shown.
//! git's background maintenance forbids prompts by this setting alone, not by a variable.

use std::process::{Command, Stdio};

use crate::world::World;

/// Whether `credential.interactive` is false, for the current user and directory.
pub(super) fn forbids_prompts(world: &World) -> bool {
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
    world.prepare_git(&mut command);
    String::from_utf8(command.output().ok()?.stdout).ok()
}
