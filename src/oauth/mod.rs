//! Sentry's two OAuth endpoints, one request and one typed answer at a time.
//!
//! Separate from [`crate::device`] and [`crate::session`] because it decides nothing: no retry, no clock, no storage. What
//! an answer means for a login stands in those two; what bytes mean, and which way they go, stands here.
//!
//! Rules: ureq and rustls are used in this module only; redirects are never followed; a setting of the way (proxy,
//! authorities) that cannot be used is an error; bodies end at 64 KiB; text from the server leaves this module only as a
//! token, as an error code, or through [`printable`](crate::printable::printable).
//!
//! RFC 8628 (device flow), RFC 6749 sections 5 and 6 (token answers, refresh).

mod addresses;
mod answers;
mod api;
mod authorities;
mod connect;
mod git_http;
mod http;
mod json;
mod judge;
mod parse;
mod proxy;
mod route;
mod socket;
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
    DeviceAnswer, Disturbance, ErrorAnswer, Grant, PollAnswer, RefreshAnswer, Transient,
};
pub(crate) use api::{Check, Organizations};
#[cfg(any(test, fuzzing))]
pub(crate) use http::Answer;
pub(crate) use http::{CONNECT, REQUEST};
pub(crate) use route::Way;
pub(crate) use transport_error::TransportError;

use git_http::GitHttp;
use http::Http;
use route::Route;

/// The way to an instance in a few words: through which proxy, and whose certificates count there.
///
/// # Errors
/// A setting cannot be used; every request fails with that sentence.
pub(crate) fn way(world: &World, origin: &Origin) -> Result<String, Failure> {
    let route = Route::of(world, origin)?;
    Ok(match origin.scheme() {
        Scheme::Http => "this machine itself".to_owned(),
        Scheme::Https => format!("{}; {}", route.proxy(), route.trusted()),
    })
}

/// What git has in force for the way to a place, as far as that is no secret.
pub(crate) fn git_settings(world: &World, origin: &Origin) -> Vec<(&'static str, String)> {
    GitHttp::of(world, origin).shown()
}

/// One instance, seen as one OAuth client.
pub(crate) struct OAuth {
    http: Http,
    client_id: String,
}

impl OAuth {
    /// A client of an instance. Nothing is sent yet.
    pub(crate) fn new(world: &World, origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::new(world, origin),
            client_id: client_id.to_owned(),
        }
    }

    /// The same by a way that is prepared; to another instance nothing is sent.
    pub(crate) fn by(way: &Way, origin: &Origin, client_id: &str) -> OAuth {
        OAuth {
            http: Http::by(way, origin),
            client_id: client_id.to_owned(),
        }
    }

    /// `POST /oauth/device/code/` (RFC 8628 section 3.1).
    pub(crate) fn device_code(&self, scope: &str) -> DeviceAnswer {
        let form = [("client_id", self.client_id.as_str()), ("scope", scope)];
        match self.http.post("/oauth/device/code/", &form, None, REQUEST) {
            Ok(answer) => DeviceAnswer::of(&answer),
            Err(lost) => DeviceAnswer::Transport(lost),
        }
    }

    /// `POST /oauth/token/` for a device code (RFC 8628 section 3.4).
    pub(crate) fn poll(&self, device_code: &Secret) -> PollAnswer {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("device_code", device_code.expose()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        let secret = Some(device_code);
        match self.http.post("/oauth/token/", &form, secret, REQUEST) {
            Ok(answer) => PollAnswer::of(&answer),
            Err(lost) if lost.untrusted => PollAnswer::Untrusted(lost),
            Err(lost) => PollAnswer::Disturbed(Disturbance {
                why: lost.why.to_string(),
                retry_after: None,
            }),
        }
    }

    /// `POST /oauth/token/` for a refresh token (RFC 6749 section 6). Sent at most once; listens for `limit`, which
    /// includes the time to connect ([`http::CONNECT`] at most).
    pub(crate) fn refresh(&self, refresh_token: &Secret, limit: Duration) -> RefreshAnswer {
        // No `scope`: Sentry answers `invalid_request` to one.
        let form = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        let secret = Some(refresh_token);
        match self.http.post("/oauth/token/", &form, secret, limit) {
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
