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

mod explain;
mod pair;
mod perform;
mod protocol;
mod record;
mod recovery;
mod refresh_worker;
mod swap;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::{Freshness, Session, Tokens, User};
use crate::failure::Failure;
use crate::oauth::{Check, OAuth};
use crate::origin::Origin;
use crate::store::{Store, WriteTransaction};
use crate::world::{Timestamp, World};

use pair::Pair;
use perform::{Performer, Subject};
use protocol::{Conclusion, Flow};

pub(crate) use perform::granted;
pub(crate) use recovery::{import, import_waiting};
pub(crate) use refresh_worker::work_if_asked;

/// How long a caller waits for the exchange, its own or a worker's.
const CALLER: Duration = Duration::from_secs(12);

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
        match self {
            Usable::Current(tokens) | Usable::Refreshed(tokens) | Usable::Postponed(tokens, _) => {
                tokens
            }
        }
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
    let flow_demand = match (demand, row.pair) {
        (Demand::Replacement, Some(pair)) => protocol::Goal::Replacement(pair),
        (Demand::Refresh, _) => protocol::Goal::Refresh,
        _ => protocol::Goal::Usable,
    };
    let mut performer = Performer::new(world, store, Subject::Session(session.clone()));
    performer.demand = demand;
    world.trace(|| format!("flow: begin refresh {flow_demand:?} {row:?}"));
    let conclusion = performer.run(Flow::refresh(flow_demand, row));
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

/// Removes a session, and what the recovery file has of it; the answer is the session that is active instead, if it was
/// the active one.
///
/// # Errors
/// The session, or the file, is still there.
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

/// The rows of a login; a transaction of the caller's.
fn store_login(
    change: &WriteTransaction<'_>,
    login: &NewLogin,
    now: Timestamp,
) -> anyhow::Result<()> {
    let NewLogin {
        origin,
        user,
        tokens,
        client_id,
    } = login;
    change.log_in(origin, user, tokens, client_id.as_deref(), now)
}
