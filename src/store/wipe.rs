//! Erases secrets that a user removed from the database file and the WAL.
//!
//! Separate from [`super::WriteTransaction`], whose commit overwrites what it removes and truncates the WAL if
//! possible. A reader prevents the truncation. Traces of other programs remain, too: one without `secure_delete` that
//! rewrites a row, if only for a longer user name, leaves the old row with its token in the free space of a page.

use std::time::Duration;

use super::Store;
use crate::lock::LockGuard;
use crate::world::{Clock, World};

/// Pause between two attempts to truncate the WAL.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for a reader of the database before reporting that removed data stays in the WAL.
const READER: Duration = Duration::from_secs(5);

impl Store {
    /// Rewrites the whole file without its free space. No transaction may be open.
    ///
    /// # Errors
    /// The file is busy or the disk is full; the file is unchanged.
    pub(crate) fn rewrite(&self, _guard: &LockGuard, clock: &dyn Clock) -> anyhow::Result<()> {
        let _lock_dir = self.lock_dir(clock)?;
        // The temporary copy contains tokens, so it must stay in memory.
        let sql =
            "PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; VACUUM";
        self.connection
            .execute_batch(sql)
            .map_err(|error| self.explain(error))
    }

    /// Erases from the WAL what transactions of this connection removed and a reader kept in it. The caller has released
    /// the lock, so that others do not wait.
    ///
    /// # Errors
    /// A reader still prevents it: what to report.
    pub(crate) fn erase_removed(&self, clock: &dyn Clock) -> Result<(), String> {
        match self.is_left_in_wal.get() {
            true => self.empty_wal(clock),
            false => Ok(()),
        }
    }

    /// The same; the error becomes a warning.
    pub(crate) fn erase_removed_or_warn(&self, world: &World) {
        if let Err(warning) = self.erase_removed(world.clock()) {
            world.warn(&warning);
        }
    }

    /// Truncates the WAL, waiting for readers that prevent it.
    ///
    /// # Errors
    /// A reader still prevents it: what to report.
    pub(crate) fn empty_wal(&self, clock: &dyn Clock) -> Result<(), String> {
        if self.truncate_wal(clock, READER) {
            self.is_left_in_wal.set(false);
            return Ok(());
        }
        let shown = self.path().display();
        Err(format!(
            "another program is reading {shown}; removed tokens stay in {shown}-wal until it ends"
        ))
    }

    /// Truncates the WAL, waiting for readers that prevent it; returns whether it is empty. Others may write meanwhile.
    pub(crate) fn truncate_wal(&self, clock: &dyn Clock, timeout: Duration) -> bool {
        let deadline = clock.uptime() + timeout;
        while !self.try_truncate() {
            if clock.uptime() >= deadline {
                return false;
            }
            clock.sleep(PAUSE);
        }
        true
    }

    fn try_truncate(&self) -> bool {
        // SQLite would hold the write lock while it waits.
        self.connection.busy_timeout(Duration::ZERO).ok();
        let blocked: rusqlite::Result<bool> =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.connection.busy_timeout(super::BUSY).ok();
        matches!(blocked, Ok(false))
    }
}
