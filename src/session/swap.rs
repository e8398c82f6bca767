//! Replaces the tokens in a row, by the rule of [`protocol::swap`].
//!
//! Separate from [`perform`](super::perform) because imports of recovery files follow the same rule.

use super::pair::Pair;
use super::protocol::{self, Swap};
use crate::account::{Session, Tokens};
use crate::store::WriteTransaction;
use crate::world::Timestamp;

/// Replaces the pair `old` of a session by `new`, in the caller's transaction.
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
        change.replace_tokens(&current, old, new, client_id, now)?;
    }
    Ok(swap)
}

/// Marks the pair of a session as rejected, if it is still stored.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Age, Machine, credential_lock};

    /// What the row contains.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Found {
        NoRow,
        Nulls,
        Old,
        Other,
    }

    /// A machine with the old pair, whose row another program then changes.
    fn machine(age: Age, found: Found) -> (Machine, Session) {
        let machine = Machine::new().account("old", age);
        let session = machine.active();
        machine.sql(match found {
            Found::Old => "",
            Found::NoRow => "DELETE FROM accounts",
            Found::Nulls => "UPDATE accounts SET token = NULL, refresh_token = NULL",
            Found::Other => {
                "UPDATE accounts SET token = 'access-of-other', \
                 refresh_token = replace(refresh_token, 'old', 'other')"
            }
        });
        (machine, session)
    }

    #[test]
    fn the_database_follows_the_rule_for_every_row_and_pair() {
        for age in [Age::FRESH, Age::API_TOKEN] {
            for found in [Found::NoRow, Found::Nulls, Found::Old, Found::Other] {
                for rejected in [false, true] {
                    let case = format!("{found:?}, {age:?}, rejected {rejected}");
                    let (old, new) = (age.tokens("old"), age.tokens("new"));
                    let (machine, session) = machine(age, found);
                    let (world, store) = (machine.world(), machine.store());
                    let guard = credential_lock(&machine.dir());
                    let change = store.change(&guard, world.clock()).unwrap();
                    let mark =
                        rejected.then(|| reject(&change, &session, &old, world.now()).unwrap());
                    let met = swap(&change, &session, &old, &new, None, world.now()).unwrap();
                    let row = match found {
                        Found::NoRow => None,
                        Found::Nulls => Some(None),
                        Found::Old => Some(Some("old")),
                        Found::Other => Some(Some("other")),
                    };
                    assert_eq!(met, protocol::swap(row, &"old"), "{case}");
                    // Only a stored pair is marked.
                    let marked = match found {
                        Found::NoRow => Swap::Gone,
                        Found::Old => Swap::Stored,
                        Found::Nulls | Found::Other => Swap::Superseded,
                    };
                    assert!(mark.is_none_or(|mark| mark == marked), "{case}");
                    let after = change.session(&session).unwrap();
                    let access = after.and_then(|session| Some(session.tokens?.access));
                    let expected = match met {
                        Swap::Stored => Some(new.access.clone()),
                        Swap::Gone => None,
                        Swap::Superseded => Some(age.tokens("other").access),
                    };
                    assert_eq!(access, expected, "{case}");
                }
            }
        }
    }
}
