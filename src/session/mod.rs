//! One login over its life: refreshes stale tokens, and stores and removes sessions.
//!
//! Separate from the store, which maps rows, and from the broker, which serves clients. Sentry's refresh tokens are
//! single-use: posting one twice, or not storing its replacement, logs the user out. The whole module exists to prevent
//! that. `protocol` decides the next step, as pure flows; `perform` carries it out.
//!
//! Rules:
//! 1. a fresh token is returned without lock, network or keyring;
//! 2. nothing is refreshed without the lock, and only the pair that was read under it is posted;
//! 3. the disk proves that it accepts a write before the refresh token is spent;
//! 4. what the server granted is committed before it is validated;
//! 5. only a logout and a new login remove tokens.

mod delegate;
mod explain;
#[cfg(test)]
mod flow_tests;
mod new_login;
mod pair;
mod perform;
mod protocol;
mod record;
mod recovery;
mod refresh_worker;
mod reserve;
mod swap;
#[cfg(test)]
mod tests;
mod usable;

use crate::account::{Freshness, Session};
use crate::oauth::{Check, OAuth};
use crate::store::Store;
use crate::world::World;

use pair::Pair;
use perform::{Performer, Subject};
use protocol::{Conclusion, Flow};

pub(crate) use new_login::NewLogin;
pub(crate) use perform::granted;
pub(crate) use recovery::{discard_all, import, import_pending, pending};
pub(crate) use refresh_worker::{is_worker, run_if_worker};
pub(crate) use usable::{Demand, TokenError, Usable};

/// Returns a usable token of a session: the stored one, or a refreshed one if that is demanded or due.
///
/// # Errors
/// [`TokenError`]; the session stays in the store in every case.
pub(crate) fn usable(
    world: &World,
    store: &Store,
    session: &Session,
    demand: Demand,
) -> Result<Usable, TokenError> {
    if let (Demand::Usable, Freshness::Fresh, Some(tokens)) =
        (demand, session.freshness(world.now()), &session.tokens)
    {
        return Ok(Usable::Current(tokens.clone()));
    }
    if let Freshness::Stale(reason) = session.freshness(world.now()) {
        world.trace(|| format!("the token of {} is stale: {reason:?}", session.origin));
    }
    let row = perform::row(world, session);
    let goal = demand.goal(row.pair);
    let mut performer = Performer::new(world, store, Subject::Session(session.clone()));
    performer.demand = demand;
    world.trace(|| format!("flow: begin refresh {goal:?} {row:?}"));
    let conclusion = performer.run(Flow::refresh(goal, row));
    explain::usable(&performer, conclusion)
}

/// The same, checked with Sentry: a token that Sentry rejects is replaced once. Also returns the result of the check.
///
/// # Errors
/// [`TokenError`], also if Sentry rejects the token and grants no other.
pub(crate) fn checked(
    world: &World,
    store: &Store,
    session: &Session,
) -> Result<(Usable, Check), TokenError> {
    let check =
        |usable: &Usable| OAuth::new(world, &session.origin, "").check(&usable.tokens().access);
    let usable = self::usable(world, store, session, Demand::Usable)?;
    let first = check(&usable);
    if !matches!(first, Check::Rejected) {
        return Ok((usable, first));
    }
    let session = Session {
        tokens: Some(usable.into_tokens()),
        ..session.clone()
    };
    match self::usable(world, store, &session, Demand::Replacement)? {
        // A token that Sentry rejects is not returned, whatever its expiry.
        Usable::Postponed(_, failure) => Err(TokenError::Unavailable(failure.into())),
        usable => {
            let second = check(&usable);
            Ok((usable, second))
        }
    }
}

/// Stores a login as the active session, with its copy in the keyring. If the database cannot be written, the tokens of
/// a device flow are saved in a recovery file.
///
/// # Errors
/// It is stored nowhere, or only in the recovery file.
pub(crate) fn record_login(
    world: &World,
    store: &Store,
    login: NewLogin,
) -> anyhow::Result<Session> {
    let (origin, pair) = (login.origin.clone(), Pair::of(&login.tokens));
    let mut performer = Performer::new(world, store, Subject::Login(login));
    world.trace(|| format!("flow: begin login {pair:?}"));
    let conclusion = performer.run(Flow::login(pair));
    performer.guard = None;
    match (conclusion, performer.subject) {
        (Conclusion::Done, Subject::Session(session)) => {
            store.erase_removed_or_warn(world);
            Ok(session)
        }
        (conclusion, subject) => {
            performer.subject = subject;
            Err(explain::incomplete(&performer, &origin, conclusion).into())
        }
    }
}

/// Removes a session, including its recovery files. Returns the session that became the active one, if this one was.
///
/// # Errors
/// The session is still stored.
pub(crate) fn log_out(
    world: &World,
    store: &Store,
    session: &Session,
) -> anyhow::Result<Option<Session>> {
    let mut performer = Performer::new(world, store, Subject::Session(session.clone()));
    world.trace(|| "flow: begin logout".to_owned());
    match performer.run(Flow::logout()) {
        Conclusion::Done => Ok(performer.next_active),
        conclusion => Err(explain::incomplete(&performer, &session.origin, conclusion).into()),
    }
}
