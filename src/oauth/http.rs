//! One HTTP request: bounded in time and size, to one origin, never elsewhere.

use std::time::Duration;

use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error, Proxy, ProxyProtocol, Timeout};
use zeroize::Zeroizing;

use super::{CONNECT, REQUEST};
use crate::origin::{Origin, Scheme};
use crate::secret::Secret;
use crate::world::Timestamp;
use crate::world::World;

/// Longest body that is read, in bytes. ureq is built without decompression, so these are the bytes there are.
const MAX_BODY: u64 = 64 * 1024;

/// Longest `Retry-After` that is honoured.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A client of one origin.
pub(super) struct Http {
    origin: Origin,
    proxy: Option<Proxy>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// `Date`: the server's clock.
    pub(super) date: Option<Timestamp>,
    /// Up to 64 KiB; wiped on drop, for it can hold tokens.
    pub(super) body: Body,
}

/// The bytes of a body; `Debug` shows none.
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
    /// One that no server gave.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn with(status: u16, body: &[u8]) -> Answer {
        Answer {
            status,
            retry_after: None,
            date: None,
            body: body.to_vec().into(),
        }
    }

    /// The body, if it is a JSON object.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body.0)
            .ok()
            .filter(Value::is_object)
    }

    /// The body, if it is JSON.
    pub(super) fn any_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body.0).ok()
    }
}

/// No answer, or none that is complete.
#[derive(Debug, Clone)]
pub struct TransportError {
    /// In a few words, for a person.
    pub why: String,
    /// Whether the server may have acted on the request.
    pub sent: bool,
    /// The server's certificate is not trusted.
    pub untrusted: bool,
}

impl Http {
    pub(super) fn new(world: &World, origin: &Origin) -> Http {
        Http {
            origin: origin.clone(),
            proxy: proxy(world, origin),
        }
    }

    /// A client of another region of the same instance.
    pub(super) fn sibling(&self, region: &Origin) -> Http {
        Http {
            origin: region.clone(),
            proxy: self.proxy.clone(),
        }
    }

    /// Sends a form, and listens for `limit`.
    pub(super) fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Answer, TransportError> {
        self.request(limit, |agent| {
            agent
                .post(self.url(path))
                .header("Accept", "application/json")
                .send_form(form.iter().copied())
        })
    }

    /// Asks with a token.
    pub(super) fn get(&self, path: &str, token: &Secret) -> Result<Answer, TransportError> {
        self.request(REQUEST, |agent| {
            let authorization = Zeroizing::new(format!("Bearer {}", token.expose()));
            let request = agent
                .get(self.url(path))
                .header("Accept", "application/json");
            request
                .header("Authorization", authorization.as_str())
                .call()
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn request(
        &self,
        limit: Duration,
        send: impl Fn(&Agent) -> Result<ureq::http::Response<ureq::Body>, Error>,
    ) -> Result<Answer, TransportError> {
        // ureq looks names up in a thread, and panics where none can be had. The stack of this one serves it.
        if let Err(why) = std::thread::Builder::new()
            .spawn(|| ())
            .map(|one| one.join())
        {
            return Err(TransportError {
                why: format!("cannot ask {}: {why}", self.origin.authority()),
                sent: false,
                untrusted: false,
            });
        }
        let mut response = match send(&self.agent(limit, RootCerts::PlatformVerifier)) {
            // An image without certificates of its own: use the ones that are built in.
            Err(error) if error.to_string().contains("No CA certificates were loaded") => {
                send(&self.agent(limit, RootCerts::WebPki))
            }
            other => other,
        }
        .map_err(|error| self.lost(&error))?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        let date = header("date").and_then(Timestamp::from_http_date);
        let retry_after = header("retry-after").and_then(|value| pause(value, date));
        // A body that breaks off was sent after the server acted.
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_BODY)
            .read_to_vec();
        let body = body.map_err(|error| TransportError {
            sent: true,
            ..self.lost(&error)
        })?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after,
            date,
            body: body.into(),
        })
    }

    fn agent(&self, limit: Duration, roots: RootCerts) -> Agent {
        let config = Agent::config_builder()
            .https_only(self.origin.scheme() == Scheme::Https)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(limit))
            .timeout_connect(Some(CONNECT))
            .max_idle_connections(0)
            .user_agent(concat!("sentry-credential/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        config.proxy(self.proxy.clone()).build().new_agent()
    }

    fn lost(&self, error: &Error) -> TransportError {
        let host = self.origin.authority();
        let lost = |sent, why: String| TransportError {
            why,
            sent,
            untrusted: false,
        };
        match error {
            Error::HostNotFound => lost(false, format!("cannot find {host}")),
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                lost(false, format!("{host} does not answer"))
            }
            Error::Timeout(_) => lost(true, format!("{host} did not answer in time")),
            Error::ConnectionFailed | Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => {
                lost(false, format!("cannot connect to {host}"))
            }
            // The handshake comes before the request.
            Error::Rustls(_) | Error::Tls(_) | Error::Pem(_) => TransportError {
                why: format!("cannot trust {host}: {error}"),
                sent: false,
                untrusted: true,
            },
            Error::Io(why) => {
                use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
                let unsent = matches!(
                    why.kind(),
                    ConnectionRefused | HostUnreachable | NetworkUnreachable
                );
                match is_certificate(why) {
                    true => TransportError {
                        why: format!("cannot trust {host}: {why}"),
                        sent: false,
                        untrusted: true,
                    },
                    false => lost(!unsent, format!("the connection to {host} failed ({why})")),
                }
            }
            Error::BodyExceedsLimit(_) => lost(true, format!("the answer of {host} is too long")),
            _ => lost(true, format!("{host} did not answer in HTTP ({error})")),
        }
    }
}

/// `Retry-After` in seconds, or as a date by the server's own clock.
fn pause(value: &str, date: Option<Timestamp>) -> Option<Duration> {
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date?.until(Timestamp::from_http_date(value)?),
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// The proxy on the way to an origin, chosen as curl(1) does: ureq by itself lets `ALL_PROXY` win over the specific one,
/// and `HTTP_PROXY` speak for https.
fn proxy(world: &World, origin: &Origin) -> Option<Proxy> {
    // The machine itself is never behind one.
    if origin.is_loopback() {
        return None;
    }
    let either = |name: &str| {
        world
            .variable(&name.to_lowercase())
            .or_else(|| world.variable(name))
    };
    let url = either("HTTPS_PROXY").or_else(|| either("ALL_PROXY"))?;
    let mut exceptions = Proxy::builder(ProxyProtocol::Http);
    for name in either("NO_PROXY").iter().flat_map(|names| names.split(',')) {
        // To curl a name covers what is below it.
        let name = name.trim().trim_start_matches('.');
        exceptions = exceptions.no_proxy(name).no_proxy(&format!(".{name}"));
    }
    let target = origin.to_string().parse().ok()?;
    match exceptions
        .build()
        .is_ok_and(|exceptions| exceptions.is_no_proxy(&target))
    {
        true => None,
        false => Proxy::new(&url).ok(),
    }
}

/// rustls reports a failed handshake through `io::Error`.
fn is_certificate(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData && error.to_string().contains("certificate")
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
