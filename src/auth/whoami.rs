//! `sentry auth whoami`: the user, as the server knows them.

use std::process::ExitCode;

use serde_json::json;

use super::{Place, print, print_json};
use crate::account::User;
use crate::cli::{Format, WhoamiArgs};
use crate::environment;
use crate::login::not_logged_in;
use crate::oauth::{Check, OAuth};
use crate::session;
use crate::world::World;

pub(super) fn whoami(world: &World, args: &WhoamiArgs) -> anyhow::Result<ExitCode> {
    let url = args.instance.url.as_ref();
    let environment = environment::token(world)?
        .filter(|found| url.is_none_or(|url| url.may_receive(&found.origin)));
    let (origin, known, check) = match environment {
        Some(found) => {
            let check = OAuth::new(world, &found.origin, "").check(&found.token);
            (found.origin, User::default(), check)
        }
        None => {
            let place = Place::of(world)?;
            let (instance, session) = place.session(world, url)?;
            let (Some(store), Some(session)) = (&place.store, session) else {
                return Err(not_logged_in(&instance).into());
            };
            let (_, check) = session::checked(world, store, &session)?;
            (session.origin, session.user, check)
        }
    };
    let user = match check {
        Check::Accepted(user) if user != User::default() => user,
        Check::Accepted(_) | Check::Forbidden => known,
        Check::Rejected => anyhow::bail!("{origin} does not accept the token"),
        Check::Unknown(why) => anyhow::bail!("cannot ask {origin}: {why}"),
    };
    match args.json.into() {
        Format::Json => print_json(&json!({
            "instance": origin.to_string(),
            "id": user.id, "username": user.username, "email": user.email, "name": user.name,
        }))?,
        Format::Text => match user.label() {
            Some(label) => print(label)?,
            None => anyhow::bail!("{origin} does not say whose token this is"),
        },
    }
    Ok(ExitCode::SUCCESS)
}
