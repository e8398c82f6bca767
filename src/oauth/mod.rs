//! Sentry's two OAuth endpoints, one request and one typed answer at a time.
//!
//! Apart from [`crate::device`] and [`crate::session`] because it decides nothing: no retry, no clock, no storage. What
//! an answer means for a login stands in those two; what bytes mean stands here.
//!
//! Rules: ureq is used in this room only; redirects are never followed; bodies end at 64 KiB; text from the server
//! leaves this room only as a token, as an error code, or through [`printable`](crate::printable::printable).
//!
//! RFC 8628 (device flow), RFC 6749 sections 5 and 6 (token answers, refresh).

mod addresses;
mod api;
mod authorities;
mod connect;
mod git_http;
mod http;
mod json;
mod parse;
mod proxy;
mod route;
mod socket;
mod transport_error;
mod tunnel;

use std::time::Duration;

use crate::account::User;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::world::World;

pub use api::{Check, Organizations};
pub use http::Answer;
pub use transport_error::TransportError;

use http::Http;
use parse::{device_code, grant, is_bearer, refusal, user};

/// Longest a request to open a connection may take.
pub const CONNECT: Duration = Duration::from_secs(5);

/// Longest a whole request may take, connection included, unless its caller says otherwise.
pub const REQUEST: Duration = Duration::from_secs(12);

/// One instance, seen as one OAuth client.
pub struct OAuth {
    http: Http,
    client_id: String,
}

/// RFC 8628 section 3.2: what a person needs to approve a login.
#[derive(Debug)]
pub struct DeviceCode {
    /// Stays between us and the server.
    pub device_code: Secret,
    /// What the person types; not yet checked.
    pub user_code: String,
    /// Where; not yet checked.
    pub verification_uri: String,
    /// The same with the code in it, if the server gave one; not yet checked.
    pub verification_uri_complete: Option<String>,
    /// How long the code lives.
    pub expires_in: Duration,
    /// Shortest pause between two polls.
    pub interval: Duration,
}

/// RFC 6749 section 5.1: tokens that were issued.
#[derive(Debug)]
pub struct Grant {
    /// The access token.
    pub access: Secret,
    /// Absent when the server keeps the old one valid.
    pub refresh: Option<Secret>,
    /// Lifetime of the access token; `None` when the server names none, or nonsense.
    pub expires_in: Option<Duration>,
    /// Whose they are.
    pub user: User,
}

/// What a device code request came to.
#[derive(Debug)]
pub enum DeviceAnswer {
    /// Show it.
    Code(DeviceCode),
    /// The instance has no device flow (before Sentry 26.1.0): say so.
    NoDeviceFlow,
    /// The server said no, or nothing that we understand: give up with its words.
    Refused(Refusal),
    /// No answer: give up.
    Transport(TransportError),
}

/// What a poll came to (RFC 8628 section 3.5).
#[derive(Debug)]
pub enum PollAnswer {
    /// `authorization_pending`: go on.
    Pending,
    /// `slow_down`: go on, five seconds slower from now on.
    SlowDown,
    /// Approved.
    Granted(Grant),
    /// `access_denied`: stop.
    Denied,
    /// `expired_token`: stop.
    Expired,
    /// Something in between failed: go on, slower, and not before the pause that was asked for.
    Disturbed(Option<Duration>),
    /// Any other answer: stop with its words.
    Refused(Refusal),
    /// The server's certificate is not trusted: stop.
    Untrusted(TransportError),
}

/// What a refresh came to.
#[derive(Debug)]
pub enum RefreshAnswer {
    /// Commit it first, then look at it.
    Granted(Grant),
    /// The server issued something that is no token: keep what is stored, say so.
    Unusable,
    /// `invalid_grant`: the refresh token is spent, or was issued to another client.
    InvalidGrant(Refusal),
    /// `invalid_client`: the server does not know this client, which says nothing about the tokens.
    InvalidClient(Refusal),
    /// Another 4xx: keep the tokens, give the server's code.
    Refused(Refusal),
    /// Keep the tokens, try later.
    Transient(Transient),
}

/// A failure that says nothing about the login.
#[derive(Debug)]
pub struct Transient {
    /// In a few words for the user, and what may help.
    pub why: Failure,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the request left this machine, or cannot; if neither, it can be sent again at once.
    pub sent: bool,
    /// Whether a whole answer came.
    pub answered: bool,
    /// Whether the server may have acted on it: the refresh token may be spent.
    pub acted: bool,
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The `error` code, if the body has a plain one.
    pub code: Option<String>,
    /// The `error_description`, made printable.
    pub description: Option<String>,
}

impl std::fmt::Display for Refusal {
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

impl OAuth {
    /// A client of an instance. Nothing is sent yet.
    pub fn new(world: &World, origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::new(world, origin),
            client_id: client_id.to_owned(),
        }
    }

    /// `POST /oauth/device/code/` (RFC 8628 section 3.1).
    pub fn device_code(&self, scope: &str) -> DeviceAnswer {
        let form = [("client_id", self.client_id.as_str()), ("scope", scope)];
        match self.http.post("/oauth/device/code/", &form, REQUEST) {
            Ok(answer) => DeviceAnswer::of(&answer),
            Err(lost) => DeviceAnswer::Transport(lost),
        }
    }

    /// `POST /oauth/token/` for a device code (RFC 8628 section 3.4).
    pub fn poll(&self, device_code: &Secret) -> PollAnswer {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("device_code", device_code.expose()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        match self.http.post("/oauth/token/", &form, REQUEST) {
            Ok(answer) => PollAnswer::of(&answer),
            Err(lost) if lost.untrusted => PollAnswer::Untrusted(lost),
            Err(_) => PollAnswer::Disturbed(None),
        }
    }

    /// `POST /oauth/token/` for a refresh token (RFC 6749 section 6). Sent at most once; listens for `limit`, which
    /// includes the time to connect ([`CONNECT`] at most).
    pub fn refresh(&self, refresh_token: &Secret, limit: Duration) -> RefreshAnswer {
        // No `scope`: Sentry answers `invalid_request` to one.
        let form = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        match self.http.post("/oauth/token/", &form, limit) {
            Ok(answer) => RefreshAnswer::of(&answer),
            Err(lost) => RefreshAnswer::Transient(Transient {
                sent: lost.sent || lost.lasting,
                // Nor will one come: there is nothing to try again for.
                answered: lost.lasting && !lost.sent,
                acted: lost.sent,
                why: lost.why,
                retry_after: None,
            }),
        }
    }
}

impl DeviceAnswer {
    /// What the server answered.
    pub(crate) fn of(answer: &Answer) -> DeviceAnswer {
        match answer.status {
            404 => DeviceAnswer::NoDeviceFlow,
            200..=299 => device_code(answer).map_or_else(
                || DeviceAnswer::Refused(refusal(answer)),
                DeviceAnswer::Code,
            ),
            _ => DeviceAnswer::Refused(refusal(answer)),
        }
    }
}

impl PollAnswer {
    /// What the server answered.
    pub(crate) fn of(answer: &Answer) -> PollAnswer {
        let refused = refusal(answer);
        match (answer.status, refused.code.as_deref()) {
            (_, Some("authorization_pending")) => PollAnswer::Pending,
            (_, Some("slow_down")) => PollAnswer::SlowDown,
            (_, Some("access_denied")) => PollAnswer::Denied,
            (_, Some("expired_token")) => PollAnswer::Expired,
            (200..=299, None) => match grant(answer) {
                Some(Ok(grant)) if is_bearer(answer) => PollAnswer::Granted(grant),
                // The code is redeemed: there is nothing to go on for.
                Some(_) => PollAnswer::Refused(refused),
                // Not Sentry's: a captive portal, say.
                None => PollAnswer::Disturbed(answer.retry_after),
            },
            (429 | 500..=599, _) => PollAnswer::Disturbed(answer.retry_after),
            _ => PollAnswer::Refused(refused),
        }
    }
}

impl RefreshAnswer {
    /// What the server answered.
    pub(crate) fn of(answer: &Answer) -> RefreshAnswer {
        let refused = refusal(answer);
        let transient = |why: String| {
            RefreshAnswer::Transient(Transient {
                why: Failure::new(why),
                retry_after: answer.retry_after,
                sent: true,
                answered: true,
                acted: answer.status != 429,
            })
        };
        match (answer.status, refused.code.as_deref()) {
            (400 | 401, Some("invalid_grant")) => RefreshAnswer::InvalidGrant(refused),
            (400 | 401, Some("invalid_client")) => RefreshAnswer::InvalidClient(refused),
            (200..=299, None) => match grant(answer) {
                Some(Ok(grant)) => RefreshAnswer::Granted(grant),
                Some(Err(_)) => RefreshAnswer::Unusable,
                None if answer.is_compressed => transient(
                    "the answer is not Sentry's: it is compressed, which nobody asked for".into(),
                ),
                None => transient(
                    "the answer is not Sentry's; is there a login page of the network in between?"
                        .into(),
                ),
            },
            (429 | 500..=599, _) => transient(format!("the server answered {refused}")),
            (300..=399, _) => transient(format!(
                "the server answered with a redirect ({refused}), which is not followed"
            )),
            (400..=499, Some(_)) => RefreshAnswer::Refused(refused),
            _ => transient(format!(
                "the server answered {refused} without an OAuth error"
            )),
        }
    }
}
