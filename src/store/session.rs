//! A session as a value: whose, issued by whom, which tokens, what we noted about it.

use crate::origin::Origin;
use crate::secret::{Digest, Secret};
use crate::world::Timestamp;

/// The key in `helper_session` for the one row of `auth`.
pub(super) const ONLY: &str = "auth";

/// One login to one instance.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its key in `helper_session`: the `account_id`, or `auth` in the old layout.
    pub account: String,
    /// The instance that issued it, the only one it is refreshed at.
    pub origin: Origin,
    /// Whose it is.
    pub user: User,
    /// `None` once the server rejected the refresh token, or another program cleared it.
    pub tokens: Option<Tokens>,
    /// The one that a command without `--url` means.
    pub active: bool,
    /// What we noted about it.
    pub marks: Marks,
}

/// Who logged in, as far as the server said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Sentry's id; tells accounts of one instance apart.
    pub id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Login name.
    pub username: Option<String>,
    /// Full name.
    pub name: Option<String>,
}

impl User {
    /// What to call them: user name, else e-mail, else full name.
    pub fn label(&self) -> Option<&str> {
        self.username
            .as_deref()
            .or(self.email.as_deref())
            .or(self.name.as_deref())
    }

    /// Whether somebody who types `name` means this user.
    pub fn is_called(&self, name: &str) -> bool {
        self.username.as_deref() == Some(name)
            || self
                .email
                .as_deref()
                .is_some_and(|email| email.eq_ignore_ascii_case(name))
    }
}

/// What the server issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Goes to git, docker and the API.
    pub access: Secret,
    /// Single-use; an API token has none.
    pub refresh: Option<Secret>,
    /// When they were issued, if known.
    pub issued_at: Option<Timestamp>,
    /// When the access token dies; `None`: never, or unknown.
    pub expires_at: Option<Timestamp>,
}

/// What we noted about a session.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// The OAuth client that the session was issued to.
    pub client_id: Option<String>,
    /// An access token that git reported as rejected.
    pub suspect: Option<Digest>,
    /// No refresh before this; the server failed or asked to wait.
    pub retry_at: Option<Timestamp>,
    /// The refresh token that was about to be spent, and since when. Left over only by a crash or a lost answer.
    pub intent: Option<(Digest, Timestamp)>,
}

/// What a swap of tokens met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The new pair is stored.
    Done,
    /// The row is gone: a logout won. Discard the new pair.
    Gone,
    /// Another pair is stored: another login or refresh won. Use that one.
    Superseded,
}
