//! The directory and the files in it: whose they are, who else can read them, and what should not be there any more.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Check, quoted};
use crate::session;

/// A `cli.db.lock` older than this was left behind by a program that died.
const ABANDONED: Duration = Duration::from_secs(60);

const FILES: [&str; 6] = [
    "cli.db",
    "cli.db-wal",
    "cli.db-shm",
    "cli.db-journal",
    "credential.lock",
    "login.lock",
];

/// `None`: there is no such directory.
pub(super) fn directory(dir: &Path) -> Option<Check> {
    let metadata = match dir.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            let what = format!("cannot look at {}: {error}", dir.display());
            return Some(Check::fault("directory", what));
        }
    };
    let shown = dir.display();
    let fix = |command: &str| format!("`{command} {}`", quoted(dir));
    Some(match Access::of(dir, &metadata) {
        _ if !metadata.is_dir() => Check::problem(
            "directory",
            format!("{shown} is not a directory"),
            format!("`mv {0} {0}.old`", quoted(dir)),
        ),
        Access::OfAnother => Check::problem(
            "directory",
            format!("{shown} belongs to another user"),
            fix("sudo chown -R \"$(id -un)\""),
        ),
        Access::Writable => Check::problem(
            "directory",
            format!("others may write {shown}"),
            fix("chmod 700"),
        ),
        Access::Closed => Check::problem(
            "directory",
            format!(
                "{shown} cannot be written: a token that is still valid is served, none is renewed"
            ),
            fix("chmod 700"),
        ),
        Access::Readable => Check::warning(
            "directory",
            format!("others may look into {shown}"),
            fix("chmod 700"),
        ),
        Access::Private => Check::ok("directory", format!("{shown} is private")),
    })
}

pub(super) fn files(dir: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let recovery = session::pending(dir).unwrap_or_default();
    for path in FILES.map(|name| dir.join(name)).iter().chain(&recovery) {
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let shown = path.display();
        let fix = |command: &str| format!("`{command} {}`", quoted(path));
        match Access::of(path, &metadata) {
            _ if !metadata.is_file() => checks.push(Check::problem(
                "files",
                format!("{shown} is not a regular file"),
                format!("`mv {0} {0}.old`", quoted(path)),
            )),
            Access::OfAnother => checks.push(Check::problem(
                "files",
                format!("{shown} belongs to another user"),
                fix("sudo chown \"$(id -un)\""),
            )),
            Access::Writable | Access::Readable => checks.push(Check::warning(
                "files",
                format!("others could read {shown}"),
                fix("chmod 600"),
            )),
            Access::Closed => checks.push(Check::problem(
                "files",
                format!("{shown} cannot be written: a token that is still valid is served, none is renewed"),
                fix("chmod 600"),
            )),
            Access::Private => {}
        }
    }
    checks.extend(recovery.iter().map(|path| {
        Check::warning(
            "files",
            format!(
                "a token that the database would not take waits in {}",
                path.display()
            ),
            "`sentry auth list` stores it",
        )
    }));
    checks.extend(leftovers(dir));
    if checks.is_empty() {
        checks.push(Check::ok("files", "the files in it are private"));
    }
    checks
}

/// What other runs left behind.
fn leftovers(dir: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let mutex = dir.join("cli.db.lock");
    let age = mutex.symlink_metadata().and_then(|mutex| mutex.modified());
    if age.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED)) {
        let what = format!("{} was left behind by a program that died", mutex.display());
        checks.push(Check::warning(
            "files",
            what,
            format!("`rmdir {}`", quoted(&mutex)),
        ));
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut kept: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_set_aside(path))
        .collect();
    kept.sort();
    if !kept.is_empty() {
        let names: Vec<String> = kept.iter().map(|path| quoted(path)).collect();
        let what = format!("{} was set aside and may hold tokens", kept[0].display());
        checks.push(Check::warning(
            "files",
            what,
            format!("`rm {}`", names.join(" ")),
        ));
    }
    checks
}

fn is_set_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("cli.db") && name.contains(".corrupt-")
}

/// Who can do what with a file.
enum Access {
    OfAnother,
    /// By others.
    Writable,
    /// By others.
    Readable,
    /// Not even to be written by us.
    Closed,
    Private,
}

impl Access {
    #[cfg(unix)]
    fn of(path: &Path, metadata: &Metadata) -> Access {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode();
        let we_may_write = || rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            Access::OfAnother
        } else if mode & 0o022 != 0 {
            Access::Writable
        } else if mode & 0o200 == 0 || !we_may_write() {
            Access::Closed
        } else if mode & 0o077 != 0 {
            Access::Readable
        } else {
            Access::Private
        }
    }

    #[cfg(not(unix))]
    fn of(_path: &Path, metadata: &Metadata) -> Access {
        match metadata.permissions().readonly() {
            true => Access::Closed,
            false => Access::Private,
        }
    }
}
