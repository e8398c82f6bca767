//! The grammar of an origin, and the decision which origin may receive which token.
//!
//! Separate from everything else because a helper that confuses two hosts leaks tokens. Every host that comes in (from
//! git, docker, a setting, a stored row, a server's answer) is parsed into an [`Origin`] here or refused, *before* any
//! URL library sees it: URL libraries turn `sentry.io#.evil.com`, `sentry.io\.evil.com` and hosts with a soft hyphen
//! into `sentry.io`.
//!
//! Rules: bytes outside the grammar are refused, never repaired; origins compare by scheme, host and port; plain `http`
//! is accepted only for this machine; [`Origin::may_receive`] is the only decision about trust.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

/// Scheme, host and port of a server, in one canonical form: lower case, default port dropped when printed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// The schemes that can carry a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// TLS; any host.
    Https,
    /// Plain text; only for `127.0.0.0/8`, `[::1]` and `localhost`.
    Http,
}

impl Scheme {
    /// The scheme as written in a URL.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }
}

/// Sentry's SaaS: one service under three names, which share their tokens. Other names below `sentry.io` may belong to
/// others.
const SAAS: [&str; 3] = ["sentry.io", "us.sentry.io", "de.sentry.io"];

impl Origin {
    /// `https://sentry.io`.
    pub(crate) fn saas() -> Origin {
        Origin {
            scheme: Scheme::Https,
            host: SAAS[0].to_owned(),
            port: 443,
        }
    }

    /// Parses `scheme://host[:port]`, with at most one `/` after it.
    ///
    /// # Errors
    /// [`NotAnOrigin`]: anything outside the grammar, or `http` to another machine.
    pub(crate) fn parse(text: &str) -> Result<Origin, NotAnOrigin> {
        let (scheme, authority) = text.split_once("://").ok_or(NotAnOrigin::Malformed)?;
        Origin::from_parts(scheme, authority.strip_suffix('/').unwrap_or(authority))
    }

    /// Parses an origin that a user or a variable names: like [`Origin::parse`], but a bare host means `https`.
    ///
    /// # Errors
    /// As [`Origin::parse`].
    pub(crate) fn from_setting(text: &str) -> Result<Origin, NotAnOrigin> {
        match text.contains("://") {
            true => Origin::parse(text),
            false => Origin::from_parts("https", text.strip_suffix('/').unwrap_or(text)),
        }
    }

    /// Parses a scheme and a `host[:port]`, which git sends separately (`protocol`, `host`).
    ///
    /// # Errors
    /// As [`Origin::parse`].
    pub(crate) fn from_parts(scheme: &str, authority: &str) -> Result<Origin, NotAnOrigin> {
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(NotAnOrigin::Malformed),
        };
        let (host, port) = split_port(authority).ok_or(NotAnOrigin::Malformed)?;
        let host = canonical_host(host).ok_or(NotAnOrigin::Malformed)?;
        let port = match port {
            Some(port) => parse_port(port).ok_or(NotAnOrigin::Malformed)?,
            None => scheme.default_port(),
        };
        let origin = Origin { scheme, host, port };
        match scheme == Scheme::Http && !origin.is_loopback() {
            true => Err(NotAnOrigin::Insecure),
            false => Ok(origin),
        }
    }

    /// Whether a token issued by `issuer` may be sent or returned to this origin.
    ///
    /// Knows no bindings: the caller replaces the origin of a bound host by the instance's.
    pub(crate) fn may_receive(&self, issuer: &Origin) -> bool {
        self == issuer || (self.is_saas() && issuer.is_saas())
    }

    /// Whether this is one of the names of Sentry's SaaS.
    pub(crate) fn is_saas(&self) -> bool {
        self.scheme == Scheme::Https && self.port == 443 && SAAS.contains(&self.host.as_str())
    }

    /// Whether this is another name below `sentry.io`: an organization's.
    pub(crate) fn is_organization_of_saas(&self) -> bool {
        !self.is_saas() && self.host.ends_with(".sentry.io")
    }

    /// Parses the name of an instance: like [`Origin::from_setting`], but refuses an organization of Sentry's SaaS.
    ///
    /// # Errors
    /// [`NotAnInstance`].
    pub(crate) fn instance_from_setting(text: &str) -> Result<Origin, NotAnInstance> {
        let origin = Origin::from_setting(text).map_err(NotAnInstance::NotAnOrigin)?;
        match origin.is_organization_of_saas() {
            true => Err(NotAnInstance::Organization),
            false => Ok(origin),
        }
    }

    /// Whether this is the machine itself, by a name that cannot mean another.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `host`, or `host:port` if the port is not the scheme's default.
    pub(crate) fn authority(&self) -> String {
        match self.port == self.scheme.default_port() {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// As it is printed.
impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not an origin. Does not repeat the text, which is untrusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnOrigin {
    /// It does not match the grammar.
    Malformed,
    /// It is plain `http` to another machine.
    Insecure,
}

impl fmt::Display for NotAnOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotAnOrigin::Malformed => {
                "an instance looks like `https://sentry.example.com`, without user, path, query or other characters"
            }
            NotAnOrigin::Insecure => {
                "plain http is for this machine only (127.0.0.1, [::1], localhost): put TLS in front of the server, \
                 or log in to the other end of `ssh -L 9000:localhost:9000 HOST`"
            }
        })
    }
}

impl std::error::Error for NotAnOrigin {}

/// Why a text does not name an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnInstance {
    /// It is not an origin.
    NotAnOrigin(NotAnOrigin),
    /// `acme.sentry.io`: the instance is `sentry.io`.
    Organization,
}

impl fmt::Display for NotAnInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAnInstance::NotAnOrigin(why) => why.fmt(f),
            NotAnInstance::Organization => {
                f.write_str("that is an organization of https://sentry.io")
            }
        }
    }
}

impl std::error::Error for NotAnInstance {}

/// Splits off the port; the colons of an IPv6 literal are part of the host.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !text.starts_with('0')).then(|| text.parse().ok())?
}

fn canonical_host(host: &str) -> Option<String> {
    if let Some(literal) = host.strip_prefix('[') {
        // RFC 3986 section 3.2.2; std accepts no zone id.
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let labels = || host.split('.');
    if host.len() > 253 || !labels().all(is_label) {
        return None;
    }
    // Many parsers read a host that ends in a number as an IPv4 address, in forms (hexadecimal, octal, integer) that
    // differ between them: only the dotted decimal form is accepted.
    let last = labels().next_back()?;
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.starts_with("0x")
        || last.starts_with("0X");
    match numeric {
        true => host
            .parse::<Ipv4Addr>()
            .ok()
            .map(|address| address.to_string()),
        false => Some(host.to_ascii_lowercase()),
    }
}

/// RFC 1123 section 2.1: letters, digits and inner hyphens.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
