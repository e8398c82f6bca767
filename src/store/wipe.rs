//! No byte of a removed secret stays in the files: for a user who logs out.
//!
//! Separate from [`super::WriteTransaction`], whose commit overwrites what it removes and truncates the WAL if it can:
//! that leaves what other programs did before. A program without `secure_delete` that writes a row anew, be it for a longer
//! user name, leaves the old row with its token in the free space of a page; and a reader keeps the WAL.

use std::time::Duration;

use super::Store;
use crate::lock::LockGuard;
use crate::world::Clock;

/// How often the WAL is tried to be truncated.
const PAUSE: Duration = Duration::from_millis(20);

impl Store {
    /// Writes the whole file anew, without what is in its free space. No transaction is open.
    ///
    /// # Errors
    /// SQLite's (busy, full …): the file stays as it is.
    pub(crate) fn rewrite(&self, _held: &LockGuard, clock: &dyn Clock) -> anyhow::Result<()> {
        let _mutex = self.lock_dir(clock)?;
        // The copy has everybody's tokens: it is for our own memory, not for a file elsewhere.
        let sql =
            "PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; VACUUM";
        self.connection
            .execute_batch(sql)
            .map_err(|error| self.explain(error))
    }

    /// Truncates the WAL, and waits for readers that keep it; tells whether nothing is left in it. Others may write
    /// meanwhile.
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
        // SQLite would wait with the lock for writers.
        self.connection.busy_timeout(Duration::ZERO).ok();
        let blocked: rusqlite::Result<bool> =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.connection.busy_timeout(super::BUSY).ok();
        matches!(blocked, Ok(false))
    }
}
