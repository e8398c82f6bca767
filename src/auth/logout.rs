//! `sentry auth logout`: here and in the keyring. Sentry has no revocation endpoint for public clients.

use std::process::ExitCode;

use super::hosts::forget;
use super::{Place, say};
use crate::account::Session;
use crate::cli::LogoutArgs;
use crate::environment;
use crate::login::not_logged_in;
use crate::mirror::Mirror;
use crate::origin::Origin;
use crate::session;
use crate::world::World;

pub(super) fn logout(world: &World, args: &LogoutArgs) -> anyhow::Result<ExitCode> {
    let place = Place::of(world)?;
    if let Some(store) = &place.store {
        // A login that waits to be stored is one to end, too.
        session::import_waiting(world, store)?;
    }
    let doomed: Vec<Session> = match args.all {
        true => place.sessions()?,
        false => {
            let (instance, session) = place.session(world, args.instance.url.as_ref())?;
            match session {
                Some(session) => vec![session],
                None => {
                    // What git stored since is no login, and would be answered like one.
                    forget(world, &place, |server, bindings| {
                        server.is_of(&instance, bindings)
                    })?;
                    return still_in_force(world, not_logged_in(&instance).to_string());
                }
            }
        }
    };
    let mut complete = true;
    for session in &doomed {
        // A refresh that is under way ends first, and its new pair goes too.
        forget(world, &place, |server, bindings| {
            server.ends_with(session, bindings)
        })?;
        let next = match &place.store {
            Some(store) => session::log_out(world, store, session)?,
            None => None,
        };
        if let Some(store) = &place.store {
            complete &= Mirror::to_clear(world, store).remove(session);
        }
        say(&format!("logged out of {}", session.origin));
        if let Some(next) = next.filter(|_| !args.all) {
            say(&format!(
                "the session of {} is the active one now",
                next.origin
            ));
        }
        // Sentry lists what a person approved apart from the tokens that they made.
        let is_api_token = session
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.refresh.is_none());
        let page = if is_api_token {
            "api/auth-tokens"
        } else {
            "authorizations"
        };
        let settings = format!("{}/settings/account", session.origin);
        say(&format!(
            "hint: {settings}/{page}/ shows what Sentry still allows"
        ));
    }
    if args.all {
        forget(world, &place, |server, bindings| {
            server.binding(bindings).is_some() || server.is_of(&Origin::saas(), bindings)
        })?;
    }
    if doomed.is_empty() {
        return still_in_force(world, "not logged in".to_owned());
    }
    match environment::token(world) {
        Ok(None) if complete => Ok(ExitCode::SUCCESS),
        Ok(None) => Ok(ExitCode::FAILURE),
        _ => still_in_force(world, String::new()),
    }
}

/// A token in the environment goes on working whatever is removed here.
fn still_in_force(world: &World, otherwise: String) -> anyhow::Result<ExitCode> {
    match environment::token(world)? {
        Some(found) => say(&format!(
            "error: the token in {} is still used\nhint: `unset {}`",
            found.variable, found.variable
        )),
        None => say(&otherwise),
    }
    Ok(ExitCode::FAILURE)
}
