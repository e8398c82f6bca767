//! The configuration directory and its files: owner, mode, and leftovers.
//!
//! Separate from [`super::database`], because opening the database would correct some of the modes.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::check::{Check, quoted};
use crate::auth::SetAside;
use crate::platform::files::{Exposure, full, judged, may_write};
use crate::session;

/// A `cli.db.lock` older than this was left behind by a crashed program.
const ABANDONED: Duration = Duration::from_secs(60);

/// What a refresh writes beside the database.
const ROOM: usize = 32 * 1024;

const ONLY_SERVED: &str = "a token that is still valid is served, none is refreshed";

const FILES: [&str; 7] = [
    "cli.db",
    "cli.db-wal",
    "cli.db-shm",
    "cli.db-journal",
    "credential.lock",
    "login.lock",
    "credential.reserve",
];

/// Returns `None` if the directory does not exist.
pub(super) fn directory(dir: &Path) -> Option<Check> {
    let metadata = match dir.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            let what = format!("cannot read {}: {error}", dir.display());
            return Some(Check::fault("directory", what));
        }
    };
    let shown = dir.display();
    let fix = |command: &str| format!("`{command} {}`", quoted(dir));
    let exposure = Exposure::of(&metadata, dir);
    if metadata.is_dir()
        && matches!(exposure, Exposure::Readable | Exposure::Private)
        && let Some(error) = unwritable_disk(dir)
    {
        let what = format!("{shown} cannot be written ({error}): {ONLY_SERVED}");
        return Some(Check::fault("directory", what));
    }
    Some(match exposure {
        _ if !metadata.is_dir() => Check::problem(
            "directory",
            format!("{shown} is not a directory"),
            format!("`mv {0} {0}.old`", quoted(dir)),
        ),
        Exposure::OtherOwner => Check::problem(
            "directory",
            format!("{shown} belongs to another user"),
            fix("sudo chown -R \"$(id -un)\""),
        ),
        Exposure::Writable => Check::problem(
            "directory",
            format!("others may write {shown}"),
            fix("chmod 700"),
        ),
        Exposure::Readable | Exposure::Private
            if is_closed(dir) || is_read_only(dir, &metadata) =>
        {
            let what = match is_closed(dir) {
                true => format!("{shown} cannot be read"),
                false => format!("{shown} cannot be written: {ONLY_SERVED}"),
            };
            Check::problem("directory", what, fix("chmod 700"))
        }
        Exposure::Readable => Check::warning(
            "directory",
            format!("{shown} is readable by other users"),
            fix("chmod 700"),
        ),
        Exposure::Private => match judged(dir) {
            Ok(()) => Check::ok("directory", format!("{shown} is private")),
            Err(why) => Check::notice("directory", format!("{shown} was not checked: {why}")),
        },
    })
}

pub(super) fn files(dir: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let recovery = session::pending(dir).unwrap_or_default();
    // `directory` reports it.
    let is_disk_read_only = read_only_disk(dir).is_some();
    for path in FILES.map(|name| dir.join(name)).iter().chain(&recovery) {
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let shown = path.display();
        let fix = |command: &str| format!("`{command} {}`", quoted(path));
        match Exposure::of(&metadata, path) {
            _ if !metadata.is_file() => checks.push(Check::problem(
                "files",
                format!("{shown} is not a regular file"),
                format!("`mv {0} {0}.old`", quoted(path)),
            )),
            Exposure::OtherOwner => checks.push(Check::problem(
                "files",
                format!("{shown} belongs to another user"),
                fix("sudo chown \"$(id -un)\""),
            )),
            Exposure::Readable | Exposure::Private
                if !is_disk_read_only && is_read_only(path, &metadata) =>
            {
                checks.push(Check::problem(
                    "files",
                    format!("{shown} cannot be written: {ONLY_SERVED}"),
                    fix("chmod 600"),
                ))
            }
            Exposure::Writable | Exposure::Readable => checks.push(Check::warning(
                "files",
                format!("{shown} is readable by other users"),
                fix("chmod 600"),
            )),
            Exposure::Private => {}
        }
    }
    checks.extend(recovery.iter().map(|path| {
        Check::warning(
            "files",
            format!(
                "a token that could not be written to the database is in {}",
                path.display()
            ),
            "`sentry auth list` imports it",
        )
    }));
    checks.extend(leftovers(dir));
    if checks.is_empty() && judged(dir).is_ok() {
        checks.push(Check::ok("files", "the files in it are private"));
    }
    checks
}

/// Files that earlier runs left behind.
fn leftovers(dir: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let lock_dir = dir.join("cli.db.lock");
    let age = lock_dir
        .symlink_metadata()
        .and_then(|lock_dir| lock_dir.modified());
    if age.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED)) {
        let what = format!(
            "{} was left behind by a program that crashed",
            lock_dir.display()
        );
        checks.push(Check::warning(
            "files",
            what,
            format!("`rmdir {}`", quoted(&lock_dir)),
        ));
    }
    if let Some(found) = SetAside::in_dir(dir) {
        checks.push(Check::warning("files", found.shown(), found.remedy()));
    }
    checks
}

/// Whether this user may not list a directory, or not open the files in it.
fn is_closed(dir: &Path) -> bool {
    let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    fs::read_dir(dir).is_err_and(is_denied)
        || dir.join(FILES[0]).symlink_metadata().is_err_and(is_denied)
}

/// Why no file can be written in a directory, whatever its mode.
fn unwritable_disk(dir: &Path) -> Option<io::Error> {
    read_only_disk(dir).or_else(|| full(dir, ROOM))
}

fn read_only_disk(dir: &Path) -> Option<io::Error> {
    let is_of_disk = |error: &io::Error| error.kind() == io::ErrorKind::ReadOnlyFilesystem;
    may_write(dir).err().filter(is_of_disk)
}

/// Whether not even its owner can write a file.
fn is_read_only(path: &Path, metadata: &Metadata) -> bool {
    metadata.permissions().readonly() || may_write(path).is_err()
}
