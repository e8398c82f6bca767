//! Each session: its stored state, and what its server and the keyring report; and the clock, compared with the
//! servers'.
//!
//! Separate from [`super::network`], which contacts no server, and [`super::reach`], which has no token.

use std::time::Duration;

use super::check::Check;
use super::network::instances;
use super::reach::reach;
use super::snapshot::Snapshot;
use crate::account::{Freshness, Session, StaleReason, Tokens, login_command, options_for};
use crate::environment;
use crate::mirror::Mirror;
use crate::oauth::{self, Check as Verdict, OAuth};
use crate::origin::Origin;
use crate::platform::process;
use crate::secret::Secret;
use crate::world::{Timestamp, World};

/// Largest difference between two clocks that is accepted.
const TOLERANCE: Duration = Duration::from_secs(300);

pub(super) fn sessions(world: &World, snapshot: &Snapshot) -> Vec<Check> {
    let found = environment::token(world).ok().flatten();
    let mut checks: Vec<Check> = snapshot
        .sessions
        .iter()
        .map(|session| stored(world, session, snapshot))
        .collect();
    if checks.is_empty() && !snapshot.unread {
        checks.push(match &found {
            Some(_) => Check::ok("session", "none is stored"),
            None => Check::warning("session", "not logged in", "`sentry auth login`"),
        });
    }
    let mut token_checks: Vec<TokenCheck<'_>> = Vec::new();
    if let Some(found) = &found {
        token_checks.push(TokenCheck {
            origin: &found.origin,
            token: &found.token,
            fix: Some(format!(
                "`unset {}`, or set it to another token",
                found.variable
            )),
        });
    }
    token_checks.extend(with_tokens(snapshot).map(|(session, tokens)| TokenCheck {
        origin: &session.origin,
        token: &tokens.access,
        fix: match tokens.refresh {
            _ if is_expired(world, tokens) => None,
            Some(_) => Some(refresh(session, snapshot)),
            None => Some(login(session, snapshot)),
        },
    }));
    let mut clock = Clock::default();
    for token_check in &token_checks {
        checks.push(server(world, token_check, &mut clock));
    }
    for instance in instances(world, snapshot) {
        let is_asked = token_checks.iter().any(|check| *check.origin == instance);
        // That a setting cannot be used is reported with the route.
        if is_asked || snapshot.unread || oauth::describe_route(world, &instance).is_err() {
            continue;
        }
        let (check, date) = reach(world, &instance);
        clock.compare(world, &instance, date);
        checks.push(check);
    }
    checks.push(clock.check(world, snapshot));
    checks.push(keyring(world, snapshot));
    checks
}

/// A check of one token with its server.
struct TokenCheck<'a> {
    origin: &'a Origin,
    token: &'a Secret,
    /// The hint if the server rejects the token; `None` if the token has expired, so that a rejection is expected.
    fix: Option<String>,
}

fn with_tokens(snapshot: &Snapshot) -> impl Iterator<Item = (&Session, &Tokens)> {
    snapshot
        .sessions
        .iter()
        .filter_map(|session| Some((session, session.tokens.as_ref()?)))
}

fn is_expired(world: &World, tokens: &Tokens) -> bool {
    tokens
        .expires_at
        .is_some_and(|expires_at| expires_at <= world.now())
}

fn login(session: &Session, snapshot: &Snapshot) -> String {
    format!("`{} --force`", login_command(session, &snapshot.sessions))
}

fn refresh(session: &Session, snapshot: &Snapshot) -> String {
    let options = options_for(session, &snapshot.sessions);
    format!("`sentry auth refresh --force{options}`")
}

pub(super) fn stored(world: &World, session: &Session, snapshot: &Snapshot) -> Check {
    const NAME: &str = "session";
    let origin = &session.origin;
    let who = match session.user.label() {
        Some(label) => format!("{label} at {origin}"),
        None => origin.to_string(),
    };
    let Some(tokens) = &session.tokens else {
        return Check::problem(NAME, format!("{who} has ended"), login(session, snapshot));
    };
    let expires = match tokens.expires_at {
        Some(time) => format!("expires at {time}"),
        None => "does not expire".to_owned(),
    };
    if tokens.refresh.is_none() {
        return match is_expired(world, tokens) {
            true => Check::problem(
                NAME,
                format!("{who}: the API token has expired"),
                login(session, snapshot),
            ),
            false => Check::ok(NAME, format!("{who}: an API token, {expires}")),
        };
    }
    let options = options_for(session, &snapshot.sessions);
    let refresh = || format!("`sentry auth refresh{options}`");
    let state = &session.refresh_state;
    if state.client_id.is_none() && environment::client_id(world, origin).is_none() {
        let what = format!("{who}: cannot be refreshed, because its OAuth client id is not known");
        return Check::problem(
            NAME,
            what,
            "`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with",
        );
    }
    match (session.freshness(world.now()), state.intent, state.retry_at) {
        (Freshness::Stale(StaleReason::Interrupted), Some((_, at)), _) => Check::warning(
            NAME,
            format!("{who}: a refresh was begun at {at}, and its outcome is unknown"),
            refresh(),
        ),
        (Freshness::Stale(StaleReason::Suspect), ..) => Check::warning(
            NAME,
            format!("{who}: git reported the token as rejected"),
            format!("`sentry auth status{options}` asks Sentry"),
        ),
        (Freshness::Stale(_), _, Some(retry_at)) if retry_at > world.now() => Check::warning(
            NAME,
            format!("{who}: the last refresh failed; the next attempt is after {retry_at}"),
            refresh(),
        ),
        (Freshness::Stale(_), ..) => {
            Check::ok(NAME, format!("{who}: {expires}; the next use refreshes it"))
        }
        (Freshness::Fresh, ..) => {
            Check::ok(NAME, format!("{who}: {expires}; refreshed automatically"))
        }
    }
}

fn server(world: &World, token_check: &TokenCheck<'_>, clock: &mut Clock) -> Check {
    const NAME: &str = "server";
    let TokenCheck { origin, token, fix } = token_check;
    let (verdict, date) = OAuth::new(world, origin, "").check_with_date(token);
    clock.compare(world, origin, date);
    match verdict {
        Verdict::Accepted(_) => Check::ok(NAME, format!("{origin} accepts the token")),
        Verdict::Forbidden => Check::ok(NAME, format!("{origin} recognizes the token")),
        Verdict::Rejected => match fix {
            Some(fix) => Check::problem(NAME, format!("{origin} does not accept the token"), fix),
            None => Check::ok(NAME, format!("{origin} answers")),
        },
        Verdict::Unknown(why) => {
            let what = format!("cannot check the token with {origin}: {why}");
            match why.hint_text() {
                Some(_) => Check::failed(NAME, &why.with_text(what).into()),
                None => {
                    let more = format!("{what}; `curl -v {origin}/api/0/` shows more");
                    Check::fault(NAME, more)
                }
            }
        }
    }
}

/// Compares our clock with that of the first server that reported its time.
#[derive(Default)]
struct Clock {
    compared: Option<(String, Timestamp, Timestamp)>,
}

impl Clock {
    fn compare(&mut self, world: &World, origin: &Origin, server_time: Option<Timestamp>) {
        if let Some(server_time) = server_time {
            self.compared
                .get_or_insert_with(|| (origin.to_string(), world.now(), server_time));
        }
    }

    fn check(self, world: &World, snapshot: &Snapshot) -> Check {
        const NAME: &str = "clock";
        let set_clock = format!("`{}`", process::SET_CLOCK);
        if let Some((server, ours, server_time)) = &self.compared {
            let (ahead, behind) = (server_time.until(*ours), ours.until(*server_time));
            if ahead > TOLERANCE {
                let what = format!("{} seconds ahead of {server}", ahead.as_secs());
                return Check::warning(NAME, what, set_clock);
            }
            if behind > TOLERANCE {
                let what = format!("{} seconds behind {server}", behind.as_secs());
                return Check::warning(NAME, what, set_clock);
            }
        }
        let from_the_future = with_tokens(snapshot).find(|(_, tokens)| {
            tokens
                .issued_at
                .is_some_and(|issued_at| world.now().until(issued_at) > TOLERANCE)
        });
        match (from_the_future, self.compared) {
            // The clock is right now, so it was wrong then.
            (Some((session, _)), Some(_)) => Check::warning(
                NAME,
                format!(
                    "the token of {} was issued in the future: this clock was wrong then",
                    session.origin
                ),
                refresh(session, snapshot),
            ),
            (Some((session, _)), None) => Check::warning(
                NAME,
                format!(
                    "the token of {} was issued in the future: this clock was wrong then, or is now",
                    session.origin
                ),
                set_clock,
            ),
            (None, Some((server, ..))) => Check::ok(NAME, format!("agrees with {server}")),
            (None, None) => Check::ok(NAME, "no server reported the time"),
        }
    }
}

fn keyring(world: &World, snapshot: &Snapshot) -> Check {
    const NAME: &str = "keyring";
    const FIX: &str = "`export SENTRY_CREDENTIAL_KEYRING=off`, or unlock it";
    let mirror = match snapshot
        .store
        .as_ref()
        .map(|store| Mirror::of(world, store))
    {
        Some(mirror) => match mirror.refusal() {
            Some(why) => {
                let what = format!("tokens are not copied: {why}");
                return Check::warning(NAME, what, FIX);
            }
            None if mirror.is_on() => mirror,
            None => return Check::ok(NAME, "off"),
        },
        None => return Check::ok(NAME, "off"),
    };
    for (session, _) in with_tokens(snapshot) {
        match mirror.is_in_sync(session) {
            Ok(true) => {}
            Ok(false) => {
                let what = format!(
                    "the copy of the token of {} differs from the stored one",
                    session.origin
                );
                return Check::warning(NAME, what, refresh(session, snapshot));
            }
            Err(why) => {
                return Check::warning(NAME, format!("tokens cannot be copied: {why}"), FIX);
            }
        }
    }
    Check::ok(NAME, "in sync")
}
