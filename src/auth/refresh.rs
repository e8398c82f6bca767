//! `sentry auth refresh`: refreshes the token if it is due, or with `--force` in any case; changes its scopes by a new login.

use std::process::ExitCode;

use serde::Serialize;

use super::context::Source;
use super::login::scopes;
use super::output::{print_json, say};
use crate::account::{Freshness, Session};
use crate::cli::RefreshArgs;
use crate::environment;
use crate::failure::Failure;
use crate::login::{Approver, DeviceLogin, LoggedIn, NotLoggedIn, TIMEOUT};
use crate::origin::Origin;
use crate::session::{self, Demand, Usable};
use crate::store::Store;
use crate::terminal::{Browser, Terminal};
use crate::world::{Timestamp, World};

/// The result with `--json`.
#[derive(Serialize)]
struct Refreshed<'a> {
    refreshed: bool,
    instance: &'a Origin,
    expires_at: Option<Timestamp>,
}

pub(crate) fn refresh(world: &World, args: &RefreshArgs) -> anyhow::Result<ExitCode> {
    let (store, session) = refreshable(world, args)?;
    if args.read_only || !args.scope.is_empty() {
        return with_scopes(world, &store, &session, args);
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
    let expires_at = usable.into_tokens().expires_at;
    if args.json {
        print_json(&Refreshed {
            refreshed,
            instance: &session.origin,
            expires_at,
        })?;
    } else {
        let expires = match expires_at {
            Some(time) => format!("expires at {time}"),
            None => "does not expire".to_owned(),
        };
        let outcome = match refreshed {
            true => "was refreshed",
            false => "is not due for a refresh",
        };
        say(&format!(
            "the token of {} {outcome}; it {expires}",
            session.origin
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The stored session to refresh.
///
/// # Errors
/// The token is one that is never refreshed: a variable's, or an API token.
fn refreshable(world: &World, args: &RefreshArgs) -> anyhow::Result<(Store, Session)> {
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
    let tokens = session.tokens.as_ref();
    // One that has expired needs a login, like any other.
    if tokens.is_some_and(|tokens| tokens.refresh.is_none() && !tokens.is_expired(world.now())) {
        let what = format!(
            "the session of {} is an API token, which is never refreshed",
            session.origin
        );
        return Err(Failure::new(what).into());
    }
    Ok((store, session))
}

/// Logs in for these scopes and replaces the session, if the same user approves the login. A refresh cannot change the
/// scopes of a token.
fn with_scopes(
    world: &World,
    store: &Store,
    session: &Session,
    args: &RefreshArgs,
) -> anyhow::Result<ExitCode> {
    let (origin, url) = (&session.origin, args.instance.url.as_ref());
    let recorded = session.refresh_state.client_id.as_ref();
    let client_id = recorded
        .map(|client| client.likely().to_owned())
        .or_else(|| environment::client_id_by(world, origin, url))
        .ok_or_else(|| {
            Failure::new(format!("the OAuth client id for {origin} is not known"))
                .hint("`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with")
        })?;
    let key = session.key();
    let approver = match (&session.user.email, session.identity()) {
        (Some(email), _) => Approver::Called(email),
        (None, Some(_)) => Approver::Account(&key),
        (None, None) => Approver::Any,
    };
    let scope = scopes(&args.scope, args.read_only);
    let login = DeviceLogin {
        origin,
        client_id: &client_id,
        scope: &scope,
        timeout: TIMEOUT,
        browser: Browser::Open,
        approver,
        consent: None,
    };
    let session = match login.run(world, store.directory(), &Terminal::stderr(world)) {
        Ok(LoggedIn::Here(session)) => *session,
        Ok(LoggedIn::Elsewhere) => {
            let what = format!("another process logged in to {origin} meanwhile; its scopes apply");
            return Err(Failure::new(what).into());
        }
        Err(NotLoggedIn::Denied(failure)) => return Err(failure.into()),
        Err(NotLoggedIn::Declined) => anyhow::bail!("nothing was changed"),
        Err(NotLoggedIn::Failed(error)) => return Err(error),
    };
    let expires_at = session.tokens.and_then(|tokens| tokens.expires_at);
    match args.json {
        true => print_json(&Refreshed {
            refreshed: true,
            instance: origin,
            expires_at,
        })?,
        false => say(&format!(
            "the session of {origin} was replaced by one with other scopes"
        )),
    }
    Ok(ExitCode::SUCCESS)
}
