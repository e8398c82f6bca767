//! A transaction that may outlast the function that began it.
//!
//! rusqlite's own cannot be taken up again, and a `get` reads in the one that opening the file began.

use rusqlite::Connection;

/// Rolled back on drop unless committed.
pub(super) struct Transaction<'a> {
    connection: &'a Connection,
}

impl<'a> Transaction<'a> {
    /// Begins to read.
    pub(super) fn begin(connection: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        // The pragma needs no schema, and takes the lock: reading the schema without it takes one of its own.
        connection.execute_batch("BEGIN; PRAGMA user_version")?;
        Ok(Transaction { connection })
    }

    /// Begins to write: nobody else does until it ends.
    pub(super) fn begin_writing(connection: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Transaction { connection })
    }

    /// Takes up the one that was [kept](Transaction::keep), or stands for one where nothing can change.
    pub(super) fn begun(connection: &'a Connection) -> Transaction<'a> {
        Transaction { connection }
    }

    /// Goes on without an owner.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }

    /// Makes what was written last.
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
        // Committed, or rolled back by SQLite itself after an error.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").ok();
        }
    }
}
