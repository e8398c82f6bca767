//! A login as a value: its account, its instance, its tokens, and whether they are fresh.
//!
//! Separate from [`crate::store`], which maps it to rows, because OAuth answers and decisions use the same types; and
//! from [`crate::session`], which refreshes its tokens.

mod freshness;
mod selection;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::printable::printable;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

pub(crate) use freshness::{Freshness, StaleReason};
pub(crate) use selection::{called, is_alone, login_command, options_for, short_id};

/// One login to one instance.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its key in `helper_session`: the `account_id`, or `auth` in the old layout.
    pub(crate) account: String,
    /// The instance that issued its tokens, and the only one that refreshes them.
    pub(crate) origin: Origin,
    /// The user it belongs to.
    pub(crate) user: User,
    /// `None` once the server rejected the refresh token, or another program cleared it. A rejected pair stays in the
    /// row, because another program may still compare with it when its own answer arrives.
    pub(crate) tokens: Option<Tokens>,
    /// The session that a command without `--url` refers to.
    pub(crate) active: bool,
    /// The state of its refreshes.
    pub(crate) refresh_state: RefreshState,
}

/// The user of a session, as far as the server reported it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// Sentry's id; distinguishes accounts of one instance.
    pub(crate) id: Option<String>,
    /// E-mail address.
    pub(crate) email: Option<String>,
    /// Login name.
    pub(crate) username: Option<String>,
    /// Full name.
    pub(crate) name: Option<String>,
}

impl User {
    /// The name to display: user name, else e-mail address, else full name.
    pub(crate) fn label(&self) -> Option<&str> {
        self.username
            .as_deref()
            .or(self.email.as_deref())
            .or(self.name.as_deref())
    }

    /// Whether a user who types `name` refers to this user.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.username.as_deref() == Some(name)
            || self
                .email
                .as_deref()
                .is_some_and(|email| email.eq_ignore_ascii_case(name))
    }
}

/// The identity behind a session. Two sessions of one identity at one instance are the same account. An unknown
/// identity equals no other, and therefore has no value of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A user, by their id.
    User(String),
    /// An organization, by its slug: an organization token has no user.
    Organization(String),
}

impl Identity {
    /// The identity that an access token belongs to, where `user` is what the server reported.
    pub(crate) fn of(user: &User, access: Option<&Secret>) -> Option<Identity> {
        let claims = access.and_then(Secret::claims);
        match (claims.and_then(|claims| claims.org), &user.id) {
            (Some(slug), _) => Some(Identity::Organization(slug)),
            (_, Some(id)) => Some(Identity::User(id.clone())),
            _ => None,
        }
    }
}

impl Identity {
    /// The name to display: the user's, else the organization's.
    pub(crate) fn label(user: &User, access: Option<&Secret>) -> Option<String> {
        match (user.label(), Identity::of(user, access)) {
            (Some(label), _) => Some(label.to_owned()),
            (None, Some(Identity::Organization(slug))) => Some(printable(&slug)),
            (None, _) => None,
        }
    }
}

/// The form stored in a binding.
impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Identity::User(id) => write!(f, "user {id}"),
            Identity::Organization(slug) => write!(f, "organization {slug}"),
        }
    }
}

/// The tokens that the server issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Sent to git, docker and the API.
    pub(crate) access: Secret,
    /// Single-use; an API token has none.
    pub(crate) refresh: Option<Secret>,
    /// When they were issued, if known.
    pub(crate) issued_at: Option<Timestamp>,
    /// When the access token expires; `None`: never, or unknown.
    pub(crate) expires_at: Option<Timestamp>,
}

/// What was recorded about the refreshes of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefreshState {
    /// The OAuth client that the session was issued to.
    pub(crate) client_id: Option<OAuthClient>,
    /// An access token that git reported as rejected.
    pub(crate) suspect: Option<Digest>,
    /// When Sentry last accepted a suspect token.
    pub(crate) checked_at: Option<Timestamp>,
    /// Earliest time of the next refresh attempt, after the server failed or asked for a delay.
    pub(crate) retry_at: Option<Timestamp>,
    /// The reason for the delay, in words.
    pub(crate) retry_reason: Option<String>,
    /// The refresh token about to be spent, and since when. Left behind only by a crash or a lost answer.
    pub(crate) intent: Option<(Digest, Timestamp)>,
    /// When the server rejected the stored pair, which is then read as no tokens.
    pub(crate) rejected_at: Option<Timestamp>,
}

/// What is known about the OAuth client of a session.
#[derive(Debug, Clone)]
pub(crate) enum OAuthClient {
    /// Recorded when the session was issued.
    Recorded(String),
    /// Recorded for another session at the same instance. The official CLI, which records none, may have given the row
    /// a new key, or it may belong to another login.
    Guessed(String),
}

impl OAuthClient {
    /// The id, recorded or guessed.
    pub(crate) fn likely(&self) -> &str {
        match self {
            OAuthClient::Recorded(id) | OAuthClient::Guessed(id) => id,
        }
    }
}

/// How much of an account's id is shown and typed, at least.
const SHORT: usize = 8;

impl Session {
    /// The identity, if it is known.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let tokens = self.tokens.as_ref();
        Identity::of(&self.user, tokens.map(|tokens| &tokens.access))
    }

    /// Whether a login to `origin` as `identity` is another login to this account.
    pub(crate) fn is_account_of(&self, origin: &Origin, identity: &Identity) -> bool {
        self.origin.may_receive(origin) && self.identity().as_ref() == Some(identity)
    }

    /// Whether a login to `origin` replaces this session: it is of the same account, or has the same token.
    pub(crate) fn is_login_of(&self, origin: &Origin, user: &User, access: &Secret) -> bool {
        let identity = Identity::of(user, Some(access));
        self.origin == *origin && self.has_token(access)
            || identity.is_some_and(|identity| self.is_account_of(origin, &identity))
    }

    /// Whether `access` is its access token.
    pub(crate) fn has_token(&self, access: &Secret) -> bool {
        let tokens = self.tokens.as_ref();
        tokens.is_some_and(|tokens| tokens.access == *access)
    }

    /// The key of the account in a binding: its identity, which a new login does not change, else its id. The official
    /// CLI assigns a new id when a user logs in again, and the old layout has one id for every user.
    pub(crate) fn key(&self) -> String {
        self.identity()
            .map_or_else(|| self.account.clone(), |identity| identity.to_string())
    }

    /// Whether a binding with `key` refers to this account.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.key() == key
    }

    /// The name to display: its user, else its organization, else the first characters of its id.
    pub(crate) fn label(&self) -> String {
        self.name().unwrap_or_else(|| {
            let start: String = self.account.chars().take(SHORT).collect();
            printable(&start)
        })
    }

    /// The same, without falling back to the id.
    pub(crate) fn name(&self) -> Option<String> {
        let tokens = self.tokens.as_ref();
        Identity::label(&self.user, tokens.map(|tokens| &tokens.access))
    }
}

impl Tokens {
    /// Identifies the pair: the digest of the refresh token, or of the access token if there is no other.
    pub(crate) fn digest(&self) -> Digest {
        self.refresh.as_ref().unwrap_or(&self.access).digest()
    }

    /// When the access token expires, if that is within `span` of `now`.
    pub(crate) fn ends_within(&self, span: Duration, now: Timestamp) -> Option<Timestamp> {
        let is_soon = |expires_at: &Timestamp| now.until(*expires_at) < span;
        self.expires_at.filter(is_soon)
    }

    /// The lifetime of the access token, if known.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        Some(self.issued_at?.until(self.expires_at?))
    }

    /// Whether the access token has expired at `now`.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

#[cfg(test)]
mod tests;
