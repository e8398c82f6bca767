//! `defaults.url`: the default instance of the official CLI.
//!
//! Separate from the sessions because it is a row of another program, the only one of its kind that we write: the
//! official CLI prefers an account of that instance to the active one, so it has to follow the active one.

use super::WriteTransaction;
use crate::origin::Origin;

impl WriteTransaction<'_> {
    /// Makes the instance of the new active session the official CLI's default. Adds nothing if it has no default: it
    /// then uses the active session's instance.
    pub(super) fn set_default_instance(&self, origin: &Origin) -> anyhow::Result<()> {
        let has = |column| {
            let transaction = &self.transaction;
            transaction.column_exists(None, "metadata", column)
        };
        let explain = |error| self.explain(error);
        if has("key").map_err(explain)? && has("value").map_err(explain)? {
            self.execute(
                "UPDATE metadata SET value = ?1 WHERE key = 'defaults.url' AND value IS NOT ?1",
                [origin.to_string()],
            )?;
        }
        Ok(())
    }
}
