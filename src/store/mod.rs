//! The database: one SQLite file, shared with Sentry's official CLI.
//!
//! Separate from [`crate::session`] because it maps rows and makes no decisions: it does not judge whether a token is
//! valid.
//!
//! Reads go through a [`ReadTransaction`], writes through a [`WriteTransaction`]. Each is one transaction that first
//! determines which tables exist, because the official CLI may migrate the file between any two of ours. A
//! `WriteTransaction` requires the credential lock ([`LockGuard`]).
//!
//! Rules: our own tables are called `helper_…`; of the others, only `accounts`, or `auth` and `user_info`, are changed;
//! `schema_version` of an existing file never is; a removed secret is overwritten; the file is never opened or closed
//! by other means while SQLite has it open, which would drop SQLite's POSIX locks.

mod bindings;
mod credentials;
mod default_instance;
mod error;
mod file;
mod gather;
mod host_notes;
mod layout;
mod lock_dir;
mod login_write;
mod migrations;
mod official;
mod open_mode;
mod removal;
mod row;
mod session_read;
mod session_write;
mod set_aside;
#[cfg(test)]
mod tests;
mod transaction;
mod wipe;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::lock::LockGuard;
use crate::platform::files;
use crate::world::{Clock, World};

pub(crate) use bindings::{Binding, Client};
pub(crate) use credentials::{Credential, Match};
pub(crate) use error::{is_damaged, is_temporary};
pub(crate) use host_notes::HostRefusal;
pub(crate) use removal::Removal;
pub(crate) use set_aside::Repair;

use error::{explain, is_symlink_error, is_unwritable};
use layout::Layout;
use lock_dir::LockDir;
use open_mode::{Access, OpenMode};
use transaction::Transaction;

/// How long SQLite waits for another program's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long to wait for readers before truncating the WAL: the transaction is durable by then, and others wait for the
/// lock.
const READER: Duration = Duration::from_millis(500);

/// How often to retry the creation of a database that other processes create too.
const CREATION_ATTEMPTS: usize = 100;

/// An open database.
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
    /// The layout that opening found, in a transaction that is still open.
    opened: Cell<Option<Layout>>,
    /// Whether a secret that a transaction removed may still be in the WAL.
    is_left_in_wal: Cell<bool>,
}

impl Store {
    /// Opens the database of a directory; `None` if there is none.
    ///
    /// A file that cannot be written is opened for reading. A file that other users could read is made private, with a
    /// warning.
    ///
    /// # Errors
    /// The file or its directory is not safe to use, or SQLite cannot read it.
    pub(crate) fn open(world: &World, dir: &Path) -> anyhow::Result<Option<Store>> {
        let store = Store::open_for_reading(world, dir)?;
        Ok(store.inspect(Store::end_opening))
    }

    /// The same for a caller that reads at once: the first [`Store::read`] continues the transaction that opening
    /// began.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn open_for_reading(world: &World, dir: &Path) -> anyhow::Result<Option<Store>> {
        let Some(file) = file::checked(world, dir)? else {
            return Ok(None);
        };
        Store::open_checked(file.path).map(Some)
    }

    /// Opens the database of a directory, and creates what is missing, readable by its owner only.
    ///
    /// # Errors
    /// As [`Store::open`], or it cannot be created.
    pub(crate) fn open_or_create(world: &World, dir: &Path) -> anyhow::Result<Store> {
        let file = match file::checked(world, dir)? {
            Some(file) => file,
            None => file::create(world, dir)?,
        };
        let store = Store::open_checked(file.path)?;
        let layout = store.opened.take();
        store.end_opening();
        if layout.is_none_or(|layout| layout.empty) && files::is_local(dir) != Some(false) {
            store.become_wal().map_err(|error| store.explain(error))?;
        }
        Ok(store)
    }

    /// The journal mode cannot change inside a transaction. The tables are created by the first `WriteTransaction`.
    fn become_wal(&self) -> rusqlite::Result<()> {
        let mode = || self.connection.pragma_update(None, "journal_mode", "WAL");
        for _ in 0..CREATION_ATTEMPTS {
            match mode() {
                // Another process is creating the same database. SQLite does not wait here, but does so for a
                // transaction.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    self.connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
                }
                result => return result,
            }
        }
        mode()
    }

    fn open_checked(path: PathBuf) -> anyhow::Result<Store> {
        match Store::open_by_name(path.clone()) {
            Err(error) if is_symlink_error(&error) => {
                Store::open_by_name(file::without_symlinks(&path)?)
            }
            result => result,
        }
    }

    fn open_by_name(path: PathBuf) -> anyhow::Result<Store> {
        let mut refusal = None;
        for mode in open_mode::open_modes(&path) {
            match Store::open_with(&path, mode) {
                Ok(store) => return Ok(store),
                Err(error) if is_unwritable(&error) => drop(refusal.get_or_insert(error)),
                Err(error) => return Err(explain(&path, error)),
            }
        }
        let error = refusal.unwrap_or(rusqlite::Error::InvalidQuery);
        Err(explain(&path, error))
    }

    fn open_with(path: &Path, mode: OpenMode) -> rusqlite::Result<Store> {
        let flags = mode.flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Store {
            connection: Connection::open_with_flags(&mode.name, flags)?,
            path: path.to_owned(),
            opened: Cell::default(),
            is_left_in_wal: Cell::default(),
        };
        // SQLite reads the file only at the first statement.
        store.prepare_connection(mode.access)?;
        Ok(store)
    }

    fn prepare_connection(&self, access: Access) -> rusqlite::Result<()> {
        self.connection.busy_timeout(BUSY)?;
        if access == Access::Alone {
            // SQLite then keeps the index of the WAL in its own memory, and leaves the WAL as it is.
            self.connection
                .pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            self.connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Neither triggers nor foreign keys may copy what we write elsewhere.
        for side_effect in [
            DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
        ] {
            self.connection.set_db_config(side_effect, false)?;
        }
        let transaction = match access {
            Access::Immutable => Transaction::resume(&self.connection),
            Access::Shared | Access::Alone => Transaction::begin(&self.connection)?,
        };
        self.opened.set(Some(Layout::of(&transaction)?));
        transaction.keep();
        Ok(())
    }

    fn end_opening(&self) {
        self.opened.take();
        drop(Transaction::resume(&self.connection));
    }

    /// Skips the orderly close, because the process is about to exit and closing would free memory piece by piece. A
    /// WAL is checkpointed by the last process that closes the file.
    pub(crate) fn leave(self) {
        if !file::has_wal(&self.path) {
            std::mem::forget(self);
        }
    }

    /// The path of the database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the database and of the locks.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Begins a read transaction, whose content does not change.
    ///
    /// # Errors
    /// The layout is not known to this version.
    pub(crate) fn read(&self) -> anyhow::Result<ReadTransaction<'_>> {
        let begin = || {
            let transaction = Transaction::begin(&self.connection)?;
            let layout = Layout::of(&transaction)?;
            Ok((transaction, layout))
        };
        let (transaction, layout) = match self.opened.take() {
            Some(layout) => (Transaction::resume(&self.connection), layout),
            None => begin().map_err(|error| self.explain(error))?,
        };
        layout.refuse_planted(&self.path)?;
        Ok(ReadTransaction {
            transaction,
            layout,
            path: &self.path,
        })
    }

    /// Checks that the database shows whether there is a login.
    ///
    /// # Errors
    /// As [`Store::read`], or logins may be in a table that this version does not know.
    pub(crate) fn check_layout(&self) -> anyhow::Result<()> {
        self.read()?.layout.check_known(&self.path)
    }

    /// Begins a write transaction. The caller holds the credential lock.
    ///
    /// # Errors
    /// The file is busy, full or read-only, or its layout is not known to this version. Nothing is written then.
    pub(crate) fn change(
        &self,
        _guard: &LockGuard,
        clock: &dyn Clock,
    ) -> anyhow::Result<WriteTransaction<'_>> {
        let explain = |error| self.explain(error);
        let lock_dir = self.lock_dir(clock)?;
        // A power failure must not undo a committed rotation, and a deleted token must not stay in a free page.
        self.connection
            .execute_batch("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON")
            .map_err(explain)?;
        if files::NEEDS_FULLFSYNC {
            self.connection
                .execute_batch("PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON")
                .map_err(explain)?;
        }
        let transaction = Transaction::begin_writing(&self.connection).map_err(explain)?;
        let layout = Layout::complete(&transaction, &self.path)?;
        let view = ReadTransaction {
            transaction,
            layout,
            path: &self.path,
        };
        Ok(WriteTransaction {
            view,
            store: self,
            removes_secrets: Cell::default(),
            _lock_dir: lock_dir,
        })
    }

    /// Excludes the official CLI's WASM driver while this connection writes; not needed in WAL mode.
    fn lock_dir(&self, clock: &dyn Clock) -> anyhow::Result<Option<LockDir>> {
        let journal: String = self
            .connection
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .map_err(|error| self.explain(error))?;
        match journal.as_str() {
            "wal" => Ok(None),
            _ => LockDir::acquire(&self.path, clock).map(Some),
        }
    }

    /// `PRAGMA integrity_check`, journal mode and schema version, for the doctor.
    pub(crate) fn examine(&self) -> anyhow::Result<Examination> {
        let query = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, String>(0))
        };
        Ok(Examination {
            integrity: query("PRAGMA integrity_check").map_err(|error| self.explain(error))?,
            journal_mode: query("PRAGMA journal_mode").map_err(|error| self.explain(error))?,
            schema_version: self
                .connection
                .query_row("SELECT max(version) FROM schema_version", [], |row| {
                    row.get(0)
                })
                .unwrap_or(None),
        })
    }

    fn explain(&self, error: rusqlite::Error) -> anyhow::Error {
        explain(&self.path, error)
    }
}

/// The condition of the file, for the doctor.
#[derive(Debug)]
pub(crate) struct Examination {
    /// `ok`, or SQLite's description of the damage.
    pub(crate) integrity: String,
    /// `wal`, `delete` …
    pub(crate) journal_mode: String,
    /// The official CLI's schema version, if the file records one.
    pub(crate) schema_version: Option<i64>,
}

/// A read transaction.
pub(crate) struct ReadTransaction<'a> {
    transaction: Transaction<'a>,
    layout: Layout,
    path: &'a Path,
}

impl ReadTransaction<'_> {
    fn explain(&self, error: rusqlite::Error) -> anyhow::Error {
        explain(self.path, error)
    }
}

/// A write transaction; rolled back unless committed.
pub(crate) struct WriteTransaction<'a> {
    view: ReadTransaction<'a>,
    store: &'a Store,
    /// Whether the user wanted a secret to be removed, rather than replaced by its successor.
    removes_secrets: Cell<bool>,
    _lock_dir: Option<LockDir>,
}

impl<'a> std::ops::Deref for WriteTransaction<'a> {
    type Target = ReadTransaction<'a>;

    fn deref(&self) -> &ReadTransaction<'a> {
        &self.view
    }
}

impl<'a> WriteTransaction<'a> {
    /// Commits durably: the transaction is on disk on return.
    ///
    /// # Errors
    /// Nothing is written then.
    pub(crate) fn commit(self) -> anyhow::Result<()> {
        let removes_secrets = self.removes_secrets.get();
        let store = self.committed()?;
        // A reader may prevent it; [`Store::erase_removed`] or the next transaction tries again.
        if matches!(checkpoint(&store.connection), Ok(true)) {
            store.is_left_in_wal.set(false);
        } else if removes_secrets {
            store.is_left_in_wal.set(true);
        }
        Ok(())
    }

    /// Commits, and proves that there is space for another commit: the database file accepted the content of the WAL.
    ///
    /// # Errors
    /// The transaction may be committed nevertheless.
    pub(crate) fn commit_and_settle(self) -> anyhow::Result<()> {
        let path = self.view.path;
        let store = self.committed()?;
        let emptied = checkpoint(&store.connection);
        emptied.map(drop).map_err(|error| explain(path, error))
    }

    fn committed(self) -> anyhow::Result<&'a Store> {
        let ReadTransaction {
            transaction, path, ..
        } = self.view;
        transaction.commit().map_err(|error| explain(path, error))?;
        Ok(self.store)
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> anyhow::Result<usize> {
        self.view
            .transaction
            .execute(sql, parameters)
            .map_err(|error| self.explain(error))
    }
}

/// Removes former tokens from the WAL. A reader that prevents it is not an error. Returns whether the WAL is empty.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(READER)?;
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let blocked: rusqlite::Result<bool> = connection.query_row(sql, [], |row| row.get(0));
    connection.busy_timeout(BUSY)?;
    Ok(!blocked?)
}

/// Moves a damaged database aside; see [`Repair`].
///
/// # Errors
/// A file cannot be renamed.
pub(crate) fn set_aside(
    dir: &Path,
    _guard: &LockGuard,
    clock: &dyn Clock,
) -> anyhow::Result<Repair> {
    set_aside::set_aside(dir, clock.now())
        .with_context(|| format!("cannot set the database in {} aside", dir.display()))
}

/// The damaged databases of a directory that were moved aside, with their sidecar files.
pub(crate) fn set_aside_in(dir: &Path) -> Vec<PathBuf> {
    set_aside::set_aside_in(dir)
}
