//! What the endpoints may answer, as types.
//!
//! Separate from [`super::judge`], which says which answer is which.
//!
//! RFC 8628 sections 3.2 and 3.5 (device flow), RFC 6749 sections 5.1 and 5.2 (token answers).

use std::time::Duration;

use super::transport_error::TransportError;
use crate::account::User;
use crate::failure::Failure;
use crate::secret::Secret;

/// RFC 8628 section 3.2: what a user needs to approve a login.
#[derive(Debug)]
pub(crate) struct DeviceCode {
    /// Stays between us and the server.
    pub(crate) device_code: Secret,
    /// What the user types; not yet checked.
    pub(crate) user_code: String,
    /// Where; not yet checked.
    pub(crate) verification_uri: String,
    /// The same with the code in it, if the server gave one; not yet checked.
    pub(crate) verification_uri_complete: Option<String>,
    /// How long the code lives.
    pub(crate) expires_in: Duration,
    /// Shortest pause between two polls.
    pub(crate) interval: Duration,
}

/// RFC 6749 section 5.1: tokens that were issued.
#[derive(Debug)]
pub(crate) struct Grant {
    /// The access token.
    pub(crate) access: Secret,
    /// Absent when the server keeps the old one valid.
    pub(crate) refresh: Option<Secret>,
    /// Lifetime of the access token; `None` when the server names none, or nonsense.
    pub(crate) expires_in: Option<Duration>,
    /// Whose they are.
    pub(crate) user: User,
    /// What they may do, separated by spaces; absent when that is what was asked for.
    pub(crate) scope: Option<String>,
}

/// What a device code request came to.
#[derive(Debug)]
pub(crate) enum DeviceAnswer {
    /// Show it.
    Code(DeviceCode),
    /// An answer that is not of OAuth, with this status: an instance without a device flow (before Sentry 26.1.0), or
    /// something in between.
    NotOAuth(u16),
    /// The server said no: give up with its words.
    Refused(ErrorAnswer),
    /// No answer: give up.
    Transport(TransportError),
}

/// What a poll came to (RFC 8628 section 3.5).
#[derive(Debug)]
pub(crate) enum PollAnswer {
    /// `authorization_pending`: go on.
    Pending,
    /// `slow_down`: go on, five seconds slower from now on.
    SlowDown,
    /// Approved.
    Granted(Grant),
    /// `access_denied`: stop.
    Denied(ErrorAnswer),
    /// `expired_token`: stop.
    Expired(ErrorAnswer),
    /// Something in between failed: go on, slower.
    Disturbed(Disturbance),
    /// Another error of OAuth, or a grant that cannot be used: stop with its words.
    Refused(ErrorAnswer),
    /// The server's certificate is not trusted: stop.
    Untrusted(TransportError),
}

/// An answer to a poll that says nothing about the login, or none.
#[derive(Debug)]
pub(crate) struct Disturbance {
    /// In a few words for the user.
    pub(crate) why: String,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// What a refresh came to.
#[derive(Debug)]
pub(crate) enum RefreshAnswer {
    /// Commit it first, then look at it.
    Granted(Grant),
    /// The server issued something that is no token: keep what is stored, say so.
    Unusable,
    /// `invalid_grant`: the refresh token is spent, or was issued to another client.
    InvalidGrant(ErrorAnswer),
    /// `invalid_client`: the server does not know this client, which says nothing about the tokens.
    InvalidClient(ErrorAnswer),
    /// Another 4xx: keep the tokens, give the server's code.
    Refused(ErrorAnswer),
    /// Keep the tokens, try later.
    Transient(Transient),
}

/// A failure that says nothing about the login.
#[derive(Debug)]
pub(crate) struct Transient {
    /// In a few words for the user, and what may help.
    pub(crate) why: Failure,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the request left this machine, or cannot; if neither, it can be sent again at once.
    pub(crate) sent: bool,
    /// Whether a whole answer came, or none can.
    pub(crate) answered: bool,
    /// Whether the server may have acted on it: the refresh token may be spent.
    pub(crate) acted: bool,
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorAnswer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The `error` code, if the body has a plain one.
    pub(crate) code: Option<String>,
    /// The `error_description`, made printable.
    pub(crate) description: Option<String>,
}

impl std::fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", `{code}`")?;
        }
        match &self.description {
            Some(description) => write!(f, " ({description})"),
            None => Ok(()),
        }
    }
}
