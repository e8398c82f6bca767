//! Takes the database away for good: the file, or our tables in one that Sentry's official CLI uses, too.
//!
//! Separate from the sessions and credentials in it, which have ended before.

use std::fs;
use std::io;

use super::Store;
use super::migrations::OUR_TABLES;
use crate::lock::LockGuard;
use crate::world::World;

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The file.
    File,
    /// Our tables.
    Tables,
}

impl Store {
    /// What a removal takes away: a file with tables that we never make has another owner.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn removal(&self) -> anyhow::Result<Removal> {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND lower(name) NOT IN ('accounts', 'schema_version') \
                   AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'helper\\_%' ESCAPE '\\'";
        let others: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| self.explain(error))?;
        Ok(match others {
            0 => Removal::File,
            _ => Removal::Tables,
        })
    }

    /// Takes it away. Its guard shows that no refresh is under way.
    ///
    /// # Errors
    /// SQLite's, or the file stays.
    pub(crate) fn remove(self, world: &World, _guard: &LockGuard) -> anyhow::Result<Removal> {
        let removal = self.removal()?;
        match removal {
            Removal::Tables => {
                let _lock_dir = self.lock_dir(world.clock())?;
                let drops: String = OUR_TABLES
                    .iter()
                    .map(|table| format!("DROP TABLE IF EXISTS {table}; "))
                    .collect();
                let sql = format!(
                    "PRAGMA secure_delete = ON; BEGIN IMMEDIATE; {drops}COMMIT; PRAGMA wal_checkpoint(TRUNCATE)"
                );
                self.connection
                    .execute_batch(&sql)
                    .map_err(|error| self.explain(error))?;
            }
            Removal::File => {
                let path = self.path.clone();
                // Whoever closes the file by other means before SQLite does would drop its locks.
                drop(self);
                for sidecar in ["", "-wal", "-shm", "-journal"] {
                    let mut name = path.clone().into_os_string();
                    name.push(sidecar);
                    match fs::remove_file(name) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(removal)
    }
}
