//! Tokens and instances from the environment, and how they relate to what is stored.
//!
//! Separate from [`crate::environment`], which reads the variables but does not judge them.

use super::check::Check;
use super::snapshot::Snapshot;
use crate::environment;
use crate::origin::Origin;
use crate::world::World;

pub(super) fn environment(world: &World, snapshot: &Snapshot) -> [Check; 2] {
    [token(world, snapshot), instance(world, snapshot)]
}

fn token(world: &World, snapshot: &Snapshot) -> Check {
    const NAME: &str = "environment";
    let found = match environment::token(world) {
        Ok(None) => return Check::ok(NAME, "no token"),
        Ok(Some(found)) => found,
        Err(failure) => return Check::failed(NAME, &failure.into()),
    };
    let (variable, origin) = (found.variable, found.origin);
    let unset = format!("`unset {variable}`");
    if variable == "SENTRY_AUTH_TOKEN" && world.variable("SENTRY_TOKEN").is_some() {
        let what = "the token in SENTRY_AUTH_TOKEN is used, the one in SENTRY_TOKEN is not";
        return Check::warning(NAME, what, "`unset SENTRY_TOKEN`, or SENTRY_AUTH_TOKEN");
    }
    let shadowed = snapshot
        .sessions
        .iter()
        .find(|session| session.tokens.is_some() && session.origin.may_receive(&origin));
    match shadowed {
        Some(session) => Check::warning(
            NAME,
            format!(
                "the token in {variable} is used before the stored session of {}",
                session.origin
            ),
            unset,
        ),
        None => Check::ok(
            NAME,
            format!("the token in {variable} is used for {origin}"),
        ),
    }
}

/// The instance that a command without `--url` refers to.
fn instance(world: &World, snapshot: &Snapshot) -> Check {
    const NAME: &str = "instance";
    let named = match environment::instance(world) {
        Ok(named) => named,
        Err(failure) => return Check::failed(NAME, &failure.into()),
    };
    let Some(named) = named else {
        let active = snapshot.sessions.iter().find(|session| session.active);
        return Check::ok(
            NAME,
            match active {
                Some(session) => format!("{}, the active session's", session.origin),
                None => format!("{}, the default", Origin::saas()),
            },
        );
    };
    let variable = match world.variable("SENTRY_HOST") {
        Some(_) => "SENTRY_HOST",
        None => "SENTRY_URL",
    };
    let other = world
        .variable("SENTRY_URL")
        .filter(|url| Origin::from_setting(url).as_ref() != Ok(&named));
    let is_known = environment::token(world).is_ok_and(|found| found.is_some())
        || snapshot
            .sessions
            .iter()
            .any(|session| named.may_receive(&session.origin));
    if other.is_some() {
        let what =
            format!("{named}: SENTRY_HOST overrides SENTRY_URL, which names another instance");
        Check::warning(NAME, what, "`unset SENTRY_HOST`, or SENTRY_URL")
    } else if !is_known && environment::client_id(world, &named).is_none() {
        let what = format!("{named}, from {variable}; a login there needs SENTRY_CLIENT_ID too");
        Check::warning(
            NAME,
            what,
            "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance, or `sentry auth login --with-token`",
        )
    } else {
        Check::ok(NAME, format!("{named}, from {variable}"))
    }
}
