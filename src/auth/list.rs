//! `sentry auth list`: lists the stored accounts.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::context::ConfigDir;
use super::output::{print, print_json, say};
use crate::account::{Identity, Session, short_id};
use crate::cli::Format;
use crate::printable::printable;
use crate::world::World;

pub(crate) fn list(world: &World, format: Format) -> anyhow::Result<ExitCode> {
    let sessions = ConfigDir::of(world)?.sessions()?;
    match format {
        Format::Json => print_json(
            &sessions
                .iter()
                .map(|session| to_json(world, session))
                .collect(),
        )?,
        Format::Text if sessions.is_empty() => say("no sessions\nhint: `sentry auth login`"),
        Format::Text => {
            let lines: Vec<String> = sessions
                .iter()
                .map(|session| to_text(world, session, &sessions))
                .collect();
            print(&lines.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn state(world: &World, session: &Session) -> &'static str {
    match &session.tokens {
        None => "ended",
        Some(tokens) if tokens.refresh.is_some() => "refreshed automatically",
        Some(tokens)
            if tokens
                .expires_at
                .is_some_and(|expires_at| expires_at <= world.now()) =>
        {
            "expired"
        }
        Some(_) => "API token",
    }
}

pub(super) fn to_text(world: &World, session: &Session, sessions: &[Session]) -> String {
    let mark = if session.active { "*" } else { " " };
    let is_duplicate = |other: &Session| {
        other.account != session.account
            && other.origin == session.origin
            && other.label() == session.label()
    };
    let id = printable(short_id(session, sessions));
    let who = match session.name() {
        // Two lines must not read the same.
        Some(name) if sessions.iter().any(is_duplicate) => format!("{name}  {id}"),
        Some(name) => name,
        None => id,
    };
    format!(
        "{mark} {}  {who}  ({})",
        session.origin,
        state(world, session)
    )
}

pub(super) fn to_json(world: &World, session: &Session) -> Value {
    let organization = match session.identity() {
        Some(Identity::Organization(slug)) => Some(slug),
        _ => None,
    };
    json!({
        "instance": session.origin.to_string(),
        "active": session.active,
        "account": session.account,
        "user": session.name(),
        "email": session.user.email,
        "organization": organization,
        "state": state(world, session).to_lowercase().replace(' ', "_"),
        "expires_at": session.tokens.as_ref().and_then(|tokens| tokens.expires_at).map(|time| time.to_string()),
    })
}
