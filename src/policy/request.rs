//! What a program asks for, as far as a decision turns on it.

use crate::origin::Origin;
use crate::store::{Client, Credential, Match};
use crate::world::Timestamp;

/// User name beside an access token, where nobody wants another.
pub(crate) const USERNAME: &str = "oauth2";

/// What a program asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Which protocol it speaks.
    pub(crate) client: Client,
    /// What stored credentials are found by, in our tables.
    pub(crate) server: &'a str,
    /// What a binding is found by, in our tables.
    pub(crate) host: &'a str,
    /// The host; `None` where no token could go, whatever it is bound to.
    pub(crate) origin: Option<&'a Origin>,
    /// The path, where it counts.
    pub(crate) path: Option<&'a str>,
    /// The user that is wanted.
    pub(crate) username: Option<&'a str>,
    /// Whether a credential with an `authtype` would be understood.
    pub(crate) authtype: bool,
}

impl Request<'_> {
    /// What a stored credential must have.
    pub(crate) fn wanted(&self) -> Match<'_> {
        Match {
            server: self.server,
            path: self.path,
            username: self.username,
            secret: None,
        }
    }

    /// Whether it is an answer to the request.
    pub(super) fn accepts(&self, stored: &Credential, now: Timestamp) -> bool {
        self.wanted().covers(stored) && self.can_take(stored) && stored.is_alive(now)
    }

    /// Whether the caller would understand it.
    pub(crate) fn can_take(&self, stored: &Credential) -> bool {
        stored.authtype.is_none() || self.authtype
    }
}
