//! The directory `cli.db.lock`: the only lock that the official CLI's WASM driver (Node before 22.15) knows.
//!
//! That driver takes no POSIX lock and cannot open a WAL database, so the directory matters exactly where the database
//! is not in WAL mode. Both sides make it with `mkdir` around a write and remove it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};

use crate::world::Clock;

/// How long to wait for the other program.
const PATIENCE: Duration = Duration::from_secs(5);

/// A directory older than this was left behind by a program that died.
const ABANDONED: Duration = Duration::from_secs(60);

/// The directory is ours until this is dropped.
pub(super) struct Mutex {
    dir: PathBuf,
}

impl Mutex {
    /// Makes the directory beside the database.
    pub(super) fn acquire(database: &Path, clock: &dyn Clock) -> anyhow::Result<Mutex> {
        let dir = database.with_extension("db.lock");
        let deadline = clock.uptime() + PATIENCE;
        loop {
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(Mutex { dir }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if is_abandoned(&dir) {
                        fs::remove_dir(&dir).ok();
                    } else if clock.uptime() >= deadline {
                        bail!(
                            "{} is in use by another program ({} is there)",
                            database.display(),
                            dir.display()
                        );
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

impl Drop for Mutex {
    fn drop(&mut self) {
        fs::remove_dir(&self.dir).ok();
    }
}

fn is_abandoned(dir: &Path) -> bool {
    let made = dir
        .symlink_metadata()
        .and_then(|metadata| metadata.modified());
    made.is_ok_and(|made| {
        SystemTime::now()
            .duration_since(made)
            .is_ok_and(|age| age > ABANDONED)
    })
}
