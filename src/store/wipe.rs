//! Erases removed secrets from the database file and the WAL when a user logs out.
//!
//! Separate from [`super::WriteTransaction`], whose commit overwrites what it removes and truncates the WAL if
//! possible. That leaves the traces of other programs: one without `secure_delete` that rewrites a row, if only for a
//! longer user name, leaves the old row with its token in the free space of a page; and a reader prevents the
//! truncation of the WAL.

use std::time::Duration;

use super::Store;
use crate::lock::LockGuard;
use crate::world::Clock;

/// Pause between two attempts to truncate the WAL.
const PAUSE: Duration = Duration::from_millis(20);

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
