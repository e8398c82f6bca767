//! A login that is not stored yet.
//!
//! Separate from [`Session`](crate::account::Session) because it has no row, and therefore no key.

use crate::account::{Tokens, User};
use crate::origin::Origin;
use crate::store::WriteTransaction;
use crate::world::Timestamp;

/// The result of a login.
pub(crate) struct NewLogin {
    /// The instance that issued the tokens.
    pub(crate) origin: Origin,
    /// The user they belong to.
    pub(crate) user: User,
    /// The tokens.
    pub(crate) tokens: Tokens,
    /// The OAuth client they were issued to; `None` for an API token.
    pub(crate) client_id: Option<String>,
}

impl NewLogin {
    /// Writes its rows in the caller's transaction.
    pub(super) fn store(
        &self,
        change: &WriteTransaction<'_>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let client_id = self.client_id.as_deref();
        change.log_in(&self.origin, &self.user, &self.tokens, client_id, now)
    }
}
