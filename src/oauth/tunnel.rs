//! The way through a proxy: SOCKS, or `CONNECT` of HTTP.
//!
//! Separate from [`super::proxy`], which decides by which one, and from [`super::connect`], which goes the direct way. The
//! protocols are ureq's.

use std::fmt;

use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, SocksConnector, Transport,
};
use ureq::{Error, Proxy, ProxyProtocol};

use super::addresses::Fixed;
use super::socket::{left, with};

/// What is wrong with the way through a proxy.
#[derive(Debug)]
pub(super) enum TunnelError {
    /// The way to the proxy, or what the proxy said.
    AtProxy(Error),
    /// SOCKS4 knows IPv4 only, and the host has no such address.
    OnlyIpv6,
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunnelError::AtProxy(why) => write!(f, "{why}"),
            TunnelError::OnlyIpv6 => {
                f.write_str("it has no IPv4 address, and SOCKS4 knows no other")
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

/// Through the proxy, if there is one: nothing else connects then.
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

/// ureq asks one address of a SOCKS proxy for one address of the target: here they are all tried.
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
        // The proxy gets the name.
        targets = vec![details.resolver.empty()];
    }
    let (mut proxy, mut target) = (0, 0);
    loop {
        let fixed = Fixed(proxies[proxy]);
        let one = with(details, targets[target].clone(), left(details), &fixed);
        let error = match SocksConnector::default().connect(&one, None::<()>) {
            Ok(Some(tunnel)) => return Ok(tunnel.boxed()),
            Ok(None) => Error::ConnectionFailed,
            Err(error) => error,
        };
        // An error of the system is about the way to the proxy; what the proxy says is about the target.
        match error {
            Error::Io(ref why) if why.raw_os_error().is_some() => proxy += 1,
            Error::Timeout(_) => proxy += 1,
            _ => target += 1,
        }
        let is_late = left(details).is_zero();
        if is_late || proxy == proxies.len() || target == targets.len() {
            return Err(error);
        }
    }
}
