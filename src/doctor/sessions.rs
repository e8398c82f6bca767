//! Each session: what is stored, what its server and the keyring say; and the clock, which the servers know.

use std::time::Duration;

use super::check::Check;
use super::snapshot::Snapshot;
use crate::account::{Freshness, Session, StaleReason, Tokens, login_command, options_for};
use crate::environment;
use crate::mirror::Mirror;
use crate::oauth::{Check as Verdict, OAuth};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::world::{Timestamp, World};

/// How far apart two clocks may be; a mail takes longer.
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
    let mut questions: Vec<Question<'_>> = Vec::new();
    if let Some(found) = &found {
        questions.push(Question {
            origin: &found.origin,
            token: &found.token,
            fix: Some(format!(
                "`unset {}`, or set it to another token",
                found.variable
            )),
        });
    }
    questions.extend(with_tokens(snapshot).map(|(session, tokens)| Question {
        origin: &session.origin,
        token: &tokens.access,
        fix: match tokens.refresh {
            _ if is_expired(world, tokens) => None,
            Some(_) => Some(refresh(session, snapshot)),
            None => Some(login(session, snapshot)),
        },
    }));
    let mut clock = Clock::default();
    for question in &questions {
        checks.push(server(world, question, &mut clock));
    }
    checks.push(clock.check(world, snapshot));
    checks.push(keyring(world, snapshot));
    checks
}

/// Whether a server is there, and takes a token.
struct Question<'a> {
    origin: &'a Origin,
    token: &'a Secret,
    /// What to do when it does not take it; `None`: the token has expired, so it should not.
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

fn stored(world: &World, session: &Session, snapshot: &Snapshot) -> Check {
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
        let what = format!("{who}: cannot be renewed, because its OAuth client id is not known");
        return Check::problem(
            NAME,
            what,
            "`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with",
        );
    }
    match (session.freshness(world.now()), state.intent, state.retry_at) {
        (Freshness::Stale(StaleReason::Interrupted), Some((_, at)), _) => Check::warning(
            NAME,
            format!("{who}: a renewal was begun at {at}, and how it ended is not known"),
            refresh(),
        ),
        (Freshness::Stale(StaleReason::Suspect), ..) => Check::warning(
            NAME,
            format!("{who}: git reported the token as rejected"),
            format!("`sentry auth status{options}` asks Sentry"),
        ),
        (Freshness::Stale(_), _, Some(retry_at)) if retry_at > world.now() => Check::warning(
            NAME,
            format!("{who}: renewing failed; the next try is after {retry_at}"),
            refresh(),
        ),
        (Freshness::Stale(_), ..) => {
            Check::ok(NAME, format!("{who}: {expires}; the next use refreshes it"))
        }
        (Freshness::Fresh, ..) => Check::ok(NAME, format!("{who}: {expires}; refreshes itself")),
    }
}

fn server(world: &World, question: &Question<'_>, clock: &mut Clock) -> Check {
    const NAME: &str = "server";
    let Question { origin, token, fix } = question;
    let (verdict, date) = OAuth::new(world, origin, "").check_with_date(token);
    clock.compare(world, origin, date);
    match verdict {
        Verdict::Accepted(_) => Check::ok(NAME, format!("{origin} accepts the token")),
        Verdict::Forbidden => Check::ok(NAME, format!("{origin} knows the token")),
        Verdict::Rejected => match fix {
            Some(fix) => Check::problem(NAME, format!("{origin} does not accept the token"), fix),
            None => Check::ok(NAME, format!("{origin} answers")),
        },
        Verdict::Unknown(why) => {
            let what = format!("cannot ask {origin}: {why}");
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

/// How our clock compares with the first server that told the time.
#[derive(Default)]
struct Clock {
    compared: Option<(String, Timestamp, Timestamp)>,
}

impl Clock {
    fn compare(&mut self, world: &World, origin: &Origin, theirs: Option<Timestamp>) {
        if let Some(theirs) = theirs {
            self.compared
                .get_or_insert_with(|| (origin.to_string(), world.now(), theirs));
        }
    }

    fn check(self, world: &World, snapshot: &Snapshot) -> Check {
        const NAME: &str = "clock";
        const FIX: &str = "`timedatectl set-ntp true`";
        if let Some((server, ours, theirs)) = &self.compared {
            let (ahead, behind) = (theirs.until(*ours), ours.until(*theirs));
            if ahead > TOLERANCE {
                let what = format!("{} seconds ahead of {server}", ahead.as_secs());
                return Check::warning(NAME, what, FIX);
            }
            if behind > TOLERANCE {
                let what = format!("{} seconds behind {server}", behind.as_secs());
                return Check::warning(NAME, what, FIX);
            }
        }
        let from_the_future = with_tokens(snapshot).find(|(_, tokens)| {
            tokens
                .issued_at
                .is_some_and(|issued_at| world.now().until(issued_at) > TOLERANCE)
        });
        match (from_the_future, self.compared) {
            // It is right now, so it was wrong then.
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
                FIX,
            ),
            (None, Some((server, ..))) => Check::ok(NAME, format!("agrees with {server}")),
            (None, None) => Check::ok(NAME, "no server told the time"),
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
        Some(mirror) if mirror.is_refused() => {
            let what = "tokens are not copied: the session bus address is not a `unix:` address";
            return Check::warning(NAME, what, FIX);
        }
        Some(mirror) if mirror.is_on() => mirror,
        _ => return Check::ok(NAME, "off"),
    };
    for (session, _) in with_tokens(snapshot) {
        match mirror.is_in_sync(session) {
            Ok(true) => {}
            Ok(false) => {
                let what = format!(
                    "the copy of the token of {} is not the stored one",
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
