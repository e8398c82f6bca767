//! What a caller requests of a session, and what it gets.
//!
//! Separate from [`super::protocol`], whose types do not hold tokens.

use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::protocol::Goal;
use crate::account::Tokens;
use crate::failure::Failure;

/// What a caller requests; part of the order to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Demand {
    /// A usable token, refreshed first if it is stale.
    Usable,
    /// A usable token, knowing that Sentry rejects the stored access token.
    Replacement,
    /// A new token, even if the stored one is fresh.
    Refresh,
}

impl Demand {
    /// The corresponding goal of a flow; `pair` is the pair in the row.
    pub(super) fn goal(self, pair: Option<Pair>) -> Goal<Pair> {
        match (self, pair) {
            (Demand::Replacement, Some(pair)) => Goal::Replacement(pair),
            (Demand::Refresh, _) => Goal::Refresh,
            _ => Goal::Usable,
        }
    }
}

/// A usable token, and where it comes from.
#[derive(Debug)]
pub(crate) enum Usable {
    /// The stored token, valid as far as is known.
    Current(Tokens),
    /// A token that was refreshed just now.
    Refreshed(Tokens),
    /// The stored token, still valid; its refresh failed for this reason.
    Postponed(Tokens, Failure),
}

impl Usable {
    /// The tokens.
    pub(crate) fn tokens(&self) -> &Tokens {
        match self {
            Usable::Current(tokens) | Usable::Refreshed(tokens) | Usable::Postponed(tokens, _) => {
                tokens
            }
        }
    }

    /// The tokens.
    pub(crate) fn into_tokens(self) -> Tokens {
        self.tokens().clone()
    }
}

/// Why there is no usable token.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// Only a new login helps: the session is gone, or was rejected.
    LoginRequired(Failure),
    /// The session is stored, but cannot be used now.
    Unavailable(anyhow::Error),
}

impl From<TokenError> for anyhow::Error {
    fn from(error: TokenError) -> anyhow::Error {
        match error {
            TokenError::LoginRequired(failure) => failure.into(),
            TokenError::Unavailable(error) => error,
        }
    }
}

impl From<anyhow::Error> for TokenError {
    fn from(error: anyhow::Error) -> TokenError {
        TokenError::Unavailable(error)
    }
}
