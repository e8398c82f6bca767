//! One login over its life: is its token fresh, and if not, who refreshes it.
//!
//! Apart from the store, which knows rows, and from the broker, which knows callers. Sentry's refresh tokens are
//! single-use: a pair that is posted twice, or posted and then not stored, logs the person out. Everything here serves
//! that one fact.
//!
//! Rules:
//! 1. a fresh token is answered without lock, network or keyring;
//! 2. nothing is refreshed without the lock, and only the pair that was read under it is posted;
//! 3. the disk proves that it can be written before the refresh token is spent;
//! 4. what the server granted is committed first and judged later;
//! 5. only `invalid_grant` removes tokens, and only the pair that was sent.

mod exchange;
#[allow(dead_code, unused_imports, reason = "the program follows")]
mod protocol;
mod recovery;
mod refresh;
mod refresh_worker;

use std::time::Duration;

use crate::account::{Freshness, Session, StaleReason, Tokens};
use crate::failure::Failure;
use crate::lock::{Lock, LockError};
use crate::oauth::{CONNECT, REQUEST};
use crate::store::Store;
use crate::world::World;

pub use exchange::granted;
pub use recovery::import;
pub use refresh::{Login, record_login};
pub use refresh_worker::exchange_if_asked;

/// How long a caller with an expired token waits for another process's refresh.
const PATIENCE: Duration = Duration::from_secs(20);

/// A holder begins another request only this soon after it took the lock: after a connection that failed, say, but not
/// after a name server or a check that took its time.
const LATEST_START: Duration = CONNECT.saturating_add(Duration::from_secs(1));

// A waiter must outlast a holder at its worst.
const _: () = assert!(LATEST_START.as_secs() + REQUEST.as_secs() < PATIENCE.as_secs());

/// A token that can be used, and how it came about.
#[derive(Debug)]
pub enum Usable {
    /// It was stored, and is good as far as we know.
    Current(Tokens),
    /// We refreshed it now.
    Refreshed(Tokens),
    /// It still works, but its refresh failed; why.
    Postponed(Tokens, Failure),
}

impl Usable {
    /// The tokens.
    pub fn into_tokens(self) -> Tokens {
        match self {
            Usable::Current(tokens) | Usable::Refreshed(tokens) | Usable::Postponed(tokens, _) => {
                tokens
            }
        }
    }
}

/// Why there is no usable token.
#[derive(Debug)]
pub enum TokenError {
    /// Only a new login helps: the session is gone, or was rejected.
    LoginRequired(Failure),
    /// The session is kept, but cannot be used now.
    Unavailable(anyhow::Error),
}

impl From<anyhow::Error> for TokenError {
    fn from(error: anyhow::Error) -> TokenError {
        TokenError::Unavailable(error)
    }
}

/// A usable token of a session: the stored one, or a refreshed one if `asked` or if it is stale.
///
/// # Errors
/// [`TokenError`]; the store keeps the session in every case but `invalid_grant`.
pub fn usable(
    world: &World,
    store: &Store,
    session: &Session,
    asked: Option<StaleReason>,
) -> Result<Usable, TokenError> {
    let lock = Lock::credential(store.path().parent().unwrap_or(store.path()));
    if session.tokens.is_none() && recovery::waits(store) {
        // Another program cleared the spent pair before the new one could be stored.
        let held = lock.acquire(world.clock(), PATIENCE, || false);
        let held = held.map_err(anyhow::Error::from)?;
        return refresh::locked(world, store, held, session, StaleReason::Interrupted);
    }
    let why = match (asked, session.freshness(world.now()), &session.tokens) {
        (_, _, None) => return Err(TokenError::LoginRequired(ended(session, "has ended"))),
        (None, Freshness::Fresh, Some(tokens)) => return Ok(Usable::Current(tokens.clone())),
        (Some(why), ..) | (None, Freshness::Stale(why), _) => why,
    };
    world.trace(|| format!("the token of {} is stale: {why:?}", session.origin));
    let tokens = session
        .tokens
        .as_ref()
        .ok_or_else(|| TokenError::LoginRequired(ended(session, "has ended")))?;
    let expired = tokens.is_expired(world.now());
    if tokens.refresh.is_none() && expired {
        return Err(TokenError::LoginRequired(ended(
            session,
            "has an API token that has expired",
        )));
    }
    let patience = if expired || why == StaleReason::Asked {
        PATIENCE
    } else {
        Duration::ZERO
    };
    let mut fresh = None;
    let held = lock.acquire(world.clock(), patience, || {
        fresh = reread(store, session).filter(|_| why != StaleReason::Asked);
        fresh
            .as_ref()
            .is_some_and(|session| session.freshness(world.now()) == Freshness::Fresh)
    });
    match (held, fresh) {
        (Ok(held), _) => refresh::locked(world, store, held, session, why),
        // Another process refreshed while we waited.
        (
            Err(LockError::Taken),
            Some(Session {
                tokens: Some(tokens),
                ..
            }),
        ) if !tokens.is_expired(world.now()) => Ok(Usable::Current(tokens)),
        (Err(error), _) if !expired => {
            let why = Failure::new(format!(
                "the token of {} was not refreshed: {error}",
                session.origin
            ));
            Ok(Usable::Postponed(tokens.clone(), why))
        }
        (Err(error), _) => {
            let what = format!(
                "the token for {} has expired and cannot be refreshed now: {error}",
                session.origin
            );
            Err(TokenError::Unavailable(Failure::new(what).into()))
        }
    }
}

fn reread(store: &Store, session: &Session) -> Option<Session> {
    store.view().ok()?.session(session).ok()?
}

/// The sentence for a session that only a login brings back.
fn ended(session: &Session, how: &str) -> Failure {
    let what = format!("the session at {} {how}", session.origin);
    Failure::new(what).hint(format!("`sentry auth login --url {}`", session.origin))
}
