//! Renders a status, as text and as JSON.
//!
//! Separate from finding it out, which needs the store, the server and the keyring.

use serde::Serialize;

use super::{Keyring, SESSION, Status, Verified};
use crate::account::Identity;
use crate::origin::Origin;
use crate::world::Timestamp;

/// A login with `--json`.
#[derive(Serialize)]
pub(super) struct Object<'a> {
    authenticated: bool,
    verified: bool,
    instance: &'a Origin,
    user: Owner<'a>,
    organizations: Option<&'a [String]>,
    source: &'a str,
    shadows: Option<&'a Origin>,
    scopes: Option<&'a [String]>,
    storage: Option<&'a str>,
    expires_at: Option<Timestamp>,
    automatic_refresh: bool,
    keyring: Keyring,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// The user of a login, with `--json`.
#[derive(Serialize)]
struct Owner<'a> {
    id: Option<&'a str>,
    username: Option<&'a str>,
    email: Option<&'a str>,
    name: Option<&'a str>,
}

impl Status {
    /// The user, or the organization of an organization token.
    fn label(&self) -> Option<String> {
        Identity::label(&self.user, Some(&self.token))
    }

    /// The first three lines are documented for Sentry's CLI, character by character.
    pub(super) fn to_text(&self, show_token: bool) -> String {
        let organizations = self
            .organizations
            .as_deref()
            .map_or_else(|| "unknown".to_owned(), |slugs| slugs.join(", "));
        let mut lines = match self.verified {
            Verified::Rejected => vec![format!(
                "Not authenticated: {} does not accept the token",
                self.instance
            )],
            Verified::Yes | Verified::No(_) => vec![
                format!(
                    "Authenticated as: {}",
                    self.label().as_deref().unwrap_or("unknown")
                ),
                format!("Organization: {organizations}"),
                format!("Token expires: {}", self.expiry()),
            ],
        };
        lines.extend([
            String::new(),
            format!("Instance: {}", self.instance),
            format!("Source: {}", self.source_text()),
        ]);
        if let Some(scopes) = &self.scopes {
            lines.push(format!("Scopes: {}", scopes.join(", ")));
        }
        if let Some(storage) = &self.storage {
            lines.push(format!("Storage: {storage}"));
        }
        lines.push(format!(
            "Refresh: {}",
            if self.is_refreshed {
                "automatic"
            } else {
                "none"
            }
        ));
        lines.push(format!(
            "Keyring: {}",
            match self.keyring {
                Keyring::Off => "off",
                Keyring::InSync => "mirror, in sync",
                Keyring::OutOfSync => "mirror, out of sync (the next refresh fixes it)",
                Keyring::Unavailable => "mirror, but the keyring does not respond",
            }
        ));
        if let Verified::No(why) = &self.verified {
            lines.push(format!("Verified: no ({why})"));
        }
        if show_token {
            lines.push(format!("Token: {}", self.token.expose()));
        }
        lines.join("\n")
    }

    /// A session without a time is an API token, which does not expire; of a variable's token nothing is known.
    fn expiry(&self) -> String {
        match (self.expires_at, self.source) {
            (Some(time), _) => date(time),
            (None, SESSION) => "never".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }

    fn source_text(&self) -> String {
        match (&self.shadows, self.source) {
            (Some(origin), variable) => {
                format!("{variable} (before the stored session of {origin})")
            }
            (None, SESSION) => "stored session".to_owned(),
            (None, variable) => variable.to_owned(),
        }
    }

    pub(super) fn to_json(&self, show_token: bool) -> Object<'_> {
        Object {
            authenticated: !matches!(self.verified, Verified::Rejected),
            verified: matches!(self.verified, Verified::Yes),
            instance: &self.instance,
            user: Owner {
                id: self.user.id.as_deref(),
                username: self.user.username.as_deref(),
                email: self.user.email.as_deref(),
                name: self.user.name.as_deref(),
            },
            organizations: self.organizations.as_deref(),
            source: self.source,
            shadows: self.shadows.as_ref(),
            scopes: self.scopes.as_deref(),
            storage: self.storage.as_deref(),
            expires_at: self.expires_at,
            automatic_refresh: self.is_refreshed,
            keyring: self.keyring,
            token: show_token.then(|| self.token.expose()),
        }
    }
}

fn date(time: Timestamp) -> String {
    time.to_string()
        .chars()
        .take_while(|character| *character != 'T')
        .collect()
}
