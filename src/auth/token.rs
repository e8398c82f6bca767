//! `sentry auth token`: the usable token and a line end, nothing else.

use std::process::ExitCode;

use zeroize::Zeroizing;

use super::context::{Place, environment_token};
use crate::cli::SessionArgs;
use crate::login::not_logged_in;
use crate::secret::Secret;
use crate::session::{self, Demand};
use crate::world::{self, World};

pub(super) fn token(world: &World, args: &SessionArgs) -> anyhow::Result<ExitCode> {
    if let Some(found) = environment_token(world, args)? {
        return print(&found.token);
    }
    let place = Place::of(world)?;
    let (instance, session) = place.chosen(world, args)?;
    let (Some(store), Some(session)) = (&place.store, session) else {
        return Err(not_logged_in(&instance).into());
    };
    let usable = session::usable(world, store, &session, Demand::Usable)?;
    print(&usable.into_tokens().access)
}

fn print(token: &Secret) -> anyhow::Result<ExitCode> {
    if !token.is_token() {
        anyhow::bail!("the stored token is not one");
    }
    world::print(Zeroizing::new(format!("{}\n", token.expose())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
