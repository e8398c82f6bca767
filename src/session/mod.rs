//! One login over its life: who refreshes a token that is not fresh, and how logins and logouts are stored.
//!
//! Separate from the store, which knows rows, and from the broker, which knows callers. Sentry's refresh tokens are
//! single-use: a pair that is posted twice, or posted and then not stored, logs the user out. Everything here serves
//! that one fact. What to do next is decided in `protocol`, by pure flows; `perform` does it.
//!
//! Rules:
//! 1. a fresh token is answered without lock, network or keyring;
//! 2. nothing is refreshed without the lock, and only the pair that was read under it is posted;
//! 3. the disk proves that it can be written before the refresh token is spent;
//! 4. what the server granted is committed first and judged later;
//! 5. only a logout and a new login remove tokens.

mod delegate;
mod explain;
mod new_login;
mod pair;
mod perform;
mod protocol;
mod record;
mod recovery;
mod refresh_worker;
mod reserve;
mod swap;
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
pub(crate) use recovery::{discard_all, import, import_waiting, waiting};
pub(crate) use refresh_worker::work_if_asked;
pub(crate) use usable::{Demand, TokenError, Usable};

/// A usable token of a session: the stored one, or a refreshed one if that is demanded or due.
///
/// # Errors
/// [`TokenError`]; the store keeps the session in every case.
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

/// The same, asked about: a token that Sentry refuses is replaced once. With what Sentry says of it.
///
/// # Errors
/// [`TokenError`]: also when Sentry refuses the token and gives no other.
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
        // What Sentry refused is not handed out, however long it has to live by the clock.
        Usable::Postponed(_, failure) => Err(TokenError::Unavailable(failure.into())),
        usable => {
            let second = check(&usable);
            Ok((usable, second))
        }
    }
}

/// Stores a login as the active session, with its copy in the keyring. What was granted by a device flow is kept in the
/// recovery file where the database does not take it.
///
/// # Errors
/// It is stored nowhere, or in the recovery file only: told with what to do.
pub(crate) fn record_login(
    world: &World,
    store: &Store,
    login: NewLogin,
) -> anyhow::Result<Session> {
    let (origin, pair) = (login.origin.clone(), Pair::of(&login.tokens));
    let mut performer = Performer::new(world, store, Subject::Login(login));
    world.trace(|| format!("flow: begin login {pair:?}"));
    let conclusion = performer.run(Flow::login(pair));
    match (conclusion, performer.subject) {
        (Conclusion::Done, Subject::Session(session)) => Ok(session),
        (conclusion, subject) => {
            performer.subject = subject;
            Err(explain::incomplete(&performer, &origin, conclusion).into())
        }
    }
}

/// Removes a session, and what recovery files have of it; the answer is the session that is active instead, if it was
/// the active one.
///
/// # Errors
/// The session is still there.
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
