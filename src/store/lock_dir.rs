//! The directory `cli.db.lock`: the only lock that the official CLI's WASM driver (Node before 22.15) uses.
//!
//! Separate from [`crate::lock`], which coordinates this program's own processes. The WASM driver takes no POSIX lock
//! and cannot open a WAL database, so the directory matters only if the database is not in WAL mode. Both sides create
//! it with `mkdir` before a write and remove it afterwards. The driver also records its process id in the file
//! `cli.db.lock.owner`, which this program never writes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;

use super::error::busy;
use crate::platform::process::is_running;
use crate::world::Clock;

/// How long to wait for the other program.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A directory older than this was left behind by a program that crashed.
const ABANDONED: Duration = Duration::from_secs(60);

/// Holds the directory; removes it on drop.
pub(super) struct LockDir {
    dir: PathBuf,
}

impl LockDir {
    /// Creates the directory beside the database.
    pub(super) fn acquire(database: &Path, clock: &dyn Clock) -> anyhow::Result<LockDir> {
        let dir = database.with_extension("db.lock");
        let deadline = clock.uptime() + TIMEOUT;
        loop {
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(LockDir { dir }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if is_abandoned(&dir, clock) && fs::remove_dir(&dir).is_ok() {
                        continue;
                    }
                    if clock.uptime() >= deadline {
                        return Err(busy(database, format!("{} exists", dir.display())));
                    }
                    clock.sleep(Duration::from_millis(10));
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot write {}", database.display()));
                }
            }
        }
    }
}

impl Drop for LockDir {
    fn drop(&mut self) {
        fs::remove_dir(&self.dir).ok();
    }
}

fn is_abandoned(dir: &Path, clock: &dyn Clock) -> bool {
    let made = dir
        .symlink_metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    let now = u64::try_from(clock.now().millis()).map(Duration::from_millis);
    let (Some(made), Ok(now)) = (made, now) else {
        return false;
    };
    now.saturating_sub(made) > ABANDONED && !owner_is_running(dir)
}

fn owner_is_running(dir: &Path) -> bool {
    let owner = dir.with_extension("lock.owner");
    let owner = owner
        .is_file()
        .then(|| fs::read_to_string(owner).ok())
        .flatten();
    let id = owner.and_then(|owner| owner.trim().parse().ok());
    id.is_some_and(is_running)
}
