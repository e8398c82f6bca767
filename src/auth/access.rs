//! The token that a command returns: its owner, its expiry, and the minimum time for which it must be valid.
//!
//! Separate from [`token`](super::token()) and [`exec`](super::exec()), which differ only in where it goes.

use std::time::Duration;

use super::context::Source;
use crate::account::{Identity, Session, Tokens, User};
use crate::cli::SessionArgs;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::session::{self, Demand, Usable};
use crate::store::Store;
use crate::world::{Timestamp, World};

/// The source of a token that is not in a variable.
pub(super) const SESSION: &str = "session";

/// A usable token.
pub(super) struct AccessToken {
    pub(super) token: Secret,
    /// The instance that it belongs to.
    pub(super) instance: Origin,
    /// The user, or the organization of an organization token, as far as that is known without the server.
    pub(super) account: Option<String>,
    /// [`SESSION`], or the name of a variable.
    pub(super) source: &'static str,
    /// `None`: never, or unknown.
    pub(super) expires_at: Option<Timestamp>,
}

impl AccessToken {
    /// The token that a command refers to, refreshed if it is stale or valid for less than `min_validity`. The expiry of a
    /// token in the environment is unknown: it is used as it is.
    ///
    /// # Errors
    /// There is no token, or none that is valid for long enough.
    pub(super) fn of(
        world: &World,
        args: &SessionArgs,
        min_validity: Option<Duration>,
    ) -> anyhow::Result<AccessToken> {
        let found = match Source::of(world, args)? {
            Source::Environment(found) => AccessToken {
                account: Identity::label(&User::default(), Some(&found.token)),
                token: found.token,
                instance: found.origin,
                source: found.variable,
                expires_at: None,
            },
            Source::Session(store, session) => {
                let tokens = of_session(world, &store, &session, min_validity)?;
                AccessToken {
                    account: session.name(),
                    token: tokens.access,
                    instance: session.origin,
                    source: SESSION,
                    expires_at: tokens.expires_at,
                }
            }
        };
        if !found.token.is_token() {
            anyhow::bail!("the stored token is not a valid token");
        }
        Ok(found)
    }
}

fn of_session(
    world: &World,
    store: &Store,
    session: &Session,
    min_validity: Option<Duration>,
) -> anyhow::Result<Tokens> {
    let usable = session::usable(world, store, session, Demand::Usable)?;
    let Some(span) = min_validity else {
        return Ok(usable.into_tokens());
    };
    let origin = &session.origin;
    let too_short = |expires_at: Timestamp| {
        Failure::new(format!(
            "the token of {origin} ends at {expires_at}, which is sooner than `--min-validity` allows"
        ))
    };
    let is_new = matches!(usable, Usable::Refreshed(_));
    let tokens = usable.into_tokens();
    let Some(expires_at) = tokens.ends_within(span, world.now()) else {
        return Ok(tokens);
    };
    if tokens.refresh.is_none() {
        let what = format!(
            "{}; it is an API token, which is never refreshed",
            too_short(expires_at)
        );
        return Err(Failure::new(what).into());
    }
    // A new token would not be valid for longer, and a refresh would invalidate the old one while others use it.
    if is_new || tokens.lifetime().is_some_and(|lifetime| lifetime <= span) {
        let what = format!(
            "{}, and {origin} gives none that lives longer",
            too_short(expires_at)
        );
        return Err(Failure::new(what).into());
    }
    let session = Session {
        tokens: Some(tokens),
        ..session.clone()
    };
    // Not `Demand::Refresh`: of many concurrent commands one replaces this pair, and the others use its result.
    match session::usable(world, store, &session, Demand::Replacement)? {
        Usable::Postponed(_, why) => {
            let what = format!("{}, and it was not refreshed: {why}", too_short(expires_at));
            Err(why.with_text(what).into())
        }
        usable => {
            let tokens = usable.into_tokens();
            match tokens.ends_within(span, world.now()) {
                Some(expires_at) => Err(too_short(expires_at).into()),
                None => Ok(tokens),
            }
        }
    }
}
