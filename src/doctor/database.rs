//! The database, its locks, and `--repair`.
//!
//! Separate from [`super::files`], which does not open the database.

use std::path::Path;
use std::time::Duration;

use super::check::Check;
use super::files::{directory, files};
use super::snapshot::Snapshot;
use crate::failure::Failure;
use crate::lock::{Lock, LockError};
use crate::printable::printable;
use crate::store::{self, Client, Examination, Store};
use crate::world::World;

/// How long `--repair` waits for a refresh in another process.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Checks the directory, the files, the database and the lock; returns the content of the database.
pub(super) fn database(world: &World, dir: &Path, checks: &mut Vec<Check>) -> Snapshot {
    let Some(check) = directory(dir) else {
        let missing = format!("{} does not exist yet; a login creates it", dir.display());
        checks.push(Check::ok("directory", missing));
        return Snapshot::default();
    };
    checks.push(check);
    // Before the database is opened, which corrects the modes of its files.
    checks.extend(files(dir));
    let (check, snapshot) = match condition(world, dir).and_then(|condition| read(dir, condition)) {
        Ok(read) => read,
        Err(error) => {
            let snapshot = Snapshot {
                unread: true,
                ..Snapshot::default()
            };
            (Check::failed("database", &error), snapshot)
        }
    };
    checks.push(check);
    checks.push(lock(dir));
    snapshot
}

/// Moves a damaged database aside.
///
/// # Errors
/// Its condition cannot be determined, or it cannot be moved.
pub(super) fn repair(world: &World) -> anyhow::Result<Check> {
    let dir = world.config_dir()?;
    let nothing = || {
        Check::ok(
            "repair",
            format!("there is nothing to repair in {}", dir.display()),
        )
    };
    if !dir.exists() {
        return Ok(nothing());
    }
    // Under the lock, so that no login happens between the check and the move.
    let guard = Lock::credential(&dir).acquire(world.clock(), TIMEOUT)?;
    let Condition::Damaged(_) = condition(world, &dir)? else {
        return Ok(nothing());
    };
    let repair = store::set_aside(&dir, &guard, world.clock())?;
    let message = format!(
        "the damaged database was set aside as {}",
        repair.moved_to.display()
    );
    Ok(Check {
        hint: Some(
            "`sentry auth login`, then `sentry auth setup-git` and `sentry auth setup-docker` where they were in use"
                .to_owned(),
        ),
        ..Check::ok("repair", message)
    })
}

enum Condition {
    Absent,
    Damaged(anyhow::Error),
    Sound(Store, Examination),
}

fn condition(world: &World, dir: &Path) -> anyhow::Result<Condition> {
    let examine = || -> anyhow::Result<Condition> {
        let Some(store) = Store::open(world, dir)? else {
            return Ok(Condition::Absent);
        };
        let examination = store.examine()?;
        store.check_layout()?;
        // Reads every page that a login needs.
        store.read()?.sessions()?;
        if examination.integrity == "ok" {
            return Ok(Condition::Sound(store, examination));
        }
        let what = format!(
            "{} is damaged: {}",
            store.path().display(),
            printable(&examination.integrity)
        );
        let failure = Failure::new(what)
            .hint("`sentry auth doctor --repair` sets it aside as `cli.db.corrupt-<time>`, and a login creates a new one");
        Ok(Condition::Damaged(failure.into()))
    };
    match examine() {
        Err(error) if store::is_damaged(&error) => Ok(Condition::Damaged(error)),
        other => other,
    }
}

fn read(dir: &Path, condition: Condition) -> anyhow::Result<(Check, Snapshot)> {
    let (store, examination) = match condition {
        Condition::Sound(store, examination) => (store, examination),
        Condition::Damaged(error) => return Err(error),
        Condition::Absent => {
            let missing = format!(
                "{} does not exist yet; a login creates it",
                dir.join("cli.db").display()
            );
            return Ok((Check::ok("database", missing), Snapshot::default()));
        }
    };
    let view = store.read()?;
    let (sessions, git, docker) = (
        view.sessions()?,
        view.bindings(Client::Git)?,
        view.bindings(Client::Docker)?,
    );
    let in_repositories = view.settings("undo git local ")?;
    drop(view);
    let schema = examination
        .schema_version
        .map_or_else(String::new, |version| format!("schema {version}, "));
    let sound = format!(
        "{} is intact ({schema}journal mode {})",
        store.path().display(),
        examination.journal_mode
    );
    let snapshot = Snapshot {
        unread: false,
        store: Some(store),
        sessions,
        git,
        in_repositories: in_repositories
            .iter()
            .filter_map(|(key, _)| {
                let (dir, host) = key.rsplit_once(' ')?;
                Some((dir.to_owned(), host.to_owned()))
            })
            .collect(),
        docker,
        by_administrator: Vec::new(),
    };
    Ok((Check::ok("database", sound), snapshot))
}

fn lock(dir: &Path) -> Check {
    let holder = |lock: Lock| {
        let pid = lock.holder().and_then(|holder| holder.pid);
        pid.map_or_else(
            || "another process".to_owned(),
            |pid| format!("process {pid}"),
        )
    };
    match Lock::credential(dir).try_acquire() {
        Ok(guard) => drop(guard),
        Err(LockError::Contended(_)) => {
            let what = format!(
                "{} holds the lock; others wait for it",
                holder(Lock::credential(dir))
            );
            return Check::notice("lock", format!("{what}, for about 20 seconds at most"));
        }
        Err(error @ LockError::Unsupported(_)) => {
            let what = format!("{error}: a token that is still valid is served, none is refreshed");
            return Check::problem(
                "lock",
                what,
                "`export SENTRY_CONFIG_DIR=DIR`, a directory of a local file system",
            );
        }
        Err(error @ LockError::Unusable(..)) => {
            let what = format!("{error}: a token that is still valid is served, none is refreshed");
            return Check::fault("lock", what);
        }
    }
    match Lock::login(dir).try_acquire() {
        Err(LockError::Contended(_)) => Check::ok(
            "lock",
            format!(
                "free; {} waits for a login to be approved",
                holder(Lock::login(dir))
            ),
        ),
        _ => Check::ok("lock", "free"),
    }
}
