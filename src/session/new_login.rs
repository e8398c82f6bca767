//! A login that is not stored yet.

use crate::account::{Tokens, User};
use crate::origin::Origin;
use crate::store::WriteTransaction;
use crate::world::Timestamp;

/// What a login brought.
pub(crate) struct NewLogin {
    /// Who issued the tokens.
    pub(crate) origin: Origin,
    /// Whose they are.
    pub(crate) user: User,
    /// The tokens.
    pub(crate) tokens: Tokens,
    /// The OAuth client they were issued to; an API token has none.
    pub(crate) client_id: Option<String>,
}

impl NewLogin {
    /// Writes its rows, in a transaction of the caller's.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn store(
        &self,
        change: &WriteTransaction<'_>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let client_id = self.client_id.as_deref();
        change.log_in(&self.origin, &self.user, &self.tokens, client_id, now)
    }
}
