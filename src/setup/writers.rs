//! Waits for programs that rewrite docker's or podman's file from an older copy.
//!
//! Separate from [`super::file`], which preserves the changes of other programs: this module preserves ours. `docker
//! login` reads the file, contacts the registry, and writes its copy back; a change made in between is lost.

use std::path::Path;
use std::time::Duration;

use super::file::{ATTEMPTS, same_file};
use crate::world::{Process, World, writes_configuration};

/// How long to wait for such a program: one that prompts for a password may never end.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that is still running.
pub(crate) struct Writer {
    /// Its name and its subcommand.
    pub(crate) command: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// Waits for the programs that may have read the file before our change, and repeats the change if one of them
/// overwrote it. Returns a program that is still running when the time is up.
/// Those of the closures.
pub(crate) fn settle(
    world: &World,
    file: &Path,
    mut is_intact: impl FnMut() -> anyhow::Result<bool>,
    mut repeat: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Option<Writer>> {
    let deadline = world.clock().uptime() + TIMEOUT;
    for _ in 0..ATTEMPTS {
        // A program that is not running now has written the file already, or will read our change.
        let mut writer = running(world, file);
        while writer.is_some() && world.clock().uptime() < deadline {
            world.clock().sleep(PAUSE);
            writer = running(world, file);
        }
        if is_intact()? {
            return Ok(writer);
        }
        repeat()?;
    }
    anyhow::bail!("other programs keep changing the file")
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
