//! Replaces the tokens in a row, by the one rule of [`protocol::swap`](super::protocol::swap).
//!
//! Separate from [`perform`](super::perform) because the recovery file is imported by the same rule.

use super::pair::Pair;
use super::protocol::{self, Swap};
use crate::account::{Session, Tokens};
use crate::store::WriteTransaction;
use crate::world::Timestamp;

/// Replaces the pair `old` of a session by `new`, in a transaction of the caller's.
///
/// # Errors
/// The store's.
pub(super) fn swap(
    change: &WriteTransaction<'_>,
    session: &Session,
    old: &Tokens,
    new: &Tokens,
    client_id: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Swap> {
    let Some((current, stored)) = change.stored_pair(session)? else {
        return Ok(Swap::Gone);
    };
    let swap = protocol::swap(Some(stored.map(Pair::named)), &Pair::of(old));
    if swap == Swap::Stored {
        change.replace_tokens(&current, &old.access, new, client_id, now)?;
    }
    Ok(swap)
}

/// Marks the pair of a session as rejected, if it is still there.
///
/// # Errors
/// The store's.
pub(super) fn reject(
    change: &WriteTransaction<'_>,
    session: &Session,
    rejected: &Tokens,
    now: Timestamp,
) -> anyhow::Result<Swap> {
    let pair = Pair::of(rejected);
    match change.stored_pair(session)? {
        None => Ok(Swap::Gone),
        Some((current, Some(stored))) if Pair::named(stored) == pair => {
            change.mark_rejected(&current, pair.digest(), &rejected.access, now)?;
            Ok(Swap::Stored)
        }
        Some(_) => Ok(Swap::Superseded),
    }
}
