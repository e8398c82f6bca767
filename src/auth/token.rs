//! `sentry auth token`: the usable token and a newline, nothing else.

use std::process::ExitCode;

use zeroize::Zeroizing;

use super::context::Source;
use crate::cli::SessionArgs;
use crate::secret::Secret;
use crate::session::{self, Demand};
use crate::world::{self, World};

pub(crate) fn token(world: &World, args: &SessionArgs) -> anyhow::Result<ExitCode> {
    match Source::of(world, args)? {
        Source::Environment(found) => print(&found.token),
        Source::Session(store, session) => {
            let usable = session::usable(world, &store, &session, Demand::Usable)?;
            print(&usable.into_tokens().access)
        }
    }
}

fn print(token: &Secret) -> anyhow::Result<ExitCode> {
    if !token.is_token() {
        anyhow::bail!("the stored token is not a valid token");
    }
    world::print(Zeroizing::new(format!("{}\n", token.expose())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
