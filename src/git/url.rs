//! Parses a `url=` line. git expands it before it calls a helper; other callers may not.

use percent_encoding::percent_decode_str;

use super::bytes::text_of;
use crate::secret::Secret;

/// The parts of a `url=` line, split as git splits them. The host is not validated here.
pub(super) struct Url<'a> {
    pub(super) protocol: &'a str,
    pub(super) host: &'a str,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) path: Option<String>,
}

impl Url<'_> {
    pub(super) fn parse(url: &str) -> Option<Url<'_>> {
        let (protocol, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // To other parsers each of these ends the host (`?`, `#`: git; `\`: browsers), and what precedes an `@` behind
        // it is the host.
        if authority.contains(['?', '#', '\\']) || authority.matches('@').count() > 1 {
            return None;
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, "")))
        {
            Some((username, "")) => (Some(decoded(username)?), None),
            Some((username, password)) => (
                Some(decoded(username)?),
                Some(Secret::new(decoded(password)?)),
            ),
            None => (None, None),
        };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() {
            None
        } else {
            Some(decoded(path)?)
        };
        Some(Url {
            protocol,
            host,
            username,
            password,
            path,
        })
    }
}

/// Percent-decodes; `None` if the result could not have been a value of its own line.
fn decoded(text: &str) -> Option<String> {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let text = text_of(&bytes).to_string();
    (!text.contains(['\n', '\r', '\0'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_hexadecimal_digits_make_an_escape() {
        for (text, meant) in [
            ("%2B%7e", Some("+~")),
            ("%+0", Some("%+0")),
            ("%g0%0", Some("%g0%0")),
            ("%0a", None),
        ] {
            assert_eq!(decoded(text).as_deref(), meant, "{text}");
        }
    }
}
