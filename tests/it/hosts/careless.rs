//! Careless parsers of hosts: each takes some foreign host for the instance's. A corpus that all of them pass would
//! prove nothing.

use super::corpus::{Kind, Line};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A parser's name, and whether it takes its input for this `host[:port]`.
type Reader = (&'static str, fn(&str, &str) -> bool);

pub const READERS: [Reader; 5] = [
    ("suffix", |said, instance| said.ends_with(instance)),
    ("anywhere", |said, instance| said.contains(instance)),
    ("library", |said, instance| {
        let (said, instance) = (host_of(&repaired(said)), host_of(instance));
        said.ends_with(&instance)
    }),
    ("address", |said, instance| {
        let (said, instance) = (address(said), address(instance));
        said.is_some() && said == instance
    }),
    ("eye", |said, instance| seen(said).ends_with(instance)),
];

/// The parsers that would leak a token for this line.
pub fn fooled<'a>(
    line: &Line,
    instances: &'a [String],
) -> impl Iterator<Item = &'static str> + use<'a> {
    let said = host_in(line).to_lowercase();
    READERS
        .iter()
        .filter(move |(_, takes)| instances.iter().any(|instance| takes(&said, instance)))
        .map(|(name, _)| *name)
}

/// The last of several hosts; without one, the default.
fn host_in(line: &Line) -> String {
    let text = String::from_utf8_lossy(&line.text).into_owned();
    let value = match line.kind {
        Kind::Host(_) => return text,
        Kind::Url => text,
        Kind::Request => {
            let mut values = text
                .split(['\n', '\r'])
                .filter(|line| {
                    ["host", "url"]
                        .iter()
                        .any(|key| line.to_lowercase().starts_with(key))
                })
                .filter_map(|line| line.split_once('='));
            let last = values.next_back().map(|(_, value)| value.to_owned());
            last.unwrap_or_default()
        }
    };
    let host = value.rsplit("://").next().unwrap_or_default();
    match host {
        "" => "sentry.io".to_owned(),
        host => host.to_owned(),
    }
}

/// What libraries for URLs drop, decode and replace (WHATWG URL, UTS 46).
fn repaired(text: &str) -> String {
    let mut repaired = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let decoded = |text: &str| u8::from_str_radix(text.get(..2)?, 16).ok();
        match (character, decoded(rest.as_str())) {
            ('%', Some(byte)) => {
                repaired.push(byte.into());
                rest.nth(1);
            }
            ('\u{ff01}'..='\u{ff5e}', _) => {
                repaired.extend(char::from_u32(u32::from(character) - 0xfee0));
            }
            ('\u{3002}' | '\u{ff61}' | '\u{2024}', _) => repaired.push('.'),
            ('\u{17f}' | '\u{24e2}', _) => repaired.push('s'),
            ('\u{131}' | '\u{2139}', _) => repaired.push('i'),
            ('\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fe0f}', _) => {}
            (other, _) if other.is_control() || other.is_whitespace() => {}
            (other, _) => repaired.push(other),
        }
    }
    repaired
}

/// Without user, path, port and outer dots.
fn host_of(authority: &str) -> String {
    let end = |text: &str| text.find(['/', '\\', '?', '#']);
    let authority = authority.trim_start_matches(['/', '\\', '.']);
    let authority = &authority[..end(authority).unwrap_or(authority.len())];
    let host = authority.rsplit('@').next().unwrap_or_default();
    let colon = host.rfind(':').filter(|_| !host.ends_with(']'));
    host[..colon.unwrap_or(host.len())]
        .trim_matches('.')
        .to_owned()
}

/// As `inet_aton` reads an IPv4 address; an IPv6 one without its zone, and as the IPv4 one that is in it.
fn address(authority: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = literal.split('%').next()?.parse::<Ipv6Addr>() {
        let within = ip.to_ipv4().filter(|_| ip != Ipv6Addr::LOCALHOST);
        return Some((within.map_or(ip.into(), IpAddr::V4), port));
    }
    let number = |part: &str| match (part.strip_prefix("0x"), part.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => part.parse().ok(),
    };
    let parts: Option<Vec<u32>> = literal.split('.').map(number).collect();
    let (last, bytes) = parts.as_ref()?.split_last()?;
    let shifted = [24, 16, 8]
        .into_iter()
        .zip(bytes)
        .map(|(by, byte)| byte << by);
    let bits = shifted.fold(*last, |bits, byte| bits | byte);
    (bytes.len() < 4).then(|| (Ipv4Addr::from(bits).into(), port))
}

/// Letters of other scripts as they look to a user, without invisible characters.
fn seen(text: &str) -> String {
    let letter = |character| match character {
        '\u{455}' => Some('s'),
        '\u{435}' => Some('e'),
        '\u{443}' => Some('y'),
        '\u{456}' => Some('i'),
        '\u{43e}' | '\u{3bf}' => Some('o'),
        '\u{fc}' => Some('u'),
        other => (other.is_ascii_graphic() || other.is_alphabetic()).then_some(other),
    };
    text.chars().filter_map(letter).collect()
}
