//! The refresh itself, under the lock: read again, note the intent, post, commit, then judge.

use std::time::Duration;

use super::{Freshness, Unusable, Usable, Why, ended, recovery};
use crate::environment;
use crate::failure::Failure;
use crate::lock::Held;
use crate::mirror::Mirror;
use crate::oauth::{Check, Grant, OAuth, RefreshAnswer, Transient};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::{Marks, Session, Store, Swap, Tokens, User};
use crate::world::{Timestamp, World};

/// No new try for this long after a failure that named no time.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a granted pair is tried to be stored before it goes to the recovery file.
const COMMIT: Duration = Duration::from_secs(60);

/// After `invalid_grant`: how long another program may need to store what it was granted.
const SETTLE: Duration = Duration::from_secs(3);

/// What a caller who holds the lock gets.
pub(super) fn locked(
    world: &World,
    store: &Store,
    held: &Held,
    known: &Session,
    why: Why,
) -> Result<Usable, Unusable> {
    recovery::import(world, store, held)?;
    // Only what is read under the lock counts: what we knew may be spent by now.
    let Some(session) = store.view()?.session(known)? else {
        return Err(Unusable::Dead(ended(known, "was logged out")));
    };
    let Some(tokens) = session.tokens.clone() else {
        return Err(Unusable::Dead(ended(&session, "has ended")));
    };
    let now = world.now();
    let why = match (why, session.freshness(now)) {
        (Why::Asked, _) => why,
        (_, Freshness::Fresh) => return Ok(Usable::Current(tokens)),
        (_, Freshness::Stale(why)) => why,
    };
    let expired = tokens.is_expired(now);
    let postponed = |failure: Failure| match expired {
        true => Err(Unusable::Trouble(failure.into())),
        false => Ok(Usable::Postponed(tokens.clone(), failure)),
    };
    if let Some(retry_at) = session
        .marks
        .retry_at
        .filter(|retry_at| *retry_at > now && why != Why::Asked)
    {
        // A mark far ahead is a clock that was wrong.
        if now.until(retry_at) <= Duration::from_secs(3600) {
            let what = format!(
                "{} failed a moment ago; the next try is after {retry_at}",
                session.origin
            );
            return postponed(Failure::new(what).hint("`sentry auth refresh` tries at once"));
        }
    }
    let refresh = match &tokens.refresh {
        Some(refresh) if why != Why::Suspect => refresh,
        refresh => match ask(world, store, held, &session, &tokens)? {
            Verdict::Good => return Ok(Usable::Current(tokens)),
            Verdict::Unknown(failure) => return postponed(failure),
            Verdict::Bad => match refresh {
                Some(refresh) => refresh,
                None => {
                    return Err(Unusable::Dead(ended(
                        &session,
                        "has an API token that Sentry rejects",
                    )));
                }
            },
        },
    };
    let client_id = session
        .marks
        .client_id
        .clone()
        .or_else(|| environment::client_id(world, &session.origin));
    let Some(client_id) = client_id else {
        let what = format!("the OAuth client id for {} is not known", session.origin);
        return postponed(
            Failure::new(what).hint("set SENTRY_CLIENT_ID to the one that you logged in with"),
        );
    };
    // Proves that disk, permissions and locks work before the refresh token is spent; and should the answer be lost,
    // the next run knows.
    let interrupted = session
        .marks
        .intent
        .filter(|_| why == Why::Interrupted)
        .map(|(_, at)| at);
    let intent = Marks {
        intent: Some((refresh.digest(), interrupted.unwrap_or(now))),
        ..session.marks.clone()
    };
    if let Err(error) = mark(world, store, held, &session, &intent) {
        let failure = Failure::new(format!(
            "not refreshed, because the new token could not be stored: {error:#}"
        ));
        return postponed(failure);
    }
    world.trace(|| format!("refreshing at {}", session.origin));
    let deferral = world.signals().defer();
    let oauth = OAuth::new(&session.origin, &client_id);
    let answer = match oauth.refresh(refresh) {
        RefreshAnswer::Transient(Transient { sent: false, .. }) => oauth.refresh(refresh),
        answer => answer,
    };
    let outcome = match answer {
        RefreshAnswer::Granted(grant) => {
            let granted = granted(world, &grant, Some(refresh));
            commit(world, store, held, &session, &tokens, granted)
        }
        RefreshAnswer::InvalidGrant => rejected(world, store, held, &session, &tokens, interrupted),
        RefreshAnswer::Transient(Transient {
            why,
            retry_after,
            sent,
        }) => {
            let retry_at = Some(world.now().after(retry_after.unwrap_or(PAUSE)));
            // Only a request that surely had no effect takes the intent back.
            let intent = if sent { intent.intent } else { None };
            // Not being able to note it means another try sooner.
            let _ = mark(
                world,
                store,
                held,
                &session,
                &Marks {
                    retry_at,
                    intent,
                    ..intent_free(&session)
                },
            );
            postponed(Failure::new(format!(
                "cannot refresh the token of {}: {why}",
                session.origin
            )))
        }
        RefreshAnswer::Refused(refusal) => {
            let retry_at = Some(world.now().after(PAUSE));
            let _ = mark(
                world,
                store,
                held,
                &session,
                &Marks {
                    retry_at,
                    ..intent_free(&session)
                },
            );
            let what = format!("{} refused to refresh the token: {refusal}", session.origin);
            postponed(
                Failure::new(what).hint("is SENTRY_CLIENT_ID the one that you logged in with?"),
            )
        }
        RefreshAnswer::Unusable => {
            let what = format!(
                "{} answered with something that is not a token; nothing was stored",
                session.origin
            );
            postponed(Failure::new(what))
        }
    };
    drop(deferral);
    outcome
}

fn intent_free(session: &Session) -> Marks {
    Marks {
        intent: None,
        ..session.marks.clone()
    }
}

fn mark(
    world: &World,
    store: &Store,
    held: &Held,
    session: &Session,
    marks: &Marks,
) -> anyhow::Result<()> {
    let change = store.change(held, world.clock())?;
    change.mark(session, marks)?;
    change.commit()
}

enum Verdict {
    Good,
    Bad,
    Unknown(Failure),
}

/// Asks the server about a token that git reported, or that cannot be refreshed.
fn ask(
    world: &World,
    store: &Store,
    held: &Held,
    session: &Session,
    tokens: &Tokens,
) -> anyhow::Result<Verdict> {
    match OAuth::new(&session.origin, "").check(&tokens.access) {
        Check::Accepted(_) | Check::Forbidden => {
            world.trace(|| format!("{} accepts the suspect token", session.origin));
            mark(
                world,
                store,
                held,
                session,
                &Marks {
                    suspect: None,
                    ..session.marks.clone()
                },
            )?;
            Ok(Verdict::Good)
        }
        Check::Rejected => Ok(Verdict::Bad),
        Check::Unknown(why) => Ok(Verdict::Unknown(Failure::new(format!(
            "cannot ask {} about the token: {why}",
            session.origin
        )))),
    }
}

/// What a grant means as a row. A server that issues no new refresh token keeps the old one valid (RFC 6749 section 6).
pub fn granted(world: &World, grant: &Grant, old_refresh: Option<&Secret>) -> Tokens {
    let now = world.now();
    Tokens {
        access: grant.access.clone(),
        refresh: grant.refresh.as_ref().or(old_refresh).cloned(),
        issued_at: Some(now),
        expires_at: grant.expires_in.map(|lifetime| now.after(lifetime)),
    }
}

fn commit(
    world: &World,
    store: &Store,
    held: &Held,
    session: &Session,
    old: &Tokens,
    new: Tokens,
) -> Result<Usable, Unusable> {
    let deadline = world.clock().uptime() + COMMIT;
    let swap = loop {
        let tried = store.change(held, world.clock()).and_then(|change| {
            let swap = change.swap(session, old, &new, world.now())?;
            change.commit().map(|()| swap)
        });
        match tried {
            Ok(swap) => break swap,
            Err(_) if world.clock().uptime() < deadline => {
                world.clock().sleep(Duration::from_millis(200))
            }
            Err(error) => {
                recovery::write(store, session, old, &new)?;
                let what = format!(
                    "the new token of {} is kept in `credential.recovery`",
                    session.origin
                );
                return Err(Unusable::Trouble(error.context(what)));
            }
        }
    };
    world.trace(|| format!("the new pair of {}: {swap:?}", session.origin));
    match swap {
        Swap::Done => {
            Mirror::of(world, store).put(session, &new);
            Ok(Usable::Refreshed(new))
        }
        Swap::Gone => Err(Unusable::Dead(ended(session, "was logged out"))),
        Swap::Superseded => adopted(world, store, session),
    }
}

/// Another program stored a pair of its own: that one counts.
fn adopted(world: &World, store: &Store, session: &Session) -> Result<Usable, Unusable> {
    match store
        .view()?
        .session(session)?
        .and_then(|session| session.tokens)
    {
        Some(tokens) if !tokens.is_expired(world.now()) => Ok(Usable::Current(tokens)),
        _ => Err(Unusable::Dead(ended(
            session,
            "was changed by another program",
        ))),
    }
}

/// `invalid_grant`: lost, unless another program was faster and is about to store what it was granted.
fn rejected(
    world: &World,
    store: &Store,
    held: &Held,
    session: &Session,
    sent: &Tokens,
    interrupted: Option<Timestamp>,
) -> Result<Usable, Unusable> {
    let deadline = world.clock().uptime() + SETTLE;
    let mut pause = Duration::from_millis(25);
    while world.clock().uptime() < deadline {
        match store
            .view()?
            .session(session)?
            .map(|session| session.tokens)
        {
            Some(Some(tokens)) if tokens.refresh != sent.refresh => {
                return adopted(world, store, session);
            }
            Some(None) => {
                return Err(Unusable::Dead(ended(
                    session,
                    "was ended by another program",
                )));
            }
            None => return Err(Unusable::Dead(ended(session, "was logged out"))),
            Some(Some(_)) => {}
        }
        world.clock().sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(800));
    }
    let change = store.change(held, world.clock())?;
    change.mark(session, &intent_free(session))?;
    let swap = change.clear(session, sent, world.now())?;
    change.commit()?;
    if swap == Swap::Superseded {
        return adopted(world, store, session);
    }
    Mirror::of(world, store).remove(session);
    let how = match interrupted {
        Some(at) => format!(
            "was lost: a refresh that began at {at} was interrupted before its answer was stored"
        ),
        None => "has ended: Sentry no longer accepts its refresh token".to_owned(),
    };
    Err(Unusable::Dead(ended(session, &how)))
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

/// Stores a login as the active session.
///
/// # Errors
/// The store cannot be written.
pub fn record_login(
    world: &World,
    store: &Store,
    held: &Held,
    login: &Login,
) -> anyhow::Result<Session> {
    let change = store.change(held, world.clock())?;
    change.log_in(
        &login.origin,
        &login.user,
        &login.tokens,
        login.client_id.as_deref(),
        world.now(),
    )?;
    let session = change
        .sessions()?
        .into_iter()
        .find(|session| session.tokens.as_ref() == Some(&login.tokens));
    let session = session
        .ok_or_else(|| anyhow::anyhow!("the new session is not in {}", store.path().display()))?;
    change.commit()?;
    Mirror::of(world, store).put(&session, &login.tokens);
    Ok(session)
}
