//! `sentry auth whoami`: prints the user as the server reports it, or the organization of an organization token.

use std::process::ExitCode;

use serde::Serialize;

use super::context::Source;
use super::output::{print, print_json};
use crate::account::{Identity, User};
use crate::cli::{Format, WhoamiArgs};
use crate::failure::Failure;
use crate::oauth::{Check, OAuth};
use crate::origin::Origin;
use crate::session;
use crate::world::World;

/// The owner of the token, with `--json`.
#[derive(Serialize)]
struct Owner<'a> {
    instance: &'a Origin,
    id: Option<&'a str>,
    username: Option<&'a str>,
    email: Option<&'a str>,
    name: Option<&'a str>,
    organization: Option<String>,
}

pub(crate) fn whoami(world: &World, args: &WhoamiArgs) -> anyhow::Result<ExitCode> {
    let mut variable = None;
    let (origin, token, known, check) = match Source::of(world, &args.instance)? {
        Source::Environment(found) => {
            let check = OAuth::new(world, &found.origin, "").check(&found.token);
            variable = Some(found.variable);
            (found.origin, found.token, User::default(), check)
        }
        Source::Session(store, session) => {
            let (usable, check) = session::checked(world, &store, &session)?;
            let token = usable.into_tokens().access;
            (session.origin, token, session.user, check)
        }
    };
    let user = match check {
        Check::Accepted(user) if user != User::default() => user,
        Check::Accepted(_) | Check::Forbidden => known,
        Check::Rejected => {
            let failure = Failure::new(format!("{origin} does not accept the token"));
            return Err(match variable {
                Some(variable) => {
                    failure.hint(format!("`unset {variable}`, or set it to another token"))
                }
                None => failure,
            }
            .into());
        }
        Check::Unknown(why) => {
            let what = format!("cannot check the token with {origin}: {why}");
            return Err(why.with_text(what).into());
        }
    };
    let organization = match Identity::of(&user, Some(&token)) {
        Some(Identity::Organization(slug)) => Some(slug),
        _ => None,
    };
    match args.json.into() {
        Format::Json => print_json(&Owner {
            instance: &origin,
            id: user.id.as_deref(),
            username: user.username.as_deref(),
            email: user.email.as_deref(),
            name: user.name.as_deref(),
            organization,
        })?,
        Format::Text => match Identity::label(&user, Some(&token)) {
            Some(label) => print(&label)?,
            None => anyhow::bail!("{origin} does not report the owner of this token"),
        },
    }
    Ok(ExitCode::SUCCESS)
}
