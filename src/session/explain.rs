//! Explains a [`Conclusion`] to the caller: one table from conclusions to messages.
//!
//! Separate from [`perform`](super::perform) so that all messages can be read in one place.

use std::path::Path;

use super::perform::Performer;
use super::protocol::{Conclusion, LoginReason, Obstacle};
use super::usable::{TokenError, Usable};
use crate::account::{Session, Tokens, login_command, options_for};
use crate::failure::Failure;
use crate::origin::Origin;

/// The token that the flow leaves for the caller, or why there is none.
pub(super) fn usable(
    performer: &Performer<'_>,
    conclusion: Conclusion,
) -> Result<Usable, TokenError> {
    let Some(session) = performer.session() else {
        return Err(TokenError::Unavailable(
            Failure::new("there is no session").into(),
        ));
    };
    let now = performer.world.now();
    let tokens = session.tokens.clone();
    let living = tokens
        .clone()
        .filter(|tokens: &Tokens| !tokens.is_expired(now));
    let unavailable = |failure: Failure| TokenError::Unavailable(failure.into());
    let changed = || unavailable(changed(&session.origin));
    match conclusion {
        Conclusion::Refreshed => tokens.map(Usable::Refreshed).ok_or_else(changed),
        Conclusion::Current | Conclusion::Done => living.map(Usable::Current).ok_or_else(changed),
        Conclusion::Stale(reason) => match (living, reason) {
            (Some(tokens), _) => Ok(Usable::Postponed(tokens, stale(performer, session, reason))),
            (None, Obstacle::Contended | Obstacle::NoLock) => {
                Err(unavailable(expired(performer, session)))
            }
            (None, _) => Err(unavailable(stale(performer, session, reason))),
        },
        Conclusion::Unavailable(_) => Err(unavailable(incomplete(
            performer,
            &session.origin,
            conclusion,
        ))),
        Conclusion::LoginRequired(why) => {
            Err(TokenError::LoginRequired(match &performer.trouble {
                Some(reported) if why == LoginReason::Reported => reported.clone(),
                _ => login_required(performer, session, why),
            }))
        }
    }
}

/// Explains why a pair, a login or a logout was not stored.
pub(super) fn incomplete(
    performer: &Performer<'_>,
    origin: &Origin,
    conclusion: Conclusion,
) -> Failure {
    match conclusion {
        Conclusion::Unavailable(Obstacle::Kept) => kept(performer, origin),
        _ => trouble(performer),
    }
}

fn trouble(performer: &Performer<'_>) -> Failure {
    let unknown = || Failure::new("the operation failed for an unknown reason");
    performer.trouble.clone().unwrap_or_else(unknown)
}

fn changed(origin: &Origin) -> Failure {
    Failure::new(format!(
        "the session at {origin} was changed by another program; run the command again to use the new session"
    ))
}

fn kept(performer: &Performer<'_>, origin: &Origin) -> Failure {
    let path = performer.kept_in.as_deref().map(Path::display);
    let path = path.map_or_else(String::new, |path| format!(" in {path}"));
    let what = format!(
        "the new token of {origin} is saved{path}: {}; the next command imports it once the database can be written",
        trouble(performer)
    );
    Failure::new(what)
}

fn expired(performer: &Performer<'_>, session: &Session) -> Failure {
    let trouble = trouble(performer);
    let what = match &session.tokens {
        Some(_) => format!(
            "the token for {} has expired and cannot be refreshed now: {trouble}",
            session.origin
        ),
        None => format!(
            "the session at {} has no token at the moment: {trouble}",
            session.origin
        ),
    };
    trouble.with_text(what)
}

fn stale(performer: &Performer<'_>, session: &Session, reason: Obstacle) -> Failure {
    let origin = &session.origin;
    let trouble = || trouble(performer);
    match reason {
        Obstacle::Contended | Obstacle::NoLock => {
            let what = format!("the token of {origin} was not refreshed: {}", trouble());
            trouble().with_text(what)
        }
        Obstacle::Paused => {
            let when = session.refresh_state.retry_at.map(|at| at.to_string());
            let when = when.unwrap_or_else(|| "a moment".to_owned());
            let why = session.refresh_state.retry_reason.clone();
            let why = why.unwrap_or_else(|| format!("{origin} failed a moment ago"));
            Failure::new(format!("{why}; the next attempt is after {when}")).hint(format!(
                "`sentry auth refresh{}` tries at once",
                options_for(session, &sessions(performer))
            ))
        }
        Obstacle::NoClient => {
            Failure::new(format!("the OAuth client id for {origin} is not known"))
                .hint("`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with")
        }
        Obstacle::GuessedClient => {
            let what = format!(
                "{}; the session is unchanged: was this login made with another `SENTRY_CLIENT_ID`?",
                trouble()
            );
            Failure::new(what)
                .hint("`export SENTRY_CLIENT_ID=CLIENT_ID`, that one, or log in again")
        }
        Obstacle::Intent => {
            let what = format!(
                "not refreshed, because the new token could not be stored: {}",
                trouble()
            );
            trouble().with_text(what)
        }
        Obstacle::Changed => changed(origin),
        Obstacle::Kept => kept(performer, origin),
        _ => trouble(),
    }
}

fn login_required(performer: &Performer<'_>, session: &Session, why: LoginReason) -> Failure {
    let ended = |how: &str| ended(performer, session, how);
    match (why, session.refresh_state.intent) {
        (LoginReason::LoggedOut, _) => ended("was logged out"),
        (LoginReason::Cleared | LoginReason::Reported, _) => ended("has ended"),
        (LoginReason::Interrupted, Some((_, at))) => ended(&format!(
            "was lost, perhaps because a refresh that began at {at} was interrupted, or the database was copied"
        )),
        (LoginReason::Interrupted | LoginReason::Rejected, _) => {
            ended("has ended: Sentry no longer accepts its refresh token")
        }
        (LoginReason::ApiTokenExpired, _) => ended("has an API token that has expired"),
        (LoginReason::ApiTokenRefused, _) => ended("has an API token that Sentry rejects"),
    }
}

/// The error for a session that only a new login restores.
fn ended(performer: &Performer<'_>, session: &Session, how: &str) -> Failure {
    let what = format!("the session at {} {how}", session.origin);
    let login = login_command(session, &sessions(performer));
    Failure::new(what).hint(format!("`{login}`"))
}

/// All stored sessions; empty if they cannot be read.
fn sessions(performer: &Performer<'_>) -> Vec<Session> {
    let read = || performer.store.read()?.sessions();
    read().unwrap_or_default()
}
