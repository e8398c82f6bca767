//! Programs that write docker's or podman's file in the end from what they read in the beginning.
//!
//! Separate from the replacing of a file, which keeps *their* change: this keeps ours. `docker login` reads the file,
//! asks the registry, and writes the file as it was; what was changed in between is gone.

use std::path::Path;
use std::time::Duration;

use super::file::{ATTEMPTS, same_file};
use crate::world::{Process, World, writes_configuration};

/// How long such a program is waited for: one that asks its user for a password may take for ever.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that is still running.
pub(crate) struct Writer {
    /// Its name and its subcommand.
    pub(crate) command: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// After a change: waits for the programs that may have read the file before, and makes the change again if one of them
/// lost it. `Some`: one is not waited for any longer.
///
/// # Errors
/// Those of the closures.
pub(crate) fn settle(
    world: &World,
    file: &Path,
    mut is_kept: impl FnMut() -> anyhow::Result<bool>,
    mut again: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Option<Writer>> {
    let deadline = world.clock().uptime() + TIMEOUT;
    for _ in 0..ATTEMPTS {
        // Who is not there now has written, or will read what we wrote.
        let mut writer = running(world, file);
        while writer.is_some() && world.clock().uptime() < deadline {
            world.clock().sleep(PAUSE);
            writer = running(world, file);
        }
        if is_kept()? {
            return Ok(writer);
        }
        again()?;
    }
    anyhow::bail!("others keep changing the file")
}

fn running(world: &World, file: &Path) -> Option<Writer> {
    let writes = |process: Process| {
        let command = writes_configuration(&process.arguments)?;
        let theirs = world.of_process(&process);
        theirs
            .is_none_or(|theirs| uses(&theirs, file))
            .then_some(Writer {
                command,
                pid: process.pid,
            })
    };
    world.running().into_iter().find_map(writes)
}

fn uses(world: &World, file: &Path) -> bool {
    let files = [
        world.docker_config(),
        world.podman_auth(),
        world.podman_fallback(),
    ];
    files
        .into_iter()
        .flatten()
        .any(|path| same_file(&path, file))
}
