//! The answers of the endpoints, as types.
//!
//! Separate from [`super::judge`], which classifies an HTTP answer as one of them.
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
    /// Known only to this program and the server.
    pub(crate) device_code: Secret,
    /// What the user enters; not validated yet.
    pub(crate) user_code: String,
    /// Where the user enters it; not validated yet.
    pub(crate) verification_uri: String,
    /// The address that includes the code, if the server sent one; not validated yet.
    pub(crate) verification_uri_complete: Option<String>,
    /// Lifetime of the code.
    pub(crate) expires_in: Duration,
    /// Shortest pause between two polls.
    pub(crate) interval: Duration,
}

/// RFC 6749 section 5.1: tokens that were issued.
#[derive(Debug)]
pub(crate) struct Grant {
    /// The access token.
    pub(crate) access: Secret,
    /// Absent if the old one stays valid.
    pub(crate) refresh: Option<Secret>,
    /// Lifetime of the access token; `None` if the server sends none, or an invalid one.
    pub(crate) expires_in: Option<Duration>,
    /// The user they belong to.
    pub(crate) user: User,
    /// Granted scopes, separated by spaces; absent if they equal the requested ones (RFC 6749 section 5.1).
    pub(crate) scope: Option<String>,
}

/// The outcome of a device code request.
#[derive(Debug)]
pub(crate) enum DeviceAnswer {
    /// Show the code.
    Code(DeviceCode),
    /// The answer is not OAuth's, with this status: the instance has no device flow (before Sentry 26.1.0), or a proxy
    /// or portal answered.
    NotOAuth(u16),
    /// The server refused: stop, and report its error.
    Refused(ErrorAnswer),
    /// No answer: stop.
    Transport(TransportError),
}

/// The outcome of a poll (RFC 8628 section 3.5).
#[derive(Debug)]
pub(crate) enum PollAnswer {
    /// `authorization_pending`: continue.
    Pending,
    /// `slow_down`: continue, with an interval longer by five seconds.
    SlowDown,
    /// The user approved.
    Granted(Grant),
    /// `access_denied`: stop.
    Denied(ErrorAnswer),
    /// `expired_token`: stop.
    Expired(ErrorAnswer),
    /// A failure that says nothing about the login: continue, more slowly.
    Transient(PollFailure),
    /// Another OAuth error, or a grant that cannot be used: stop, and report it.
    Refused(ErrorAnswer),
    /// The server's certificate is not trusted: stop.
    Untrusted(TransportError),
}

/// A poll without an answer, or with one that says nothing about the login.
#[derive(Debug)]
pub(crate) struct PollFailure {
    /// A short explanation for the user.
    pub(crate) why: String,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// The outcome of a refresh.
#[derive(Debug)]
pub(crate) enum RefreshAnswer {
    /// Commit the tokens before validating them.
    Granted(Grant),
    /// The server issued something that is not a valid token: keep the stored tokens, and report it.
    Unusable,
    /// `invalid_grant`: the refresh token is spent, or was issued to another client.
    InvalidGrant(ErrorAnswer),
    /// `invalid_client`: the server does not know this client; the tokens may still be valid.
    InvalidClient(ErrorAnswer),
    /// Another 4xx: keep the tokens, and report the error code.
    Refused(ErrorAnswer),
    /// Keep the tokens, and try again later.
    Transient(Transient),
}

/// A failure that says nothing about the login.
#[derive(Debug)]
pub(crate) struct Transient {
    /// A short explanation for the user, with a hint.
    pub(crate) why: Failure,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the request was sent, or never can be. If false, it can be sent again at once.
    pub(crate) sent: bool,
    /// Whether a complete answer arrived, or none can.
    pub(crate) answered: bool,
    /// Whether the server may have acted on it, so that the refresh token may be spent.
    pub(crate) acted: bool,
}

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorAnswer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The `error` code, if the body has a well-formed one.
    pub(crate) code: Option<String>,
    /// The `error_description`, sanitized.
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
