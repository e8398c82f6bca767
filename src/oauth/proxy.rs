//! Selects the proxy as curl(1) does, and validates its setting.
//!
//! Separate from [`super::tunnel`], which connects through it. ureq's own parser drops a setting that it does not
//! understand, and a request that should use a proxy must never bypass it.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use ureq::{Proxy, ProxyProtocol};

use crate::failure::Failure;
use crate::origin::{Origin, split_port};
use crate::world::World;

/// The variables for https, most specific first, followed by those for http, which no request to another machine uses,
/// but which are validated as well.
const VARIABLES: [&str; 6] = [
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "http_proxy",
    "HTTP_PROXY",
];

/// How many of them apply to other machines.
const FOR_HTTPS: usize = 4;

/// A proxy, and the setting that names it.
#[derive(Debug, Clone)]
pub(super) struct Via {
    pub(super) proxy: Proxy,
    /// The variable, or git's setting.
    pub(super) source: &'static str,
}

/// What the environment specifies for an origin.
#[derive(Debug)]
pub(super) enum ProxyChoice {
    /// No proxy for this origin.
    Direct,
    /// Use this proxy.
    Through(Via),
    /// Not specified.
    Unset,
}

impl Via {
    /// Parses a setting.
    ///
    /// # Errors
    /// It cannot be used. The message does not repeat it, because it may contain a password.
    pub(super) fn parse(source: &'static str, setting: &str) -> Result<Via, Failure> {
        match parse(setting) {
            Ok(proxy) => Ok(Via { proxy, source }),
            Err(why) => Err(unusable(source, why)),
        }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.proxy.host(), self.proxy.port())
    }

    /// The proxy's URL, without user name and password.
    pub(super) fn shown(&self) -> String {
        let scheme = self.proxy.protocol().to_string().to_ascii_lowercase();
        format!("{scheme}://{}", self.authority())
    }

    /// Whether a user name is sent to it.
    pub(super) fn has_credentials(&self) -> bool {
        self.proxy.username().is_some()
    }
}

/// Selects the proxy for an origin from the environment.
pub(super) fn of_environment(world: &World, origin: &Origin) -> Result<ProxyChoice, Failure> {
    let mut found = Vec::new();
    for (index, name) in VARIABLES.into_iter().enumerate() {
        let Some(value) = world.variable_os(name) else {
            continue;
        };
        let value = value
            .to_str()
            .ok_or_else(|| unusable(name, "it is not UTF-8"))?;
        let via = Via::parse(name, value)?;
        if index < FOR_HTTPS {
            found.push(via);
        }
    }
    // The machine itself is never reached through a proxy.
    if origin.is_loopback() || is_excepted(world, origin) {
        return Ok(ProxyChoice::Direct);
    }
    Ok(found
        .into_iter()
        .next()
        .map_or(ProxyChoice::Unset, ProxyChoice::Through))
}

/// The variable that overrides a setting: the environment outranks git's configuration.
pub(super) fn variable(source: &str) -> &str {
    match source.starts_with("git's ") {
        true => "HTTPS_PROXY",
        false => source,
    }
}

fn unusable(source: &str, why: &str) -> Failure {
    let what = format!("cannot use the value of {source}: {why}");
    let variable = variable(source);
    Failure::new(what).hint(format!(
        "`export {variable}=PROXY`, which looks like `http://proxy.example.com:3128` or `socks5h://127.0.0.1:1080`"
    ))
}

fn parse(setting: &str) -> Result<Proxy, &'static str> {
    let setting = setting.trim();
    let (scheme, rest) = setting.split_once("://").unwrap_or(("http", setting));
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyProtocol::Http,
        "https" => ProxyProtocol::Https,
        // As in curl.
        "socks" | "socks4" => ProxyProtocol::Socks4,
        "socks4a" => ProxyProtocol::Socks4A,
        "socks5" => ProxyProtocol::Socks5,
        "socks5h" => ProxyProtocol::Socks5h,
        _ => return Err("its scheme is not http, https, socks4, socks4a, socks5 or socks5h"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (credentials, authority) = match authority.rsplit_once('@') {
        Some((credentials, authority)) => (Some(credentials), authority),
        None => (None, authority),
    };
    let (host, port) = split_port(authority).ok_or("its host is not a valid host name")?;
    let port = match port {
        None if protocol == ProxyProtocol::Https => 443,
        None => 1080,
        Some(port) => is_number(port)
            .then(|| port.parse().ok())
            .flatten()
            .filter(|port| *port != 0)
            .ok_or("its port is not a number from 1 to 65535")?,
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    if !is_host(host) {
        return Err("its host is not a valid host name");
    }
    let mut proxy = Proxy::builder(protocol).host(host).port(port);
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        proxy = proxy
            .username(&decoded(user)?)
            .password(&decoded(password)?);
    }
    proxy.build().map_err(|_| "it is not a valid proxy address")
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into)
        .map_err(|_| "its user name or password is not UTF-8")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host grammar of [`crate::origin`], plus underscores, which names in private networks have.
fn is_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let address = literal.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_named = host.len() <= 253 && host.split('.').all(is_label);
    let is_numeric = host.rsplit('.').next().is_some_and(is_number);
    is_named && (!is_numeric || host.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Whether `NO_PROXY` covers an origin.
fn is_excepted(world: &World, origin: &Origin) -> bool {
    let list = world
        .variable("no_proxy")
        .or_else(|| world.variable("NO_PROXY"))
        .unwrap_or_default();
    list.split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty())
        .any(|entry| covers(entry, origin))
}

fn covers(entry: &str, origin: &Origin) -> bool {
    let host = bare(origin.host());
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match entry.split_once('/') {
            Some((network, bits)) => {
                let network = bare(network).parse();
                network.is_ok_and(|network| is_within(address, network, bits))
            }
            None => {
                let (named, port) = split_port(entry).unwrap_or((entry, None));
                let is_it = |named: &str| bare(named).parse() == Ok(address);
                // A bare IPv6 address has colons of its own.
                is_it(entry) || (is_it(named) && port.is_none_or(|port| is_port(port, origin)))
            }
        };
    }
    let (named, port) = split_port(entry).unwrap_or((entry, None));
    // As in curl, a name covers its subdomains.
    let named = named.trim_start_matches('*').trim_start_matches('.');
    let named = named.trim_end_matches('.').to_ascii_lowercase();
    let below = host.strip_suffix(named.as_str());
    !named.is_empty()
        && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        && port.is_none_or(|port| is_port(port, origin))
}

fn is_port(port: &str, origin: &Origin) -> bool {
    port.parse() == Ok(origin.port())
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an address is in a network.
fn is_within(address: IpAddr, network: IpAddr, bits: &str) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (
            u128::from(address.to_bits()),
            u128::from(network.to_bits()),
            32,
        ),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    match bits.parse::<u32>() {
        Ok(0) => true,
        Ok(bits) if bits <= width => (address ^ network) >> (width - bits) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::world::SystemClock;

    #[test]
    fn a_proxy_is_written_as_curl_reads_it() {
        for (setting, shown, user, password) in [
            (
                "proxy.example:3128",
                "http://proxy.example:3128",
                None,
                None,
            ),
            ("proxy.example", "http://proxy.example:1080", None, None),
            ("HTTP://proxy/", "http://proxy:1080", None, None),
            ("https://proxy", "https://proxy:443", None, None),
            ("socks4://10.0.0.1", "socks4://10.0.0.1:1080", None, None),
            ("socks://squid_1:1", "socks4://squid_1:1", None, None),
            ("socks4a://a.b.:9", "socks4a://a.b.:9", None, None),
            ("socks5://[::1]:9050", "socks5://[::1]:9050", None, None),
            ("SOCKS5H://h:1/x?y", "socks5h://h:1", None, None),
            (" http://h:1\n", "http://h:1", None, None),
            ("http://u:p@h:1", "http://h:1", Some("u"), Some("p")),
            ("u%40x:p%2Fq@h:1", "http://h:1", Some("u@x"), Some("p/q")),
            ("http://u:p@ss@h:1", "http://h:1", Some("u"), Some("p@ss")),
            ("http://u@h:1", "http://h:1", Some("u"), Some("")),
        ] {
            let via = Via::parse("X", setting).unwrap();
            assert_eq!(via.shown(), shown, "{setting}");
            let found = (via.proxy.username(), via.proxy.password());
            assert_eq!(found, (user, password), "{setting}");
        }
    }

    #[test]
    fn an_unusable_setting_is_an_error_that_does_not_repeat_it() {
        for setting in [
            "",
            " ",
            "ftp://proxy:1",
            "socks6://proxy:1",
            "://proxy:1",
            "http://",
            "http://:3128",
            "http://user:hunter2@:3128",
            "http://user:hunter2@",
            "http://proxy:0",
            "http://proxy:65536",
            "http://proxy:99999999999",
            "http://proxy:",
            "http://proxy:+1",
            "http://proxy:port",
            "http://proxy:1:2",
            "http://pro xy:1",
            "http://pro\txy:1",
            "http://pro\u{ad}xy:1",
            "http://prоxy:1",
            "http://proxy\\:1",
            "http://%70roxy:1",
            "http://[::1",
            "http://[::1]x:1",
            "http://[fe80::1%25eth0]:1",
            "http://::1:3128",
            "http://1.2.3:1",
            "http://3128",
            "http://a..b:1",
            "http://u:%ff@proxy:1",
            "http:/proxy:1",
            "garbage garbage",
            "%%%",
            ":::",
            "\"http://proxy:1\"",
        ] {
            let Err(failure) = Via::parse("HTTPS_PROXY", setting) else {
                panic!("{setting:?}");
            };
            let message = failure.to_string();
            assert!(message.starts_with("cannot use the value of HTTPS_PROXY: "));
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn exceptions_are_names_addresses_and_networks() {
        let is_excepted = |list: &str, origin: &str| {
            let world = World::of(&[("NO_PROXY", list)], Rc::new(SystemClock));
            super::is_excepted(&world, &Origin::parse(origin).unwrap())
        };
        for (list, origin, expected) in [
            ("*", "https://s.example", true),
            ("s.example", "https://s.example", true),
            ("S.Example.", "https://s.example", true),
            ("example", "https://s.example", true),
            (".example", "https://s.example", true),
            ("*.example", "https://s.example", true),
            ("a, example b", "https://s.example", true),
            ("xs.example", "https://s.example", false),
            ("ample", "https://s.example", false),
            ("", "https://s.example", false),
            (",.,", "https://s.example", false),
            ("s.example:8443", "https://s.example:8443", true),
            ("s.example:443", "https://s.example:8443", false),
            ("10.0.0.0/8", "https://10.2.3.4", true),
            ("10.0.0.0/8", "https://11.2.3.4", false),
            ("10.2.3.4", "https://10.2.3.4", true),
            ("10.2.3.4:443", "https://10.2.3.4", true),
            ("0.0.0.0/0", "https://10.2.3.4", true),
            ("10.0.0.0/33", "https://10.0.0.0", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("[fd12::1]", "https://[fd12::1]", true),
            ("fd12::1", "https://[fd12::1]", true),
            ("fd12::2", "https://[fd12::1]", false),
            ("3.4", "https://10.2.3.4", false),
        ] {
            assert_eq!(is_excepted(list, origin), expected, "{list}: {origin}");
        }
    }
}
