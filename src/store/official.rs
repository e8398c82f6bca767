//! What Sentry's official CLI keeps for all its commands.
//!
//! Separate from the sessions because it is another table, which is only read here.

use rusqlite::OptionalExtension as _;

use super::{ReadTransaction, Store};
use crate::world::World;

impl Store {
    /// A value that `sentry cli defaults` set; `None` where there is none, or nothing that can be read.
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
        // A database without that table is one that the official CLI has not seen.
        value.ok()?.filter(|value| !value.trim().is_empty())
    }
}
