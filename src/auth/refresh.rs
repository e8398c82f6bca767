//! `sentry auth refresh`: refreshes the token if it is due, or with `--force` in any case.

use std::process::ExitCode;

use serde_json::json;

use super::context::Source;
use super::output::{print_json, say};
use crate::account::Freshness;
use crate::cli::RefreshArgs;
use crate::failure::Failure;
use crate::session::{self, Demand, Usable};
use crate::world::{Timestamp, World};

pub(crate) fn refresh(world: &World, args: &RefreshArgs) -> anyhow::Result<ExitCode> {
    let (store, session) = match Source::of(world, &args.instance)? {
        Source::Session(store, session) => (store, *session),
        Source::Environment(found) => {
            let what = format!(
                "the token in {} is used as it is; only a stored session can be refreshed",
                found.variable
            );
            let hint = format!("`unset {}`", found.variable);
            return Err(Failure::new(what).hint(hint).into());
        }
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
    let usable = match is_due {
        true => session::usable(world, &store, &session, Demand::Refresh)?,
        // Sentry may have ended the token before its expiry.
        false => session::checked(world, &store, &session)?.0,
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
        let expires = match until {
            Some(time) => format!("expires at {time}"),
            None => "does not expire".to_owned(),
        };
        match refreshed {
            true => say(&format!(
                "the token of {} was refreshed; it {expires}",
                session.origin
            )),
            false => say(&format!(
                "the token of {} is not due for a refresh; it {expires}",
                session.origin
            )),
        }
    }
    Ok(ExitCode::SUCCESS)
}
