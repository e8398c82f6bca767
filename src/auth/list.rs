//! `sentry auth list`: the sessions that are stored.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Place, print, print_json, say};
use crate::account::Session;
use crate::cli::Format;
use crate::world::World;

pub(super) fn list(world: &World, format: Format) -> anyhow::Result<ExitCode> {
    let sessions = Place::of(world)?.sessions()?;
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
                .map(|session| to_text(world, session))
                .collect();
            print(&lines.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn state(world: &World, session: &Session) -> &'static str {
    match &session.tokens {
        None => "ended",
        Some(tokens) if tokens.refresh.is_some() => "renews itself",
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

fn to_text(world: &World, session: &Session) -> String {
    let mark = if session.active { "*" } else { " " };
    let user = session.user.label().unwrap_or("unknown");
    format!(
        "{mark} {}  {user}  ({})",
        session.origin,
        state(world, session)
    )
}

fn to_json(world: &World, session: &Session) -> Value {
    json!({
        "instance": session.origin.to_string(),
        "active": session.active,
        "user": session.user.label(),
        "state": state(world, session).to_lowercase().replace(' ', "_"),
        "expires_at": session.tokens.as_ref().and_then(|tokens| tokens.expires_at).map(|time| time.to_string()),
    })
}
