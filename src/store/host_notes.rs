//! What hosts said of the tokens that they were shown: noted when git tells, read when it matters.
//!
//! Separate from bindings, which a user made. Each note is a setting, so that no `get` has another table to parse.

use super::{ReadTransaction, WriteTransaction};

/// The key for a server that takes a token as `Bearer` and not as `Basic`.
fn bearer_key(server: &str) -> String {
    format!("bearer {server}")
}

impl ReadTransaction<'_> {
    /// Whether a server took a token as `Bearer` because it offered nothing else, when it was last noted.
    ///
    /// # Errors
    /// SQLite's.
    pub fn takes_only_bearer(&self, server: &str) -> anyhow::Result<bool> {
        Ok(self.setting(&bearer_key(server))?.is_some())
    }
}

impl WriteTransaction<'_> {
    /// Notes whether a server takes a token as `Bearer` only.
    ///
    /// # Errors
    /// SQLite's.
    pub fn note_only_bearer(&self, server: &str, only: bool) -> anyhow::Result<()> {
        self.set(&bearer_key(server), only.then_some("1"))
    }
}
