//! Reads what one request depends on.
//!
//! Separate from the rest of the store because it alone knows that there are two ways to read: of an idle database without
//! locks ([`crate::fast`]), and of any other in a transaction. Callers have one path.

use std::path::Path;

use super::{ReadTransaction, Store, file, open_mode};
use crate::fast::IdleFile;
use crate::world::World;

impl Store {
    /// Returns what `read` finds in the database of a directory, as it was at one moment; `None` if there is no database.
    ///
    /// With it comes the store, unless `suffices` says of what was found that nothing else is needed. `read` runs again
    /// when its result does not suffice or the database changed meanwhile.
    ///
    /// # Errors
    /// As [`Store::open`], and those of `read`.
    pub(crate) fn gather<T>(
        world: &World,
        dir: &Path,
        read: impl Fn(&ReadTransaction<'_>) -> anyhow::Result<T>,
        suffices: impl FnOnce(&T) -> bool,
    ) -> anyhow::Result<Option<(T, Option<Store>)>> {
        let Some(file) = file::checked(world, dir)? else {
            return Ok(None);
        };
        let idle = world
            .is_fast()
            .then(|| file.idle(dir, world.now()))
            .flatten();
        let found = idle.and_then(|idle| Store::read_idle(&file.path, &idle, &read));
        if let Some(found) = found.filter(suffices) {
            return Ok(Some((found, None)));
        }
        let store = Store::open_checked(file.path)?;
        let found = read(&store.read()?)?;
        Ok(Some((found, Some(store))))
    }

    /// Reads without locks and without the files that a WAL needs. `None`: read in a transaction, which also reports what
    /// is wrong.
    fn read_idle<T>(
        path: &Path,
        idle: &IdleFile<'_>,
        read: impl Fn(&ReadTransaction<'_>) -> anyhow::Result<T>,
    ) -> Option<T> {
        let store = Store::open_with(path, open_mode::immutable(path)).ok()?;
        let view = store.read().ok()?;
        let found = read(&view).ok()?;
        if !idle.is_unchanged() {
            return None;
        }
        // There is no lock to release, and the process is about to exit.
        std::mem::forget(view);
        std::mem::forget(store);
        Some(found)
    }
}
