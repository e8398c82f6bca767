//! A transaction that can outlive the function that began it.
//!
//! Separate from rusqlite's own, which cannot be resumed: a `get` reads in the transaction that opening the file began.

use rusqlite::Connection;

/// Rolled back on drop unless committed.
pub(super) struct Transaction<'a> {
    connection: &'a Connection,
}

impl<'a> Transaction<'a> {
    /// Begins a read transaction.
    pub(super) fn begin(connection: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        // The pragma takes the lock without reading the schema; reading the schema first would take a lock of its own.
        connection.execute_batch("BEGIN; PRAGMA user_version")?;
        Ok(Transaction { connection })
    }

    /// Begins a write transaction; no other connection can write until it ends.
    pub(super) fn begin_writing(connection: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Transaction { connection })
    }

    /// Resumes the transaction that was [kept](Transaction::keep), or represents one in a file that cannot change.
    pub(super) fn resume(connection: &'a Connection) -> Transaction<'a> {
        Transaction { connection }
    }

    /// Leaves the transaction open without an owner.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }

    /// Commits the transaction.
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.connection.execute_batch("COMMIT")
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // Autocommit means that it is committed, or that SQLite rolled it back after an error.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").ok();
        }
    }
}
