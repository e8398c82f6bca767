//! Removes the database: the file, or only our tables if Sentry's official CLI uses the file too.
//!
//! Separate from the removal of sessions and credentials, which precedes it.

use std::fs;
use std::io;

use super::Store;
use super::migrations::OUR_TABLES;
use crate::lock::LockGuard;
use crate::world::World;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The file.
    File,
    /// Our tables.
    Tables,
}

impl Store {
    /// What a removal would remove: a file with tables that this program never creates has another owner.
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

    /// Removes it. The lock guard proves that no refresh is in progress.
    ///
    /// # Errors
    /// SQLite's, or the file cannot be removed.
    pub(crate) fn remove(self, world: &World, _guard: &LockGuard) -> anyhow::Result<Removal> {
        let removal = self.removal()?;
        match removal {
            Removal::Tables => {
                let _lock_dir = self.lock_dir(world.clock())?;
                let drops: String = OUR_TABLES
                    .iter()
                    .map(|table| format!("DROP TABLE IF EXISTS {table}; "))
                    .collect();
                let sql = format!("PRAGMA secure_delete = ON; BEGIN IMMEDIATE; {drops}COMMIT");
                self.connection
                    .execute_batch(&sql)
                    .map_err(|error| self.explain(error))?;
                if let Err(warning) = self.empty_wal(world.clock()) {
                    world.warn(&warning);
                }
            }
            Removal::File => {
                let path = self.path.clone();
                // Closing the file by other means before SQLite does would drop SQLite's locks.
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
