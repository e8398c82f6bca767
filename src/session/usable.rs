//! What a caller wants of a session, and what it gets.

use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::protocol::Goal;
use crate::account::Tokens;
use crate::failure::Failure;

/// What a caller wants of a session; part of the order to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Demand {
    /// A token that can be used, refreshed if it is stale.
    Usable,
    /// The same, knowing that Sentry refuses the access token.
    Replacement,
    /// A new token in any case.
    Refresh,
}

impl Demand {
    /// The same as the flow has it, for the pair that the row has.
    pub(super) fn goal(self, pair: Option<Pair>) -> Goal<Pair> {
        match (self, pair) {
            (Demand::Replacement, Some(pair)) => Goal::Replacement(pair),
            (Demand::Refresh, _) => Goal::Refresh,
            _ => Goal::Usable,
        }
    }
}

/// A token that can be used, and how it came about.
#[derive(Debug)]
pub(crate) enum Usable {
    /// It was stored, and is good as far as we know.
    Current(Tokens),
    /// We refreshed it now.
    Refreshed(Tokens),
    /// It still works, but its refresh failed; why.
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
    /// The session is kept, but cannot be used now.
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
