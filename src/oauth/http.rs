//! Sends one HTTP request to one origin, bounded in time and size.
//!
//! Separate from the endpoints, which do not depend on an HTTP client, and from [`super::connect`], which does not depend
//! on requests.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::config::Config;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error, RequestBuilder};
use zeroize::Zeroizing;

use super::addresses::LOOKUP;
use super::connect::{self, Watch};
use super::form;
use super::json;
use super::reframe::Offered;
use super::route::{PreparedRoute, Route};
use super::transport_error::TransportError;
use crate::failure::Failure;
use crate::origin::{Origin, Scheme};
use crate::secret::Secret;
use crate::world::{Steps, Timestamp, World};

/// Timeout to open a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Timeout of a whole request, including the connection, unless the caller sets another.
pub(crate) const REQUEST: Duration = Duration::from_secs(12);

/// Longest body that is read, in bytes. ureq is built without decompression, so this is the size on the wire.
const MAX_BODY: u64 = 64 * 1024;

/// Longest `Retry-After` that is honoured.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A client of one origin.
pub(super) struct Http {
    origin: Origin,
    route: Result<Arc<Route>, Failure>,
    steps: Steps,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// `Retry-After` (RFC 9110 section 10.2.3).
    pub(crate) retry_after: Option<Duration>,
    /// `Date`: the server's clock.
    pub(super) date: Option<Timestamp>,
    /// The secret that was posted, which a server may echo.
    pub(super) sent: Option<Secret>,
    /// The body is compressed, although `identity` was requested.
    pub(super) is_compressed: bool,
    /// The body is an HTML page: of a proxy or portal, or of an instance without this endpoint.
    pub(super) is_page: bool,
    /// Up to 64 KiB; wiped on drop, because it can hold tokens.
    pub(super) body: Body,
}

/// The bytes of a body; not shown by `Debug`.
pub(super) struct Body(Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Zeroizing::new(bytes))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body(… {} bytes)", self.0.len())
    }
}

impl Answer {
    /// An answer for tests.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn with(status: u16, body: &[u8]) -> Answer {
        Answer {
            status,
            retry_after: None,
            date: None,
            sent: None,
            is_compressed: false,
            is_page: is_page(body),
            body: body.to_vec().into(),
        }
    }

    /// The body, if it is a JSON object or a form with the fields of one.
    pub(super) fn json(&self) -> Option<Value> {
        json::object(&self.body.0).or_else(|| form::object(&self.body.0))
    }

    /// The body, if it is JSON.
    pub(super) fn any_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body.0).ok()
    }
}

impl Http {
    pub(super) fn new(world: &World, origin: &Origin) -> Http {
        Http {
            origin: origin.clone(),
            route: Route::of(world, origin).map(Arc::new),
            steps: world.steps(),
        }
    }

    /// A client that uses a prepared route.
    pub(super) fn with_route(route: &PreparedRoute, origin: &Origin) -> Http {
        Http {
            origin: origin.clone(),
            route: route.route_to(origin),
            steps: route.steps(),
        }
    }

    /// A client of another region of the same instance, over the same route.
    pub(super) fn sibling(&self, region: &Origin) -> Http {
        Http {
            origin: region.clone(),
            route: self.route.clone(),
            steps: self.steps.clone(),
        }
    }

    /// Sends a form that contains at most one secret, and waits up to `limit` for the answer.
    pub(super) fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        secret: Option<&Secret>,
        limit: Duration,
    ) -> Result<Answer, TransportError> {
        let answer = self.request("POST", path, limit, |agent, route| {
            let request = agent
                .post(self.url(path))
                .header("Accept", "application/json");
            with_headers(request, route).send_form(form.iter().copied())
        })?;
        Ok(Answer {
            sent: secret.cloned(),
            ..answer
        })
    }

    /// Sends a request with a token.
    pub(super) fn get(&self, path: &str, token: &Secret) -> Result<Answer, TransportError> {
        self.request("GET", path, REQUEST, |agent, route| {
            let authorization = Zeroizing::new(format!("Bearer {}", token.expose()));
            let request = agent
                .get(self.url(path))
                .header("Accept", "application/json");
            with_headers(request, route)
                .header("Authorization", authorization.as_str())
                .call()
        })
    }

    /// Sends a request without a token.
    pub(super) fn get_without_token(&self, path: &str) -> Result<Answer, TransportError> {
        self.request("GET", path, REQUEST, |agent, route| {
            let request = agent
                .get(self.url(path))
                .header("Accept", "application/json");
            with_headers(request, route).call()
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Sends the request, and notes it without its form, headers and answer, which hold secrets.
    fn request(
        &self,
        method: &str,
        path: &str,
        limit: Duration,
        send: impl Fn(&Agent, &Route) -> Result<ureq::http::Response<ureq::Body>, Error>,
    ) -> Result<Answer, TransportError> {
        let result = self.answered(limit, send);
        self.steps.note(|| {
            let end = match &result {
                Ok(answer) if answer.is_page => format!("HTTP {}, a web page", answer.status),
                Ok(answer) => format!("HTTP {}", answer.status),
                Err(error) => error.why.to_string(),
            };
            format!("{method} {} -> {end}", self.url(path))
        });
        result
    }

    fn answered(
        &self,
        limit: Duration,
        send: impl Fn(&Agent, &Route) -> Result<ureq::http::Response<ureq::Body>, Error>,
    ) -> Result<Answer, TransportError> {
        let route = self
            .route
            .as_ref()
            .map_err(|failure| TransportError::unusable(failure.clone()))?;
        let watch = Arc::new(Watch::begin(limit));
        let offered = Offered::default();
        let transport_error = |error: Error| {
            let schemes = offered.schemes();
            TransportError::of(&error, &self.origin, route, &schemes, watch.is_sent())
        };
        let attempt = |roots| {
            let config = self.config(route, roots);
            let agent = connect::agent(config, route.addresses.clone(), &watch, &offered);
            send(&agent, route)
        };
        let roots = match self.origin.scheme() {
            Scheme::Https => route.authorities.roots(),
            // Without TLS nothing is read.
            Scheme::Http => RootCerts::PlatformVerifier,
        };
        let mut response = match attempt(roots) {
            // A container image without certificates: use the built-in ones.
            Err(error) if error.to_string().contains("No CA certificates were loaded") => {
                attempt(RootCerts::WebPki)
            }
            other => other,
        }
        .map_err(&transport_error)?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        let date = header("date").and_then(Timestamp::from_http_date);
        let retry_after = header("retry-after").and_then(|value| pause(value, date));
        let is_compressed = header("content-encoding").is_some_and(|name| name != "identity");
        let is_html = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        let body = read(response.body_mut()).map_err(&transport_error)?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after,
            date,
            sent: None,
            is_compressed,
            is_page: is_html || is_page(&body.0),
            body,
        })
    }

    fn config(&self, route: &Route, roots: RootCerts) -> Config {
        Agent::config_builder()
            .https_only(self.origin.scheme() == Scheme::Https)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_resolve(Some(LOOKUP))
            .timeout_connect(Some(CONNECT))
            .max_idle_connections(0)
            .accept_encoding("identity")
            .user_agent(concat!("sentry-credential/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .proxy(route.via.as_ref().map(|via| via.proxy.clone()))
            .build()
    }
}

/// The headers that a proxy in front of the instance requires.
fn with_headers<Body>(mut request: RequestBuilder<Body>, route: &Route) -> RequestBuilder<Body> {
    for (name, value) in route.headers.fields() {
        request = request.header(name, value);
    }
    request
}

/// Reads a body up to its end, or an object of JSON up to its end: what a server or a proxy does after that, such as to
/// close the connection before the length that it announced, does not undo what the object says.
///
/// # Errors
/// The body is truncated, which means that the server has acted on the request; or it is too long.
fn read(body: &mut ureq::Body) -> Result<Body, Error> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut reader = body.with_config().limit(MAX_BODY).reader();
    match reader.read_to_end(&mut bytes) {
        Err(error) if json::object(&bytes).is_none() => Err(error.into()),
        _ => Ok(Body(bytes)),
    }
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// Parses `Retry-After`: seconds, or a date relative to the server's own clock.
fn pause(value: &str, date: Option<Timestamp>) -> Option<Duration> {
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date?.until(Timestamp::from_http_date(value)?),
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date_and_has_an_end() {
        let date = Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, seconds) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:44 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("99999999", Some(LONGEST_PAUSE.as_secs())),
            (
                "Sat, 06 Nov 2094 08:49:37 GMT",
                Some(LONGEST_PAUSE.as_secs()),
            ),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(
                pause(value, date),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:44 GMT", None), None);
    }
}
