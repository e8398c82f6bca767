//! Settings of Sentry's official CLI.
//!
//! Separate from the sessions because they are in another table, which this program only reads.

use rusqlite::OptionalExtension as _;

use super::{ReadTransaction, Store};
use crate::world::World;

impl Store {
    /// A value set by `sentry cli defaults`; `None` if there is none, or it cannot be read.
    pub(crate) fn official_default(world: &World, name: &str) -> Option<String> {
        let dir = world.config_dir().ok()?;
        let store = Store::open_for_reading(world, &dir).ok()??;
        store.read().ok()?.official_default(name)
    }
}

impl ReadTransaction<'_> {
    fn official_default(&self, name: &str) -> Option<String> {
        let sql = "SELECT value FROM metadata WHERE key = 'defaults.' || ?";
        let value = self
            .transaction
            .query_row(sql, [name], |row| row.get::<_, String>(0))
            .optional();
        // A database without that table has never been used by the official CLI.
        value.ok()?.filter(|value| !value.trim().is_empty())
    }
}
