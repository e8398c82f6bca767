//! `sentry auth switch`: makes another account the active one.

use std::process::ExitCode;

use super::context::{ConfigDir, ambiguous, described, only_one_at};
use super::output::say;
use crate::account::{self, Session};
use crate::failure::Failure;
use crate::login::not_logged_in;
use crate::origin::Origin;
use crate::world::World;

/// What is typed before an account's id.
const COMMAND: &str = "sentry auth switch ";

pub(crate) fn switch(world: &World, name: &str) -> anyhow::Result<ExitCode> {
    let config = ConfigDir::of(world)?;
    let sessions = config.sessions()?;
    let session = selected(&sessions, name)?;
    config.change(world, |change| change.activate(session, world.now()))?;
    say(&format!(
        "the session of {} is the active one now",
        described(session, &sessions)
    ));
    Ok(ExitCode::SUCCESS)
}

/// The account of this name, or the only one at this instance. A bare host may also be a user name, which comes first.
fn selected<'a>(sessions: &'a [Session], name: &str) -> Result<&'a Session, Failure> {
    let what = format!("`{name}`");
    let is_url = name.contains("://");
    let candidates = match is_url {
        true => Vec::new(),
        false => account::called(sessions, name),
    };
    match candidates[..] {
        [session] => return Ok(session),
        [] => {}
        _ => {
            return Err(ambiguous(&what, &candidates, sessions, COMMAND));
        }
    }
    let instance = Origin::from_setting(name);
    let unknown = || {
        Failure::new(format!(
            "no account is called {what}; `sentry auth list` shows them"
        ))
    };
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) if is_url => return Err(Failure::new(format!("{what}: {error}"))),
        Err(_) => return Err(unknown()),
    };
    match only_one_at(&instance, sessions, COMMAND)? {
        Some(session) => Ok(session),
        None if is_url || name.contains(['.', ':']) => Err(not_logged_in(&instance)),
        None => Err(unknown()),
    }
}
