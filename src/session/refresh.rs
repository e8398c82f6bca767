//! What the holder of the lock does: read again, and decide whether the refresh token is to be spent.

use std::time::Duration;

use super::{LATEST_START, TokenError, Usable, ended, recovery, refresh_worker};
use crate::account::{Freshness, RefreshState, Session, StaleReason, Tokens, User};
use crate::failure::Failure;
use crate::lock::LockGuard;
use crate::mirror::Mirror;
use crate::oauth::{Check, OAuth};
use crate::origin::Origin;
use crate::store::Store;
use crate::world::World;

/// A pause beyond this was noted by a clock that was wrong.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What a caller who holds the lock gets.
pub(super) fn locked(
    world: &World,
    store: &Store,
    held: LockGuard,
    known: &Session,
    why: StaleReason,
) -> Result<Usable, TokenError> {
    let since = world.clock().uptime();
    if let Err(error) = recovery::import(world, store, &held) {
        return match &known.tokens {
            Some(tokens) if !tokens.is_expired(world.now()) => Ok(Usable::Postponed(
                tokens.clone(),
                Failure::new(format!("{error:#}")),
            )),
            _ => Err(error.into()),
        };
    }
    // Only what is read under the lock counts: what we knew may be spent by now.
    let Some(session) = store.view()?.session(known)? else {
        return Err(TokenError::LoginRequired(ended(known, "was logged out")));
    };
    let Some(tokens) = session.tokens.clone() else {
        return Err(TokenError::LoginRequired(ended(&session, "has ended")));
    };
    let why = match (why, session.freshness(world.now())) {
        (StaleReason::Asked, _) => why,
        (_, Freshness::Fresh) => return Ok(Usable::Current(tokens)),
        (_, Freshness::Stale(why)) => why,
    };
    let expired = tokens.is_expired(world.now());
    let current = tokens.clone();
    let locked = Locked {
        since,
        world,
        store,
        held,
        session,
        tokens,
    };
    match locked.renewed(why) {
        Err(Stopped::Postponed(failure)) if expired => Err(TokenError::Unavailable(failure.into())),
        Err(Stopped::Postponed(failure)) => Ok(Usable::Postponed(current, failure)),
        Err(Stopped::For(reason)) => Err(reason),
        Ok(usable) => Ok(usable),
    }
}

/// A session as it was read under the lock.
pub(super) struct Locked<'a> {
    /// Since when the lock is held, by [`crate::world::Clock::uptime`].
    pub(super) since: Duration,
    pub(super) world: &'a World,
    pub(super) store: &'a Store,
    pub(super) held: LockGuard,
    pub(super) session: Session,
    pub(super) tokens: Tokens,
}

/// Why nothing was renewed.
pub(super) enum Stopped {
    /// The tokens are kept: use the old one while it lives.
    Postponed(Failure),
    /// There is nothing to use.
    For(TokenError),
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Stopped {
        Stopped::For(error.into())
    }
}

impl Stopped {
    pub(super) fn dead(session: &Session, how: &str) -> Stopped {
        Stopped::For(TokenError::LoginRequired(ended(session, how)))
    }
}

impl Locked<'_> {
    fn renewed(self, why: StaleReason) -> Result<Usable, Stopped> {
        let Locked { world, session, .. } = &self;
        let origin = &session.origin;
        if why != StaleReason::Asked
            && let Some(retry_at) = session.marks.retry_at
            && (Duration::from_millis(1)..LONGEST_PAUSE).contains(&world.now().until(retry_at))
        {
            let what = format!("{origin} failed a moment ago; the next try is after {retry_at}");
            let failure = Failure::new(what).hint("`sentry auth refresh` tries at once");
            return Err(Stopped::Postponed(failure));
        }
        if why == StaleReason::Suspect {
            if self.is_accepted()? {
                return Ok(Usable::Current(self.tokens.clone()));
            }
            if !self.has_time() {
                let what = format!("{origin} rejects the token, but took too long to say so");
                return Err(Stopped::Postponed(Failure::new(what)));
            }
        }
        refresh_worker::exchange(self)
    }

    /// Whether a whole request would end before those who wait for the lock give up.
    pub(super) fn has_time(&self) -> bool {
        self.world.clock().uptime() < self.since + LATEST_START
    }

    pub(super) fn mark(&self, marks: RefreshState) -> anyhow::Result<()> {
        let change = self.store.change(&self.held, self.world.clock())?;
        change.mark(&self.session, &marks)?;
        change.commit()
    }

    pub(super) fn dead(&self, how: &str) -> Stopped {
        Stopped::dead(&self.session, how)
    }

    /// Asks the server about a token that git reported. Accepted: that git host just refuses this user.
    fn is_accepted(&self) -> Result<bool, Stopped> {
        let origin = &self.session.origin;
        match OAuth::new(self.world, origin, "").check(&self.tokens.access) {
            Check::Accepted(_) | Check::Forbidden => {
                self.world
                    .trace(|| format!("{origin} accepts the suspect token"));
                self.mark(RefreshState {
                    suspect: None,
                    ..self.session.marks.clone()
                })?;
                Ok(true)
            }
            Check::Rejected => Ok(false),
            Check::Unknown(why) => {
                let what = format!("cannot ask {origin} about the token: {why}");
                Err(Stopped::Postponed(Failure::new(what)))
            }
        }
    }
}

/// Another program stored a pair of its own: that one counts.
pub(super) fn adopted(world: &World, store: &Store, session: &Session) -> Result<Usable, Stopped> {
    let current = store.view()?.session(session)?;
    match current.and_then(|session| session.tokens) {
        Some(tokens) if !tokens.is_expired(world.now()) => Ok(Usable::Current(tokens)),
        _ => Err(Stopped::dead(session, "was changed by another program")),
    }
}

/// What a login brought.
pub struct Login {
    /// Who issued the tokens.
    pub origin: Origin,
    /// Whose they are.
    pub user: User,
    /// The tokens.
    pub tokens: Tokens,
    /// The OAuth client they were issued to; an API token has none.
    pub client_id: Option<String>,
}

/// Stores a login as the active session, and its copy in the keyring while the lock is held: a logout that follows finds
/// both.
///
/// # Errors
/// The store cannot be written.
pub fn record_login(
    world: &World,
    store: &Store,
    held: &LockGuard,
    login: &Login,
) -> anyhow::Result<Session> {
    // A pair that waits belongs before this login, not after it.
    recovery::import(world, store, held).ok();
    let change = store.change(held, world.clock())?;
    change.log_in(
        &login.origin,
        &login.user,
        &login.tokens,
        login.client_id.as_deref(),
        world.now(),
    )?;
    let mirror = Mirror::of(world, store);
    mirror.announce(&change)?;
    let is_ours = |session: &Session| session.tokens.as_ref() == Some(&login.tokens);
    let session = change.sessions()?.into_iter().find(is_ours);
    let session = session
        .ok_or_else(|| anyhow::anyhow!("the new session is not in {}", store.path().display()))?;
    change.commit()?;
    mirror.put(&session, &login.tokens);
    Ok(session)
}
