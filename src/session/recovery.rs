//! `credential.recovery`: granted tokens that could not be written to the database.
//!
//! Separate from the store because it replaces it temporarily. The old pair is no longer valid at the server, so
//! without this file a full disk would cost the login. Each grant has a file of its own, which only its owner can read
//! and which is never overwritten: `credential.recovery`, `credential.recovery.2`, and so on. The next process that
//! holds the lock imports them all: a refresh if the database still has the old pair or none, a login unless a newer
//! one is stored. A logout removes the files of its session.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::record::Record;
use crate::account::Session;
use crate::lock::{Lock, LockGuard};
use crate::platform::files::{self, Purpose, Rule, sync_dir};
use crate::store::{Store, WriteTransaction};
use crate::world::World;

const NAME: &str = "credential.recovery";

/// More grants than are ever pending.
const MOST: usize = 99;

/// How long a command waits for a refresh in another process before it imports.
const TIMEOUT: Duration = Duration::from_secs(20);

/// More than a file with the longest tokens needs, and than a commit writes. Longer files are not ours.
pub(super) const ROOM: usize = 32 * 1024;

/// The path of the first file of a directory, whether it exists or not.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// The path of the space for a file while a token is refreshed. A process that is killed may leave tokens there.
pub(super) fn reserve_path(dir: &Path) -> PathBuf {
    dir.join("credential.reserve")
}

/// The paths that a file may have, in order.
pub(super) fn names(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let numbered = (2..=MOST).map(|number| format!("{NAME}.{number}"));
    [NAME.to_owned()]
        .into_iter()
        .chain(numbered)
        .map(|name| dir.join(name))
}

/// The files that exist, in the order of their names.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn pending(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().into_string());
    }
    found.retain(|name| name.starts_with(NAME));
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let is_there = |path: &PathBuf| found.iter().any(|name| path.ends_with(name));
    Ok(names(dir).filter(is_there).collect())
}

/// Imports and removes the files. One that cannot be imported does not prevent the others.
///
/// # Errors
/// A file is not ours, or the database cannot be written; the file stays.
pub(crate) fn import(world: &World, store: &Store, guard: &LockGuard) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for path in read_dir(store.directory())? {
        let imported = import_one(world, store, guard, &path);
        outcome = outcome.and(imported);
    }
    outcome
}

fn import_one(world: &World, store: &Store, guard: &LockGuard, path: &Path) -> anyhow::Result<()> {
    // A truncated file was never complete, so there is nothing to lose.
    if let Some(record) = Record::parse(&read(path)?)? {
        let change = store.change(guard, world.clock())?;
        let outcome = record.import(&change, world.now())?;
        change.commit()?;
        world.trace(|| format!("imported {}: {outcome}", path.display()));
    }
    remove(path)
}

/// Imports the files, if there are any, for a caller that does not hold the lock. Returns whether there were any.
///
/// # Errors
/// As [`import`], and the lock's.
pub(crate) fn import_pending(world: &World, store: &Store) -> anyhow::Result<bool> {
    if read_dir(store.directory())?.is_empty() {
        return Ok(false);
    }
    let guard = Lock::credential(store.directory()).acquire(world.clock(), TIMEOUT)?;
    import(world, store, &guard).map(|()| true)
}

/// Removes the files with tokens of a session that this transaction logs out.
///
/// # Errors
/// A file is not ours, or cannot be removed; it may contain valid tokens.
pub(super) fn discard(
    dir: &Path,
    change: &WriteTransaction<'_>,
    session: &Session,
) -> anyhow::Result<()> {
    remove_reserve(dir)?;
    for path in read_dir(dir)? {
        let is_obsolete = match Record::parse(&read(&path)?)? {
            Some(record) => record.is_of(session) || record.is_former(change)?,
            None => true,
        };
        if is_obsolete {
            remove(&path)?;
        }
    }
    // Otherwise a power failure could restore a file that was removed earlier.
    sync_dir(dir).with_context(|| format!("cannot write {}", dir.display()))
}

/// Removes all files, if there is no database that they could belong to.
///
/// # Errors
/// The lock's, or a file cannot be removed.
pub(crate) fn discard_all(world: &World, dir: &Path) -> anyhow::Result<()> {
    if read_dir(dir)?.is_empty() && !is_there(&reserve_path(dir)) {
        return Ok(());
    }
    let _guard = Lock::credential(dir).acquire(world.clock(), TIMEOUT)?;
    remove_reserve(dir)?;
    read_dir(dir)?.iter().try_for_each(|path| remove(path))
}

/// Removes what a killed process has left in its reserve. The caller holds the credential lock.
fn remove_reserve(dir: &Path) -> anyhow::Result<()> {
    let path = reserve_path(dir);
    match is_there(&path) {
        true => remove(&path),
        false => Ok(()),
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Removes a file durably: if a power failure restored it, it would contain tokens that are logged out or spent.
fn remove(path: &Path) -> anyhow::Result<()> {
    fs::remove_file(path)
        .and_then(|()| sync_dir(path.parent().unwrap_or(Path::new("/"))))
        .with_context(|| format!("cannot remove {}", path.display()))
}

fn read_dir(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    pending(dir).with_context(|| format!("cannot read {}", dir.display()))
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    open_and_read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn open_and_read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = files::open_private(path, Purpose::Read, Rule::Ours)?;
    let mut content = Zeroizing::new(Vec::new());
    file.take(ROOM as u64).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::account::{Tokens, User};
    use crate::origin::Origin;
    use crate::secret::Secret;
    use crate::session::reserve::Reserve;
    use crate::session::{NewLogin, log_out, record_login};
    use crate::world::{SystemClock, Timestamp};

    fn login(name: &str) -> NewLogin {
        NewLogin {
            origin: Origin::saas(),
            user: User {
                id: Some(name.to_owned()),
                ..User::default()
            },
            tokens: Tokens {
                access: Secret::new(format!("access-{name}")),
                refresh: Some(Secret::new(format!("refresh-{name}"))),
                issued_at: Some(Timestamp::from_millis(1)),
                expires_at: None,
            },
            client_id: None,
        }
    }

    #[test]
    fn each_grant_has_a_file_of_its_own_and_all_are_imported() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let world = World::of(&[], Rc::new(SystemClock));
        let store = Store::open_or_create(&world, dir).unwrap();
        // With reserved space, and without.
        for (name, reserve) in [
            ("a", Reserve::take(dir).unwrap()),
            ("b", Reserve::take(dir).unwrap()),
            ("c", Reserve::default()),
        ] {
            let record = Record::of_login(&login(name));
            reserve.write(dir, &record).unwrap();
        }
        assert_eq!(pending(dir).unwrap().len(), 3);
        assert!(import_pending(&world, &store).unwrap());
        let sessions = store.read().unwrap().sessions().unwrap();
        let mut users: Vec<_> = sessions
            .into_iter()
            .map(|session| session.user.id)
            .collect();
        users.sort();
        assert_eq!(users, ["a", "b", "c"].map(|name| Some(name.to_owned())));
        assert_eq!(pending(dir).unwrap(), Vec::<PathBuf>::new());
        assert!(!import_pending(&world, &store).unwrap());
    }

    #[test]
    fn a_session_is_there_for_as_long_as_tokens_of_it_wait() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let world = World::of(&[], Rc::new(SystemClock));
        let store = Store::open_or_create(&world, dir).unwrap();
        let session = record_login(&world, &store, login("a")).unwrap();
        // A logout cannot end between the row and the file: if the file cannot be removed, the row stays.
        fs::create_dir(path(dir)).unwrap();
        assert!(log_out(&world, &store, &session).is_err());
        assert!(store.read().unwrap().session(&session).unwrap().is_some());
        fs::remove_dir(path(dir)).unwrap();
        log_out(&world, &store, &session).unwrap();
        assert!(store.read().unwrap().session(&session).unwrap().is_none());
    }
}
