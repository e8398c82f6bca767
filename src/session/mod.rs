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

mod apart;
mod exchange;
mod recovery;
mod refresh;

use std::time::Duration;

use crate::failure::Failure;
use crate::lock::{Lock, LockError};
use crate::oauth::{CONNECT, REQUEST};
use crate::secret::{Digest, Secret};
use crate::store::{Session, Store, Tokens};
use crate::world::{Timestamp, World};

pub use apart::exchange_if_asked;
pub use exchange::granted;
pub use recovery::import;
pub use refresh::{Login, record_login};

/// How long a caller with an expired token waits for another process's refresh.
const PATIENCE: Duration = Duration::from_secs(20);

/// A holder begins another request only this soon after it took the lock: after a connection that failed, say, but not
/// after a name server or a check that took its time.
const LATEST_START: Duration = CONNECT.saturating_add(Duration::from_secs(1));

// A waiter must outlast a holder at its worst.
const _: () = assert!(LATEST_START.as_secs() + REQUEST.as_secs() < PATIENCE.as_secs());

/// A token is refreshed when less than this is left, or a tenth of its life if that is less. As late as is useful: the
/// old access token dies in the hands of whoever still uses it.
const LONGEST_MARGIN: Duration = Duration::from_secs(3600);

/// Whether a token can be handed out as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Hand it out.
    Fresh,
    /// Look after it first.
    Stale(Why),
}

/// Why a token is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is dead: wait for a new one.
    Expired,
    /// It still works: try, but do not wait.
    ExpiresSoon,
    /// git reported it as rejected: ask the server.
    Suspect,
    /// A refresh of this pair was begun and its end is not known: try the pair once more.
    Interrupted,
    /// A person asked: always try.
    Asked,
}

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
pub enum Unusable {
    /// Only a new login helps: the session is gone, or was rejected.
    Dead(Failure),
    /// The session is kept, but cannot be used now.
    Trouble(anyhow::Error),
}

impl From<anyhow::Error> for Unusable {
    fn from(error: anyhow::Error) -> Unusable {
        Unusable::Trouble(error)
    }
}

impl Session {
    /// Whether the access token can be handed out at `now`. A session without tokens is not asked.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        let Some(tokens) = &self.tokens else {
            return Freshness::Stale(Why::Expired);
        };
        let marked = |mark: Option<Digest>, secret: &Secret| {
            mark.is_some_and(|mark| mark == secret.digest())
        };
        let intent = self.marks.intent.map(|(digest, _)| digest);
        if tokens
            .refresh
            .as_ref()
            .is_some_and(|refresh| marked(intent, refresh))
        {
            return Freshness::Stale(Why::Interrupted);
        }
        match tokens.expires_at {
            Some(expires_at) if expires_at <= now => Freshness::Stale(Why::Expired),
            _ if marked(self.marks.suspect, &tokens.access) => Freshness::Stale(Why::Suspect),
            Some(expires_at)
                if tokens.refresh.is_some()
                    && now.until(expires_at) < tokens.margin(expires_at) =>
            {
                Freshness::Stale(Why::ExpiresSoon)
            }
            _ => Freshness::Fresh,
        }
    }
}

impl Tokens {
    fn margin(&self, expires_at: Timestamp) -> Duration {
        match self.issued_at {
            Some(issued_at) if issued_at < expires_at => {
                LONGEST_MARGIN.min(issued_at.until(expires_at) / 10)
            }
            _ => LONGEST_MARGIN,
        }
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// A usable token of a session: the stored one, or a refreshed one if `asked` or if it is stale.
///
/// # Errors
/// [`Unusable`]; the store keeps the session in every case but `invalid_grant`.
pub fn usable(
    world: &World,
    store: &Store,
    session: &Session,
    asked: Option<Why>,
) -> Result<Usable, Unusable> {
    let lock = Lock::credential(store.path().parent().unwrap_or(store.path()));
    if session.tokens.is_none() && recovery::waits(store) {
        // Another program cleared the spent pair before the new one could be stored.
        let held = lock.acquire(world.clock(), PATIENCE, || false);
        let held = held.map_err(anyhow::Error::from)?;
        return refresh::locked(world, store, held, session, Why::Interrupted);
    }
    let why = match (asked, session.freshness(world.now()), &session.tokens) {
        (_, _, None) => return Err(Unusable::Dead(ended(session, "has ended"))),
        (None, Freshness::Fresh, Some(tokens)) => return Ok(Usable::Current(tokens.clone())),
        (Some(why), ..) | (None, Freshness::Stale(why), _) => why,
    };
    world.trace(|| format!("the token of {} is stale: {why:?}", session.origin));
    let tokens = session
        .tokens
        .as_ref()
        .ok_or_else(|| Unusable::Dead(ended(session, "has ended")))?;
    let expired = tokens.is_expired(world.now());
    if tokens.refresh.is_none() && expired {
        return Err(Unusable::Dead(ended(
            session,
            "has an API token that has expired",
        )));
    }
    let patience = if expired || why == Why::Asked {
        PATIENCE
    } else {
        Duration::ZERO
    };
    let mut fresh = None;
    let held = lock.acquire(world.clock(), patience, || {
        fresh = reread(store, session).filter(|_| why != Why::Asked);
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
            Err(Unusable::Trouble(Failure::new(what).into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;
    use crate::store::{Marks, User};

    const HOUR: i64 = 3_600_000;

    fn session(issued_at: Option<i64>, expires_at: Option<i64>) -> Session {
        Session {
            account: "a".into(),
            origin: Origin::saas(),
            user: User::default(),
            tokens: Some(Tokens {
                access: Secret::new("access"),
                refresh: Some(Secret::new("refresh")),
                issued_at: issued_at.map(Timestamp::from_millis),
                expires_at: expires_at.map(Timestamp::from_millis),
            }),
            active: true,
            marks: Marks::default(),
        }
    }

    fn freshness(session: &Session, now: i64) -> Freshness {
        session.freshness(Timestamp::from_millis(now))
    }

    #[test]
    fn a_token_is_refreshed_in_the_last_tenth_of_its_life_but_not_before_the_last_hour() {
        let short = session(Some(0), Some(HOUR));
        assert_eq!(freshness(&short, HOUR * 9 / 10), Freshness::Fresh);
        assert_eq!(
            freshness(&short, HOUR * 9 / 10 + 1),
            Freshness::Stale(Why::ExpiresSoon)
        );
        assert_eq!(freshness(&short, HOUR), Freshness::Stale(Why::Expired));
        let long = session(Some(0), Some(720 * HOUR));
        assert_eq!(freshness(&long, 719 * HOUR), Freshness::Fresh);
        assert_eq!(
            freshness(&long, 719 * HOUR + 1),
            Freshness::Stale(Why::ExpiresSoon)
        );
        let unknown = session(None, Some(5 * HOUR));
        assert_eq!(freshness(&unknown, 4 * HOUR), Freshness::Fresh);
        assert_eq!(
            freshness(&unknown, 4 * HOUR + 1),
            Freshness::Stale(Why::ExpiresSoon)
        );
        assert_eq!(
            freshness(&session(Some(0), None), i64::MAX),
            Freshness::Fresh
        );
    }

    #[test]
    fn a_mark_counts_only_for_the_token_it_was_made_for() {
        let mut session = session(Some(0), None);
        session.marks.suspect = Some(Secret::new("former").digest());
        session.marks.intent = Some((Secret::new("former").digest(), Timestamp::from_millis(0)));
        assert_eq!(freshness(&session, 0), Freshness::Fresh);
        session.marks.suspect = Some(Secret::new("access").digest());
        assert_eq!(freshness(&session, 0), Freshness::Stale(Why::Suspect));
        session.marks.intent = Some((Secret::new("refresh").digest(), Timestamp::from_millis(0)));
        assert_eq!(freshness(&session, 0), Freshness::Stale(Why::Interrupted));
    }

    #[test]
    fn an_api_token_is_used_to_its_end() {
        let mut session = session(Some(0), Some(HOUR));
        session.tokens.as_mut().unwrap().refresh = None;
        assert_eq!(freshness(&session, HOUR - 1), Freshness::Fresh);
        assert_eq!(freshness(&session, HOUR), Freshness::Stale(Why::Expired));
    }
}
