//! `sentry auth switch`: another session becomes the active one.

use std::process::ExitCode;

use super::{Place, say};
use crate::login::not_logged_in;
use crate::origin::Origin;
use crate::policy::active_account;
use crate::world::World;

pub(super) fn switch(world: &World, instance: &Origin) -> anyhow::Result<ExitCode> {
    let place = Place::of(world)?;
    let sessions = place.sessions()?;
    // The exact instance before its siblings, whichever was active.
    let exact = sessions.iter().find(|session| session.origin == *instance);
    let Some(session) = exact.or_else(|| active_account(&sessions, instance)) else {
        return Err(not_logged_in(instance).into());
    };
    place.change(world, |change| change.activate(session, world.now()))?;
    say(&format!(
        "the session of {} is the active one now",
        session.origin
    ));
    Ok(ExitCode::SUCCESS)
}
