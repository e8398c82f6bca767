//! A client's request, reduced to what a decision depends on.

use crate::origin::Origin;
use crate::store::{Client, Credential, Match};
use crate::world::Timestamp;

/// The user name returned with an access token, unless the binding or the request sets one.
pub(crate) const USERNAME: &str = "oauth2";

/// A client's request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The protocol that the client speaks.
    pub(crate) client: Client,
    /// The key of stored credentials in our tables.
    pub(crate) server: &'a str,
    /// The key of a binding in our tables.
    pub(crate) host: &'a str,
    /// The host's origin; `None` if no token may be sent there, whatever it is bound to.
    pub(crate) origin: Option<&'a Origin>,
    /// The path, where the client distinguishes paths.
    pub(crate) path: Option<&'a str>,
    /// The user name that the request asks for.
    pub(crate) username: Option<&'a str>,
    /// Whether the client understands a credential with an `authtype`.
    pub(crate) authtype: bool,
}

impl Request<'_> {
    /// What a stored credential must match.
    pub(crate) fn pattern(&self) -> Match<'_> {
        Match {
            server: self.server,
            path: self.path,
            username: self.username,
            secret: None,
        }
    }

    /// Whether the stored credential answers the request.
    pub(super) fn accepts(&self, stored: &Credential, now: Timestamp) -> bool {
        self.pattern().covers(stored) && self.can_take(stored) && stored.is_running(now)
    }

    /// Whether the client understands the stored credential.
    pub(crate) fn can_take(&self, stored: &Credential) -> bool {
        stored.authtype.is_none() || self.authtype
    }
}
