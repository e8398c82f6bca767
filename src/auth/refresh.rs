//! `sentry auth refresh`: renew now if due, or with `--force` in any case.

use std::process::ExitCode;

use serde_json::json;

use super::{Place, print_json, say};
use crate::account::{Freshness, Session};
use crate::cli::RefreshArgs;
use crate::environment;
use crate::failure::Failure;
use crate::login::not_logged_in;
use crate::oauth::{Check, OAuth};
use crate::session::{self, Demand, TokenError, Usable};
use crate::world::{Timestamp, World};

pub(super) fn refresh(world: &World, args: &RefreshArgs) -> anyhow::Result<ExitCode> {
    if let Some(found) = environment::token(world)? {
        let what = format!(
            "the token in {} is used as it is; only a stored session can be refreshed",
            found.variable
        );
        return Err(Failure::new(what)
            .hint(format!("`unset {}`", found.variable))
            .into());
    }
    let place = Place::of(world)?;
    let (instance, session) = place.session(world, args.instance.url.as_ref())?;
    let (Some(store), Some(session)) = (&place.store, session) else {
        return Err(not_logged_in(&instance).into());
    };
    if session
        .tokens
        .as_ref()
        .is_some_and(|tokens| tokens.refresh.is_none())
    {
        let what = format!(
            "the session of {} is an API token, which is never refreshed",
            session.origin
        );
        return Err(Failure::new(what).into());
    }
    let is_due = args.force || session.freshness(world.now()) != Freshness::Fresh;
    let demand = match is_due {
        true => Demand::Refresh,
        // Sentry may have shortened its life.
        false if is_refused(world, &session) => Demand::Replacement,
        false => Demand::Usable,
    };
    let usable = match session::usable(world, store, &session, demand) {
        Ok(usable) => usable,
        Err(TokenError::LoginRequired(failure)) => return Err(failure.into()),
        Err(TokenError::Unavailable(error)) => return Err(error),
    };
    let refreshed = match &usable {
        Usable::Postponed(_, failure) => return Err(failure.clone().into()),
        Usable::Refreshed(_) => true,
        Usable::Current(_) => false,
    };
    let until = usable
        .into_tokens()
        .expires_at
        .map(|time: Timestamp| time.to_string());
    if args.json {
        print_json(
            &json!({"refreshed": refreshed, "instance": session.origin.to_string(), "expires_at": until}),
        )?;
    } else {
        let until = until.map_or_else(
            || "without an end".to_owned(),
            |until| format!("until {until}"),
        );
        match refreshed {
            true => say(&format!(
                "the token of {} was renewed; it is good {until}",
                session.origin
            )),
            false => say(&format!(
                "the token of {} is not due; it is good {until}",
                session.origin
            )),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_refused(world: &World, session: &Session) -> bool {
    session.tokens.as_ref().is_some_and(|tokens| {
        let check = OAuth::new(world, &session.origin, "").check(&tokens.access);
        matches!(check, Check::Rejected)
    })
}
