//! What a program asks for, as far as a decision turns on it.

use crate::origin::Origin;
use crate::store::{Client, Credential, Match};
use crate::world::Timestamp;

/// User name beside an access token, where nobody wants another.
pub const USERNAME: &str = "oauth2";

/// What a program asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which protocol it speaks.
    pub client: Client,
    /// What stored credentials are found by, in our tables.
    pub server: &'a str,
    /// What a binding is found by, in our tables.
    pub host: &'a str,
    /// The host; `None` where no token could go, whatever it is bound to.
    pub origin: Option<&'a Origin>,
    /// The path, where it counts.
    pub path: Option<&'a str>,
    /// The user that is wanted.
    pub username: Option<&'a str>,
    /// Whether a credential with an `authtype` would be understood.
    pub authtype: bool,
}

impl Request<'_> {
    /// What a stored credential must have.
    pub fn wanted(&self) -> Match<'_> {
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
    pub fn can_take(&self, stored: &Credential) -> bool {
        stored.authtype.is_none() || self.authtype
    }
}
