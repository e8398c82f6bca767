//! Connects through a proxy: SOCKS, or HTTP `CONNECT`.
//!
//! Separate from [`super::proxy`], which selects the proxy, and from [`super::socket`], which connects directly. The
//! protocols are implemented by ureq.

use std::fmt;

use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, SocksConnector, Transport,
};
use ureq::{Error, Proxy, ProxyProtocol};

use super::addresses::Fixed;
use super::socket::{remaining, with};

/// Why the connection through a proxy failed.
#[derive(Debug)]
pub(super) enum TunnelError {
    /// The connection to the proxy failed, or the proxy refused.
    AtProxy(Error),
    /// SOCKS4 supports only IPv4, and the host has no such address.
    OnlyIpv6,
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunnelError::AtProxy(why) => write!(f, "{why}"),
            TunnelError::OnlyIpv6 => {
                f.write_str("it has no IPv4 address, and SOCKS4 supports no other")
            }
        }
    }
}

impl std::error::Error for TunnelError {}

impl From<TunnelError> for Error {
    fn from(error: TunnelError) -> Error {
        Error::Other(Box::new(error))
    }
}

/// Connects through the proxy, if there is one. No other connector runs then.
#[derive(Debug)]
pub(super) struct Tunnel;

impl Connector<()> for Tunnel {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(proxy) = details.config.proxy() else {
            return Ok(None);
        };
        let tunnel = match proxy.protocol() {
            ProxyProtocol::Http | ProxyProtocol::Https => {
                match ConnectProxyConnector::default().connect(details, None::<()>) {
                    Ok(Some(Either::B(tunnel))) => Ok(tunnel),
                    Ok(_) => Err(Error::ConnectionFailed),
                    Err(error) => Err(error),
                }
            }
            ProxyProtocol::Socks4 if details.addrs.iter().all(|address| address.is_ipv6()) => {
                return Err(TunnelError::OnlyIpv6.into());
            }
            _ => socks(details, proxy),
        };
        tunnel
            .map(Some)
            .map_err(|error| TunnelError::AtProxy(error).into())
    }
}

/// Tries every address of a SOCKS proxy with every address of the target; ureq tries one pair only.
fn socks(details: &ConnectionDetails<'_>, proxy: &Proxy) -> Result<Box<dyn Transport>, Error> {
    let proxies = details
        .resolver
        .resolve(proxy.uri(), details.config, details.timeout)?;
    let mut targets: Vec<ResolvedSocketAddrs> = Vec::new();
    let only_ipv4 = proxy.protocol() == ProxyProtocol::Socks4;
    for address in details.addrs.iter() {
        if !(only_ipv4 && address.is_ipv6()) {
            let mut target = details.resolver.empty();
            target.push(*address);
            targets.push(target);
        }
    }
    if !proxy.resolve_target() {
        // The proxy resolves the name.
        targets = vec![details.resolver.empty()];
    }
    let (mut proxy, mut target) = (0, 0);
    loop {
        let fixed = Fixed(proxies[proxy]);
        let one = with(details, targets[target].clone(), remaining(details), &fixed);
        let error = match SocksConnector::default().connect(&one, None::<()>) {
            Ok(Some(tunnel)) => return Ok(tunnel.boxed()),
            Ok(None) => Error::ConnectionFailed,
            Err(error) => error,
        };
        // An operating system error concerns the connection to the proxy; any other error is the proxy's, about the
        // target.
        match error {
            Error::Io(ref why) if why.raw_os_error().is_some() => proxy += 1,
            Error::Timeout(_) => proxy += 1,
            _ => target += 1,
        }
        let is_late = remaining(details).is_zero();
        if is_late || proxy == proxies.len() || target == targets.len() {
            return Err(error);
        }
    }
}
