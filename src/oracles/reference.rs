//! The rules about hosts and tokens, implemented a second time: slowly, differently, and from the documentation alone.
//!
//! Separate from the code under test, and sharing nothing with it: the documentation decides a disagreement.

use serde_json::Value;

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    scheme: &'static str,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    V4([u8; 4]),
    V6([u16; 8]),
}

impl Place {
    /// Whether the scheme is https.
    pub(super) fn is_tls(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether this is https on the host of another place, whose port may be behind a proxy.
    pub(super) fn is_secured(&self, other: &Place) -> bool {
        self.is_tls() && self.host == other.host
    }
}

/// `scheme://host[:port]`, optionally followed by one `/`.
pub(super) fn origin(text: &str) -> Option<Place> {
    let text = text.strip_suffix('/').unwrap_or(text);
    ["https", "http"].into_iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len() + 3)?;
        let named = start.to_ascii_lowercase() == format!("{scheme}://");
        named.then(|| place(scheme, rest))?
    })
}

/// Whether a place is an organization of Sentry's SaaS, which is not an instance: another name below `sentry.io`.
pub(super) fn is_organization(place: &Place) -> bool {
    let is_instance = [(443, "us.sentry.io"), (443, "de.sentry.io")]
        .iter()
        .any(|(port, name)| place.port == *port && place.host == Host::Name((*name).to_owned()));
    match &place.host {
        Host::Name(name) => name.ends_with(".sentry.io") && !is_instance,
        _ => false,
    }
}

/// A setting: without a scheme it is https.
pub(super) fn setting(text: &str) -> Option<Place> {
    match text.contains("://") {
        true => origin(text),
        false => origin(&format!("https://{text}")),
    }
}

/// A scheme and `host[:port]`.
pub(super) fn parts(scheme: &str, authority: &str) -> Option<Place> {
    let scheme = ["https", "http"]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known))?;
    place(scheme, authority)
}

/// Whether a token of one place may be sent to another.
pub(super) fn trusts(token_of: &Place, place: &Place) -> bool {
    let saas = ["sentry.io", "us.sentry.io", "de.sentry.io"]
        .map(|name| origin(&format!("https://{name}")).expect("a name"));
    token_of == place || (saas.contains(token_of) && saas.contains(place))
}

fn place(scheme: &'static str, authority: &str) -> Option<Place> {
    let default = if scheme == "https" { 443 } else { 80 };
    let without_port = host(authority).map(|host| (host, default));
    // Any colon may precede the port; the grammar permits at most one.
    let with_port = authority.match_indices(':').filter_map(|(colon, _)| {
        Some((host(&authority[..colon])?, port(&authority[colon + 1..])?))
    });
    let mut readings = without_port.into_iter().chain(with_port);
    let (host, port) = readings.next()?;
    assert_eq!(readings.next(), None, "two ways to read {authority}");
    let this_machine = match &host {
        Host::Name(name) => name == "localhost",
        Host::V4(quad) => quad[0] == 127,
        Host::V6(groups) => *groups == [0, 0, 0, 0, 0, 0, 0, 1],
    };
    (scheme == "https" || this_machine).then_some(Place { scheme, host, port })
}

fn port(text: &str) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|port: &u16| *port > 0 && port.to_string() == text)
}

fn host(text: &str) -> Option<Host> {
    if text.starts_with('[') && text.ends_with(']') {
        return v6(&text[1..text.len() - 1]).map(Host::V6);
    }
    let labels: Vec<&str> = text.split('.').collect();
    let plain = |label: &&str| {
        let edges = [label.chars().next(), label.chars().last()];
        label.len() < 64
            && label
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-')
            && edges.iter().all(|edge| edge.is_some_and(|it| it != '-'))
    };
    if text.len() > 253 || !labels.iter().all(plain) {
        return None;
    }
    // Other parsers read a name that ends in a number as an IPv4 address.
    let last = labels[labels.len() - 1].to_ascii_lowercase();
    match last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => quad(text).map(Host::V4),
        false => Some(Host::Name(text.to_ascii_lowercase())),
    }
}

fn quad(text: &str) -> Option<[u8; 4]> {
    let numbers: Vec<u8> = text
        .split('.')
        .filter_map(|number| number.parse().ok())
        .collect();
    let quad: [u8; 4] = numbers.try_into().ok()?;
    let [a, b, c, d] = quad;
    (format!("{a}.{b}.{c}.{d}") == text).then_some(quad)
}

/// RFC 3986 section 3.2.2.
fn v6(text: &str) -> Option<[u16; 8]> {
    let Some((head, tail)) = text.split_once("::") else {
        return groups(text)?.try_into().ok();
    };
    let (mut head, tail) = (groups(head).filter(|_| !head.contains('.'))?, groups(tail)?);
    if head.len() + tail.len() > 7 {
        return None;
    }
    head.resize(8 - tail.len(), 0);
    head.extend(tail);
    head.try_into().ok()
}

fn groups(text: &str) -> Option<Vec<u16>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut pieces: Vec<&str> = text.split(':').collect();
    let quad = match pieces.pop_if(|last| last.contains('.')) {
        Some(last) => Some(quad(last)?),
        None => None,
    };
    let mut groups = Vec::new();
    for group in pieces {
        let hex = group.len() < 5 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        groups.push(u16::from_str_radix(group, 16).ok().filter(|_| hex)?);
    }
    if let Some([a, b, c, d]) = quad {
        groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
    }
    Some(groups)
}

/// Whether a text is a token: 1 to 4096 bytes of `%x21-7E`.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4096 && text.chars().all(|it| it > ' ' && it <= '~')
}

/// The claims of an organization token: `sntrys_`, base64 of a JSON object, `_`, a secret.
pub(super) fn claims(token: &str) -> Option<Value> {
    let ["sntrys", claims, _] = token.split('_').collect::<Vec<_>>()[..] else {
        return None;
    };
    let json = base64(claims).filter(|_| claims.len() <= 2048)?;
    serde_json::from_slice(&json).ok().filter(Value::is_object)
}

/// RFC 4648 section 4, canonical, with all, some or none of its padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > (4 - digits.len() % 4) % 4 {
        return None;
    }
    let mut bits = String::new();
    for digit in digits.chars() {
        bits.push_str(&format!("{:06b}", ALPHABET.find(digit)?));
    }
    let rest = bits.split_off(bits.len() / 8 * 8);
    let bytes = bits.as_bytes().chunks(8);
    let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte * 2 + (bit - b'0'));
    (!rest.contains('1')).then(|| bytes.map(byte).collect())
}

/// A request of git.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The lines that request the same host.
    pub(super) lines: String,
    /// The host; `None` if it is outside the grammar.
    pub(super) place: Option<Place>,
    /// The user.
    pub(super) username: Option<String>,
    /// Whether git understands a credential with an `authtype`.
    pub(super) authtype: bool,
}

/// Parses a request of git: `Err` if it is malformed, `None` if it names no host.
pub(super) fn git(input: &[u8]) -> Result<Option<Asked>, ()> {
    if input.len() > 1024 * 1024 || input.contains(&0) || input.contains(&b'\r') {
        return Err(());
    }
    let mut asked = Asked::default();
    let (mut protocols, mut hosts) = (Vec::new(), Vec::new());
    let mut ours = true;
    for line in input.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            break;
        }
        let mut halves = line.splitn(2, |byte| *byte == b'=');
        let (Some(key), Some(value), true) = (halves.next(), halves.next(), line.len() < 65535)
        else {
            return Err(());
        };
        let key = String::from_utf8_lossy(key).into_owned();
        // User input may be in any encoding; no host contains U+FFFD.
        let value = String::from_utf8_lossy(value).into_owned();
        match &*key {
            "protocol" => protocols.push(value),
            "host" => hosts.push(value),
            "username" => asked.username = Some(value),
            "capability[]" => {
                asked.authtype = (asked.authtype && !value.is_empty()) || value == "authtype"
            }
            "url" => match url(&value) {
                Some((protocol, user, host)) => {
                    protocols.push(protocol);
                    hosts.push(host);
                    asked.username = user.or(asked.username);
                }
                None => ours = false,
            },
            _ => {}
        }
    }
    for values in [&mut protocols, &mut hosts] {
        values.dedup();
    }
    let ([protocol], [host], true) = (&protocols[..], &hosts[..], ours) else {
        return Ok(None);
    };
    if protocol.is_empty() || host.is_empty() {
        return Ok(None);
    }
    asked.lines = format!("protocol={protocol}\nhost={host}\n");
    asked.place = parts(protocol, host);
    Ok(Some(asked))
}

/// Protocol, user and host of a `url=` line, unless two URL parsers could see two hosts in it.
fn url(text: &str) -> Option<(String, Option<String>, String)> {
    let at = text.find("://")?;
    let (protocol, rest) = (&text[..at], &text[at + 3..]);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let pieces: Vec<&str> = authority.split('@').collect();
    let (user, host) = match pieces[..] {
        [host] => (None, host),
        [user, host] => (Some(user), host),
        _ => return None,
    };
    decoded(path)?;
    if authority.contains(['?', '#', '\\']) {
        return None;
    }
    let user = match user {
        Some(user) => {
            let (user, password) = user.split_at(user.find(':').unwrap_or(user.len()));
            decoded(password)?;
            Some(decoded(user)?)
        }
        None => None,
    };
    Some((protocol.to_owned(), user, host.to_owned()))
}

/// Percent-decoded text that could be a value on its own line.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'%') {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        from += at + 1;
        if let [Some(high), Some(low)] = [0, 1].map(|next| bytes.get(from + next).and_then(hex)) {
            bytes.splice(from - 1..from + 2, [u8::try_from(high * 16 + low).ok()?]);
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (!text.contains('\n') && !text.contains('\r') && !text.contains('\0')).then_some(text)
}

/// The place of docker's server URL, if a session's token could be sent there.
pub(super) fn registry(text: &str) -> Option<Place> {
    let url = match text.contains("://") {
        true => text.to_owned(),
        false if text.starts_with("//") => format!("https:{text}"),
        false => format!("https://{text}"),
    };
    let path = url.find("://")? + 3;
    let path = url[path..]
        .find('/')
        .map_or(url.len(), |slash| path + slash);
    let (server, path) = url.split_at(path);
    let plain = |it: char| it > ' ' && it <= '~' && !['\\', '?', '#', '%', '@'].contains(&it);
    origin(server).filter(|_| path.chars().all(plain))
}
