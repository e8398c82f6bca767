//! Resolves host names to addresses.
//!
//! Separate from [`super::connect`] because it opens no connection to the target. ureq's own resolver panics if no
//! thread can be started, and queries a name server for `localhost`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::printable::in_a_sentence;

/// Most addresses of one name that are attempted.
const MOST: usize = 16;

/// Timeout of a lookup. A system resolver turns to its second name server after 5 seconds.
pub(super) const LOOKUP: Duration = Duration::from_millis(5300);

/// A name could not be looked up.
#[derive(Debug, Clone)]
pub(super) struct LookupError(Arc<io::Error>);

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.0.to_string();
        // The standard library says first what the message says already.
        let why = why
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&why);
        f.write_str(&in_a_sentence(why))
    }
}

impl std::error::Error for LookupError {}

/// The addresses of a name.
type Resolved = Result<Vec<SocketAddr>, LookupError>;

/// Resolves `localhost` and addresses without a lookup, names known from [`Addresses::look_up`] from memory, and all
/// others with the system's resolver, in a thread that may be abandoned.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    known: Vec<((String, u16), Resolved)>,
}

impl Addresses {
    /// Looks a name up in advance; later requests use the result.
    pub(super) fn look_up(&mut self, uri: &Uri) {
        let host_and_port = host_and_port(uri);
        if !self.known.iter().any(|(known, _)| *known == host_and_port) {
            let found = find(&host_and_port, LOOKUP);
            self.known.push((host_and_port, found));
        }
    }
}

/// Host and port of a URI.
pub(super) fn host_and_port(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    (bare.to_owned(), port)
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host_and_port = host_and_port(uri);
        let known = self.known.iter().find(|(known, _)| *known == host_and_port);
        let found = match known {
            Some((_, found)) => found.clone(),
            None => find(&host_and_port, *timeout.after),
        };
        let found = found.map_err(|why| Error::Other(Box::new(why)))?;
        let mut addresses = self.empty();
        for address in alternating(found).into_iter().take(MOST) {
            addresses.push(address);
        }
        match addresses.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}

fn find((host, port): &(String, u16), limit: Duration) -> Resolved {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, *port)]),
        // RFC 6761 section 6.3: always this machine, whatever a name server says.
        Err(_) if host.eq_ignore_ascii_case("localhost") => Ok(vec![
            (Ipv4Addr::LOCALHOST, *port).into(),
            (Ipv6Addr::LOCALHOST, *port).into(),
        ]),
        Err(_) => looked_up(host.clone(), *port, limit),
    }
}

fn looked_up(host: String, port: u16, limit: Duration) -> Resolved {
    let failed = |why| LookupError(Arc::new(why));
    let (ours, theirs) = mpsc::sync_channel(1);
    let lookup = move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // The receiver is gone once the timeout has passed.
        ours.send(found.map(Vec::from_iter)).ok();
    };
    std::thread::Builder::new().spawn(lookup).map_err(failed)?;
    match theirs.recv_timeout(limit) {
        Ok(found) => found.map_err(failed),
        Err(_) => Err(failed(io::Error::new(
            io::ErrorKind::TimedOut,
            "no name server answers",
        ))),
    }
}

/// RFC 8305 section 4: alternates the address families, so that an unreachable one does not use up the time of the
/// other.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Resolves every name to one address.
#[derive(Debug)]
pub(super) struct Fixed(pub(super) SocketAddr);

impl Resolver for Fixed {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut one = self.empty();
        one.push(self.0);
        Ok(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let addresses = |text: &[&str]| -> Vec<SocketAddr> {
            text.iter().map(|one| one.parse().unwrap()).collect()
        };
        let ordered = |text: &[&str]| alternating(addresses(text));
        assert_eq!(
            ordered(&["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"]),
            addresses(&["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"])
        );
        assert_eq!(ordered(&["1.0.0.1:1"]), addresses(&["1.0.0.1:1"]));
        assert_eq!(ordered(&[]), []);
    }

    #[test]
    fn this_machine_and_addresses_need_no_name_server() {
        let resolved = |uri: &str| {
            let timeout = NextTimeout {
                after: ureq::unversioned::transport::time::Duration::from_secs(0),
                ..NextTimeout::default()
            };
            let uri = uri.parse().unwrap();
            let found = Addresses::default().resolve(&uri, &Config::default(), timeout);
            found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        for (uri, expected) in [
            ("http://localhost:8", &["127.0.0.1:8", "[::1]:8"][..]),
            ("https://LocalHost", &["127.0.0.1:443", "[::1]:443"]),
            ("http://127.0.0.1", &["127.0.0.1:80"]),
            ("https://[::1]:8443", &["[::1]:8443"]),
        ] {
            assert_eq!(resolved(uri).unwrap(), expected, "{uri}");
        }
        // The resolver is given no time to answer.
        assert!(resolved("https://localhost.example").is_err());
    }
}
