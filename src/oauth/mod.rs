//! Talks to Sentry's OAuth endpoints and `/api/0/`: one request, one typed answer.
//!
//! Separate from [`crate::device`] and [`crate::session`] because it makes no decisions: no retry, no clock, no
//! storage. This module interprets bytes and chooses the network route; those two decide what an answer means for a
//! login.
//!
//! Rules:
//! - ureq and rustls are used in this module only.
//! - Redirects are never followed.
//! - A proxy or certificate setting that cannot be used is an error, never ignored.
//! - Bodies are limited to 64 KiB.
//! - Server text leaves this module only as a token, as an error code, or through
//!   [`printable`](crate::printable::printable).
//!
//! RFC 8628 (device flow), RFC 6749 sections 5 and 6 (token answers, refresh).

mod addresses;
mod answers;
mod api;
mod authorities;
mod connect;
mod form;
mod framing;
mod git_http;
mod headers;
mod http;
mod json;
mod judge;
mod parse;
mod proxy;
mod reframe;
mod route;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod transport_error;
mod tunnel;

use std::time::Duration;

use crate::failure::Failure;
use crate::origin::{Origin, Scheme};
use crate::secret::Secret;
use crate::world::World;

#[cfg(any(test, fuzzing))]
pub(crate) use answers::DeviceCode;
pub(crate) use answers::{
    DeviceAnswer, ErrorAnswer, Grant, PollAnswer, PollFailure, RefreshAnswer, Transient,
};
pub(crate) use api::{Check, Organizations, Probe};
#[cfg(any(test, fuzzing))]
pub(crate) use http::Answer;
pub(crate) use http::{CONNECT, REQUEST};
pub(crate) use route::PreparedRoute;
pub(crate) use transport_error::TransportError;

use git_http::GitHttp;
use http::Http;
use route::Route;

/// Describes the route to an instance: the proxy and the trusted authorities.
///
/// # Errors
/// A setting cannot be used; every request fails with the same error.
pub(crate) fn describe_route(world: &World, origin: &Origin) -> Result<String, Failure> {
    let route = Route::of(world, origin)?;
    Ok(match origin.scheme() {
        Scheme::Http => "this machine itself".to_owned(),
        Scheme::Https => route.shown(),
    })
}

/// git's `http` settings for an instance, except secrets.
pub(crate) fn git_settings(world: &World, origin: &Origin) -> Vec<(String, String)> {
    GitHttp::of(world, origin).shown()
}

/// A client of one instance, with one OAuth client id.
pub(crate) struct OAuth {
    http: Http,
    client_id: String,
}

impl OAuth {
    /// Creates a client. Sends nothing.
    pub(crate) fn new(world: &World, origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::new(world, origin),
            client_id: client_id.to_owned(),
        }
    }

    /// Creates a client that uses a prepared route, and sends nothing to any other instance.
    pub(crate) fn with_route(route: &PreparedRoute, origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::with_route(route, origin),
            client_id: client_id.to_owned(),
        }
    }

    /// `POST /oauth/device/code/` (RFC 8628 section 3.1).
    pub(crate) fn device_code(&self, scope: &str) -> DeviceAnswer {
        let form = [("client_id", self.client_id.as_str()), ("scope", scope)];
        match self.http.post("/oauth/device/code/", &form, None, REQUEST) {
            Ok(answer) => DeviceAnswer::of(&answer),
            Err(error) => DeviceAnswer::Transport(error),
        }
    }

    /// `POST /oauth/token/` with a device code (RFC 8628 section 3.4).
    pub(crate) fn poll(&self, device_code: &Secret) -> PollAnswer {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("device_code", device_code.expose()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        self.redeemed(&form, device_code)
    }

    /// `POST /oauth/token/` for a one-time code of Sentry's pages, which the official CLI's `auth bootstrap` takes.
    pub(crate) fn redeem(&self, setup_code: &Secret) -> PollAnswer {
        let form = [
            ("client_id", self.client_id.as_str()),
            (
                "grant_type",
                "urn:sentry:params:oauth:grant-type:setup_code",
            ),
            ("setup_code", setup_code.expose()),
        ];
        self.redeemed(&form, setup_code)
    }

    /// What became of a code that can be redeemed once.
    fn redeemed(&self, form: &[(&str, &str)], code: &Secret) -> PollAnswer {
        match self.http.post("/oauth/token/", form, Some(code), REQUEST) {
            Ok(answer) => PollAnswer::of(&answer),
            Err(error) if error.untrusted => PollAnswer::Untrusted(error),
            Err(error) => PollAnswer::Transient(PollFailure {
                why: error.why.to_string(),
                retry_after: None,
            }),
        }
    }

    /// `POST /oauth/token/` with a refresh token (RFC 6749 section 6). Sent at most once. `limit` bounds the whole
    /// request, including the time to connect ([`http::CONNECT`] at most).
    pub(crate) fn refresh(&self, refresh_token: &Secret, limit: Duration) -> RefreshAnswer {
        // No `scope`: Sentry rejects it with `invalid_request`.
        let form = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        let secret = Some(refresh_token);
        match self.http.post("/oauth/token/", &form, secret, limit) {
            Ok(answer) => RefreshAnswer::of(&answer),
            Err(error) => RefreshAnswer::Transient(Transient {
                sent: error.sent || error.permanent,
                // No answer can come, so there is no reason to send it again.
                answered: error.permanent && !error.sent,
                acted: error.sent,
                why: error.why,
                retry_after: None,
            }),
        }
    }
}
