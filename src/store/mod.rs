//! The database: one SQLite file, shared with Sentry's official CLI.
//!
//! Separate from [`crate::session`] because it knows rows, not policy: nothing here decides whether a token is good.
//!
//! Reading goes through a [`ReadTransaction`], writing through a [`WriteTransaction`]; each is one transaction that first looks which tables
//! are there, because the official CLI may migrate the file between any two of ours. A `WriteTransaction` can only be had with
//! the credential lock ([`LockGuard`]).
//!
//! Rules: our own tables are called `helper_…`; of the others only `accounts`, or `auth` and `user_info`, are touched;
//! `schema_version` of an existing file never; a removed secret is overwritten; the file is never opened or closed by
//! other means while SQLite has it open (that would drop SQLite's POSIX locks).

mod bindings;
mod credentials;
mod default_instance;
mod error;
mod file;
mod filesystem;
mod host_notes;
mod layout;
mod lock_dir;
mod login_write;
mod memory;
mod migrations;
mod official;
mod row;
mod session_read;
mod session_write;
mod transaction;
mod wipe;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::lock::LockGuard;
use crate::world::{Clock, World};

pub(crate) use bindings::{Binding, Client};
pub(crate) use credentials::{Credential, Match};
pub(crate) use error::{is_damaged, is_temporary};
pub(crate) use file::Repair;
pub(crate) use host_notes::HostRefusal;

use error::{explain, is_link, is_unwritable};
use file::{Access, OpenMode};
use layout::Layout;
use lock_dir::LockDir;
use transaction::Transaction;

/// How long SQLite waits for another program's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long a reader may keep the log from being truncated: the transaction is durable by then, and others wait for us.
const READER: Duration = Duration::from_millis(500);

/// How often a new database is tried to be made while others make it.
const MAKERS: usize = 100;

/// An open database.
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
    /// What opening saw, in a transaction that has not ended.
    opened: Cell<Option<Layout>>,
}

impl Store {
    /// Opens the database of a directory; `None` when there is none.
    ///
    /// Where it cannot be written it is opened for reading. Where others could read it, that is ended, with a warning.
    ///
    /// # Errors
    /// The file or its directory is not safely ours, or SQLite cannot read it.
    pub(crate) fn open(world: &World, dir: &Path) -> anyhow::Result<Option<Store>> {
        let store = Store::open_for_reading(world, dir)?;
        Ok(store.inspect(Store::end_opening))
    }

    /// The same, for a caller that reads at once: the first [`Store::read`] goes on in the transaction that opening
    /// began.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn open_for_reading(world: &World, dir: &Path) -> anyhow::Result<Option<Store>> {
        let Some(path) = file::checked(world, dir)? else {
            return Ok(None);
        };
        Store::open_checked(path).map(Some)
    }

    /// Reads a database that nobody uses, without locks and without the files that a log needs. `None`: open it in the
    /// usual way, which also says what is wrong.
    ///
    /// What is read is what the file had at one moment: it has not been written for a while, and is as it was when the
    /// reading ends.
    pub(crate) fn read_idle<T>(
        world: &World,
        dir: &Path,
        read: impl FnOnce(&ReadTransaction<'_>) -> anyhow::Result<T>,
    ) -> Option<T> {
        let rest = file::read_idle(world, dir, world.now())?;
        let store = Store::open_way(rest.path(), rest.way()).ok()?;
        let view = store.read().ok()?;
        let found = read(&view).ok()?;
        if !rest.goes_on() {
            return None;
        }
        // There is no lock to let go, and the process ends soon.
        std::mem::forget(view);
        std::mem::forget(store);
        Some(found)
    }

    /// Opens the database of a directory and makes what is missing, readable by its owner only.
    ///
    /// # Errors
    /// As [`Store::open`], or when it cannot be made.
    pub(crate) fn open_or_create(world: &World, dir: &Path) -> anyhow::Result<Store> {
        let path = match file::checked(world, dir)? {
            Some(path) => path,
            None => file::create(world, dir)?,
        };
        let store = Store::open_checked(path)?;
        let layout = store.opened.take();
        store.end_opening();
        if layout.is_none_or(|layout| layout.empty) && !filesystem::is_shared(dir) {
            store.become_wal().map_err(|error| store.explain(error))?;
        }
        Ok(store)
    }

    /// The mode cannot change inside a transaction; the tables are made in the first `WriteTransaction`.
    fn become_wal(&self) -> rusqlite::Result<()> {
        let mode = || self.connection.pragma_update(None, "journal_mode", "WAL");
        for _ in 0..MAKERS {
            match mode() {
                // Another process is making the same database. SQLite does not wait here, but for a transaction it does.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    self.connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
                }
                ended => return ended,
            }
        }
        mode()
    }

    fn open_checked(path: PathBuf) -> anyhow::Result<Store> {
        match Store::open_by_name(path.clone()) {
            Err(error) if is_link(&error) => Store::open_by_name(file::without_links(&path)?),
            ended => ended,
        }
    }

    fn open_by_name(path: PathBuf) -> anyhow::Result<Store> {
        let mut refusal = None;
        for way in file::ways_to_open(&path) {
            match Store::open_way(&path, way) {
                Ok(store) => return Ok(store),
                Err(error) if is_unwritable(&error) => drop(refusal.get_or_insert(error)),
                Err(error) => return Err(explain(&path, error)),
            }
        }
        let error = refusal.unwrap_or(rusqlite::Error::InvalidQuery);
        Err(explain(&path, error))
    }

    fn open_way(path: &Path, way: OpenMode) -> rusqlite::Result<Store> {
        memory::share();
        let flags = way.flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Store {
            connection: Connection::open_with_flags(&way.name, flags)?,
            path: path.to_owned(),
            opened: Cell::default(),
        };
        // The file is only read at the first statement.
        store.prepare_connection(way.access)?;
        Ok(store)
    }

    fn prepare_connection(&self, access: Access) -> rusqlite::Result<()> {
        self.connection.busy_timeout(BUSY)?;
        if access == Access::Alone {
            // SQLite then keeps the index of the log in its own memory, and leaves the log as it is.
            self.connection
                .pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            self.connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Neither carries what we write elsewhere, whatever it is declared on.
        for follows_a_write in [
            DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
        ] {
            self.connection.set_db_config(follows_a_write, false)?;
        }
        let transaction = match access {
            Access::Immutable => Transaction::begun(&self.connection),
            Access::Shared | Access::Alone => Transaction::begin(&self.connection)?,
        };
        self.opened.set(Some(Layout::of(&transaction)?));
        transaction.keep();
        Ok(())
    }

    fn end_opening(&self) {
        self.opened.take();
        drop(Transaction::begun(&self.connection));
    }

    /// Lets go without tidying up, because the process ends now: closing would free memory, one piece after the other.
    /// A log is tidied up all the same, by whoever closes it last.
    pub(crate) fn leave(self) {
        if !file::has_log(&self.path) {
            std::mem::forget(self);
        }
    }

    /// Where the database lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that it lies in, where the locks are too.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Begins to read: what the view shows does not change under it.
    ///
    /// # Errors
    /// SQLite's, and a layout that this version does not know.
    pub(crate) fn read(&self) -> anyhow::Result<ReadTransaction<'_>> {
        let begin = || {
            let transaction = Transaction::begin(&self.connection)?;
            let layout = Layout::of(&transaction)?;
            Ok((transaction, layout))
        };
        let (transaction, layout) = match self.opened.take() {
            Some(layout) => (Transaction::begun(&self.connection), layout),
            None => begin().map_err(|error| self.explain(error))?,
        };
        layout.refuse_planted(&self.path)?;
        Ok(ReadTransaction {
            transaction,
            layout,
            path: &self.path,
        })
    }

    /// Begins to write. The caller holds the credential lock.
    ///
    /// # Errors
    /// SQLite's (busy, full, read-only …), and a layout that this version does not know. Nothing is written then.
    pub(crate) fn change(
        &self,
        _held: &LockGuard,
        clock: &dyn Clock,
    ) -> anyhow::Result<WriteTransaction<'_>> {
        let explain = |error| self.explain(error);
        let mutex = self.lock_dir(clock)?;
        // A committed rotation that a power cut forgets is a lost login; a deleted token must not stay in a free page.
        self.connection
            .execute_batch("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON")
            .map_err(explain)?;
        let transaction = Transaction::begin_writing(&self.connection).map_err(explain)?;
        let layout = Layout::completed(&transaction, &self.path)?;
        let view = ReadTransaction {
            transaction,
            layout,
            path: &self.path,
        };
        Ok(WriteTransaction {
            view,
            connection: &self.connection,
            _mutex: mutex,
        })
    }

    /// What keeps the official CLI's WASM driver out while this connection writes; none is needed in WAL mode.
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
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn examine(&self) -> anyhow::Result<Examination> {
        let ask = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, String>(0))
        };
        Ok(Examination {
            integrity: ask("PRAGMA integrity_check").map_err(|error| self.explain(error))?,
            journal_mode: ask("PRAGMA journal_mode").map_err(|error| self.explain(error))?,
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

/// What the doctor looks at.
#[derive(Debug)]
pub(crate) struct Examination {
    /// `ok`, or what is broken.
    pub(crate) integrity: String,
    /// `wal`, `delete` …
    pub(crate) journal_mode: String,
    /// The official CLI's schema version, if the file says one.
    pub(crate) schema_version: Option<i64>,
}

/// One reading transaction.
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

/// One writing transaction; gone without a trace unless committed.
pub(crate) struct WriteTransaction<'a> {
    view: ReadTransaction<'a>,
    connection: &'a Connection,
    _mutex: Option<LockDir>,
}

impl<'a> std::ops::Deref for WriteTransaction<'a> {
    type Target = ReadTransaction<'a>;

    fn deref(&self) -> &ReadTransaction<'a> {
        &self.view
    }
}

impl<'a> WriteTransaction<'a> {
    /// Makes it last: on disk when this returns.
    ///
    /// # Errors
    /// SQLite's; nothing is written then.
    pub(crate) fn commit(self) -> anyhow::Result<()> {
        let connection = self.committed()?;
        // A reader may be in the way; the next change tries again.
        truncate_log(connection).ok();
        Ok(())
    }

    /// The same, and proves that there is room for another commit: the file took what was in the log.
    ///
    /// # Errors
    /// SQLite's; the change may be there all the same.
    pub(crate) fn commit_and_settle(self) -> anyhow::Result<()> {
        let path = self.view.path;
        let connection = self.committed()?;
        truncate_log(connection).map_err(|error| explain(path, error))
    }

    fn committed(self) -> anyhow::Result<&'a Connection> {
        let ReadTransaction {
            transaction, path, ..
        } = self.view;
        transaction.commit().map_err(|error| explain(path, error))?;
        Ok(self.connection)
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> anyhow::Result<usize> {
        self.view
            .transaction
            .execute(sql, parameters)
            .map_err(|error| self.explain(error))
    }
}

/// Former tokens must not stay behind in the log. A reader that is in the way is no error.
fn truncate_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(READER)?;
    let truncated = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY)?;
    truncated
}

/// Sets a damaged database aside; see [`Repair`].
///
/// # Errors
/// When a file cannot be renamed.
pub(crate) fn set_aside(
    dir: &Path,
    _held: &LockGuard,
    clock: &dyn Clock,
) -> anyhow::Result<Repair> {
    file::set_aside(dir, clock.now())
        .with_context(|| format!("cannot set the database in {} aside", dir.display()))
}
