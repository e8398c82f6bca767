//! `sentry auth list`: lists the stored accounts.

use std::process::ExitCode;

use serde::Serialize;

use super::context::ConfigDir;
use super::output::{print, print_json, say};
use crate::account::{Identity, Session, short_id};
use crate::cli::Format;
use crate::origin::Origin;
use crate::printable::printable;
use crate::world::{Timestamp, World};

/// An account with `--json`.
#[derive(Serialize)]
pub(super) struct Account<'a> {
    instance: &'a Origin,
    active: bool,
    account: &'a str,
    user: Option<String>,
    email: Option<&'a str>,
    organization: Option<String>,
    state: String,
    expires_at: Option<Timestamp>,
}

pub(crate) fn list(world: &World, format: Format) -> anyhow::Result<ExitCode> {
    let sessions = ConfigDir::of(world)?.sessions()?;
    match format {
        Format::Json => {
            let accounts = sessions.iter().map(|session| Account::of(world, session));
            print_json(&accounts.collect::<Vec<_>>())?;
        }
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

impl<'a> Account<'a> {
    pub(super) fn of(world: &World, session: &'a Session) -> Account<'a> {
        Account {
            instance: &session.origin,
            active: session.active,
            account: &session.account,
            user: session.name(),
            email: session.user.email.as_deref(),
            organization: match session.identity() {
                Some(Identity::Organization(slug)) => Some(slug),
                _ => None,
            },
            state: state(world, session).to_lowercase().replace(' ', "_"),
            expires_at: session.tokens.as_ref().and_then(|tokens| tokens.expires_at),
        }
    }
}
