//! `sentry auth status`: shows who is logged in, until when, and where the token comes from.

mod render;

use std::process::ExitCode;

use serde::Serialize;

use super::context::{ConfigDir, environment_token};
use super::output::{print, print_json, say};
use crate::account::{Session, User, login_command};
use crate::cli::StatusArgs;
use crate::environment::EnvironmentToken;
use crate::login::not_logged_in;
use crate::mirror::Mirror;
use crate::oauth::{self, Check, OAuth, Organizations};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::session::{self, Demand, TokenError, Usable};
use crate::world::{Timestamp, World};

/// The source of a token that is not in a variable.
const SESSION: &str = "session";

/// What is known about a login.
struct Status {
    instance: Origin,
    user: User,
    organizations: Option<Vec<String>>,
    token: Secret,
    expires_at: Option<Timestamp>,
    /// `session`, or the name of a variable.
    source: &'static str,
    session: Option<Session>,
    /// The stored session that the variable overrides.
    shadows: Option<Origin>,
    storage: Option<String>,
    is_refreshed: bool,
    keyring: Keyring,
    verified: Verified,
    /// The scopes of the token, if the server reported them.
    scopes: Option<Vec<String>>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Keyring {
    Off,
    InSync,
    OutOfSync,
    #[serde(rename = "silent")]
    Unavailable,
}

enum Verified {
    Yes,
    /// The server was not asked, or gave no answer, for this reason.
    No(String),
    Rejected,
}

/// No login, with `--json`.
#[derive(Serialize)]
struct Absent<'a> {
    authenticated: bool,
    instance: &'a Origin,
    error: String,
}

pub(crate) fn status(world: &World, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let config = ConfigDir::of(world)?;
    let (instance, session) = config.chosen(world, &args.instance)?;
    let environment = environment_token(world, &args.instance)?;
    let mut status = match (environment, session) {
        (Some(found), session) => of_environment(found, session.as_ref()),
        (None, Some(session)) => match of_session(world, &config, session)? {
            Ok(status) => status,
            Err(failure) => return absent(args, &instance, &failure.into()),
        },
        (None, None) => return absent(args, &instance, &not_logged_in(&instance).into()),
    };
    match args.offline {
        true => status.verified = Verified::No("not checked".into()),
        false if matches!(status.verified, Verified::No(_)) => {}
        false => status.verify(world),
    }
    if let (Verified::Rejected, Some(session), Some(store)) =
        (&status.verified, &status.session, &config.store)
    {
        // A 401 leads to one refresh; its outcome is what is reported.
        match session::usable(world, store, session, Demand::Replacement) {
            Ok(Usable::Postponed(_, failure)) => {
                return absent(args, &status.instance, &failure.into());
            }
            Ok(usable) => {
                let tokens = usable.into_tokens();
                status.expires_at = tokens.expires_at;
                status.token = tokens.access;
                status.verify(world);
            }
            Err(error) => return absent(args, &status.instance, &error.into()),
        }
    }
    if status.organizations.is_none() {
        status.organizations = status
            .token
            .claims()
            .and_then(|claims| claims.org)
            .map(|org| vec![org]);
    }
    match args.json {
        true => print_json(&status.to_json(args.show_token))?,
        false => print(&status.to_text(args.show_token))?,
    }
    // A setting that cannot be used is an error of its own, not an unreachable server.
    if let (false, Verified::No(_)) = (args.offline, &status.verified)
        && let Err(failure) = oauth::describe_route(world, &status.instance)
    {
        return Err(failure.into());
    }
    if let Verified::Rejected = status.verified {
        return report_rejected(&status, &config);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reports that Sentry does not accept the token, and how to get another one.
fn report_rejected(status: &Status, config: &ConfigDir) -> anyhow::Result<ExitCode> {
    let instance = &status.instance;
    say(&format!("error: {instance} does not accept this token"));
    say(&match status.source {
        SESSION => {
            let sessions = config.sessions()?;
            let session = status.session.as_ref();
            let login = session.map_or_else(
                || format!("sentry auth login --url {instance}"),
                |session| login_command(session, &sessions),
            );
            format!("hint: `{login} --force`")
        }
        variable => format!("hint: `unset {variable}`, or set it to another token"),
    });
    Ok(ExitCode::FAILURE)
}

fn absent(args: &StatusArgs, instance: &Origin, error: &anyhow::Error) -> anyhow::Result<ExitCode> {
    if args.json {
        print_json(&Absent {
            authenticated: false,
            instance,
            error: error.to_string(),
        })?;
    }
    say(&format!("{error}"));
    if let Some(hint) = crate::failure::hint_of(error) {
        say(&format!("hint: {hint}"));
    }
    Ok(ExitCode::FAILURE)
}

fn of_environment(found: EnvironmentToken, session: Option<&Session>) -> Status {
    Status {
        instance: found.origin,
        user: User::default(),
        organizations: None,
        token: found.token,
        expires_at: None,
        source: found.variable,
        session: None,
        shadows: session
            .filter(|session| session.tokens.is_some())
            .map(|session| session.origin.clone()),
        storage: None,
        is_refreshed: false,
        keyring: Keyring::Off,
        verified: Verified::Yes,
        scopes: None,
    }
}

fn of_session(
    world: &World,
    config: &ConfigDir,
    session: Session,
) -> anyhow::Result<Result<Status, crate::failure::Failure>> {
    let Some(store) = &config.store else {
        return Ok(Err(not_logged_in(&session.origin)));
    };
    let began = world.clock().uptime();
    let usable = session::usable(world, store, &session, Demand::Usable);
    let elapsed = world.clock().uptime().saturating_sub(began);
    let mut verified = Verified::Yes;
    let mut failed = |why: String| {
        say(&format!("warning: {why}"));
        // A server that took that long to fail is not contacted again.
        if elapsed > oauth::CONNECT {
            verified = Verified::No("not checked again".to_owned());
        }
    };
    let tokens = match usable {
        Ok(Usable::Current(tokens) | Usable::Refreshed(tokens)) => tokens,
        Ok(Usable::Postponed(tokens, why)) => {
            failed(why.to_string());
            tokens
        }
        Err(TokenError::LoginRequired(failure)) => return Ok(Err(failure)),
        // Stored, but expired: show what is known.
        Err(TokenError::Unavailable(error)) => match session.tokens.clone() {
            Some(tokens) => {
                failed(format!("{error:#}"));
                tokens
            }
            None => return Err(error),
        },
    };
    let session = Session {
        tokens: Some(tokens.clone()),
        ..session
    };
    Ok(Ok(Status {
        instance: session.origin.clone(),
        user: session.user.clone(),
        organizations: None,
        is_refreshed: tokens.refresh.is_some(),
        token: tokens.access,
        expires_at: tokens.expires_at,
        source: SESSION,
        shadows: None,
        storage: Some(store.path().display().to_string()),
        keyring: Keyring::of(&Mirror::of(world, store), &session),
        verified,
        scopes: None,
        session: Some(session),
    }))
}

impl Keyring {
    /// Whether the copy of a session in the keyring is as it should be.
    fn of(mirror: &Mirror, session: &Session) -> Keyring {
        match mirror.is_on().then(|| mirror.is_in_sync(session)) {
            None => Keyring::Off,
            Some(Ok(true)) => Keyring::InSync,
            Some(Ok(false)) => Keyring::OutOfSync,
            Some(Err(_)) => Keyring::Unavailable,
        }
    }
}

impl Status {
    fn verify(&mut self, world: &World) {
        let oauth = OAuth::new(world, &self.instance, "");
        let (check, scopes) = oauth.check_with_scopes(&self.token);
        self.scopes = scopes;
        self.verified = match check {
            Check::Accepted(user) => {
                if user != User::default() {
                    self.user = user;
                }
                if let Organizations::Known(slugs) =
                    oauth.organizations(&self.instance, &self.token)
                {
                    self.organizations = Some(slugs);
                }
                Verified::Yes
            }
            // Some API tokens may not query their owner.
            Check::Forbidden => Verified::Yes,
            Check::Rejected => Verified::Rejected,
            Check::Unknown(why) => Verified::No(why.to_string()),
        };
    }
}

#[cfg(test)]
mod tests;
